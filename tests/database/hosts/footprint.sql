-- Everything of a database outside the schema blogger_tracking, one line per fact.
with host as (
    select oid, nspname, nspacl
    from pg_namespace
    where nspname not in ('blogger_tracking', 'pg_catalog', 'information_schema') and nspname !~ '^pg_'
)
select 'schema ' || nspname || ' ' || coalesce(nspacl::text, '') as fact
from host
union all
select concat_ws(
    ' ', 'relation', host.nspname, relname, relkind, relrowsecurity, relforcerowsecurity, relacl::text, reloptions::text,
    relowner::regrole
)
from pg_class
join host on host.oid = relnamespace
union all
select concat_ws(
    ' ', 'column', attrelid::regclass, attname, format_type(atttypid, atttypmod), attnotnull, attacl::text,
    pg_get_expr(adbin, adrelid)
)
from pg_attribute
join pg_class on pg_class.oid = attrelid
join host on host.oid = relnamespace
left join pg_attrdef on adrelid = attrelid and adnum = attnum
where attnum > 0 and not attisdropped
union all
select concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(pg_constraint.oid))
from pg_constraint
join host on host.oid = connamespace
union all
select concat_ws(' ', 'function', pg_proc.oid::regprocedure, proacl::text, proconfig::text, md5(prosrc))
from pg_proc
join host on host.oid = pronamespace
union all
select concat_ws(' ', 'policy', schemaname, tablename, policyname, roles::text, cmd, qual, with_check)
from pg_policies
where schemaname <> 'blogger_tracking'
union all
select concat_ws(' ', 'trigger', tgrelid::regclass, tgname, pg_get_triggerdef(pg_trigger.oid))
from pg_trigger
join pg_class on pg_class.oid = tgrelid
join host on host.oid = relnamespace
where not tgisinternal
union all
select concat_ws(' ', 'type', host.nspname, typname, typtype)
from pg_type
join host on host.oid = typnamespace
where typtype in ('e', 'd', 'r')
union all
select concat_ws(' ', 'default privileges', defaclrole::regrole, defaclnamespace::regnamespace, defaclobjtype, defaclacl)
from pg_default_acl
where defaclnamespace is distinct from to_regnamespace('blogger_tracking')
union all
select concat_ws(' ', 'event trigger', evtname, evtevent, evtenabled)
from pg_event_trigger
union all
select concat_ws(' ', 'extension', extname, extnamespace::regnamespace)
from pg_extension
union all
select concat_ws(' ', 'database setting', setrole::regrole, setconfig::text)
from pg_db_role_setting
where setdatabase in (0, (select oid from pg_database where datname = current_database()))
  and setrole not in (select oid from pg_roles where rolname ~ '^(blogger_|pipeline)')
union all
select concat_ws(' ', 'member', roleid::regrole, member::regrole)
from pg_auth_members
where roleid::regrole::text !~ '^(pg_|blogger_|pipeline)' and member::regrole::text !~ '^(pg_|blogger_|pipeline)'
order by fact
