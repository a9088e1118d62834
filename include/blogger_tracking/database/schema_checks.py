"""Readiness checks of the schema: migrations, privileges, row level security, triggers. Nothing is changed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import cache

from psycopg import Connection

from blogger_tracking.database.connections import sees_canary
from blogger_tracking.database.migrate import (
    known_migrations,
    missing_versions,
    read_stand_ins,
    recorded_checksums,
    unknown_versions,
)
from blogger_tracking.database.rows import fetch_value, fetch_values
from blogger_tracking.domain.checks import Check, Remedy, fault, ok, shell, sql, to_do, warning

MIGRATE = shell("make migrate  # in a container: python -m blogger_tracking.cli migrate")

_INSTALLED = "select to_regnamespace('blogger_tracking') is not null"

_AUTH = """
select
    exists (
        select from pg_class where relnamespace = to_regnamespace('auth') and relname = 'users'
    ) as has_users,
    exists (
        select from pg_proc where pronamespace = to_regnamespace('auth') and proname = 'uid' and pronargs = 0
    ) as has_uid
"""

_SCHEMA_IS_USABLE = "select has_schema_privilege('blogger_pipeline', 'blogger_tracking', 'usage')"

_MISSING_PRIVILEGES = """
select
    wanted.table_name,
    string_agg(wanted.privilege || coalesce(' (' || wanted.column_name || ')', ''), ', ' order by wanted.position)
from unnest(%(tables)s::text[], %(privileges)s::text[], %(columns)s::text[])
    with ordinality as wanted (table_name, privilege, column_name, position)
join pg_class
    on pg_class.relnamespace = 'blogger_tracking'::regnamespace
    and pg_class.relname = wanted.table_name
where not case
    when wanted.column_name is null
        then has_table_privilege('blogger_pipeline', pg_class.oid, wanted.privilege)
    else has_column_privilege('blogger_pipeline', pg_class.oid, wanted.column_name, wanted.privilege)
end
group by wanted.table_name
order by wanted.table_name
"""

_GRANT = re.compile(r"^grant ([^;]+?) on blogger_tracking\.(\w+) to blogger_pipeline;", re.MULTILINE)

_PRIVILEGE = re.compile(r"(\w+)(?: \((\w+)\))?")

_ROW_SECURITY = """
select
    quote_ident(relname) as table_name,
    relrowsecurity as is_on,
    relforcerowsecurity as is_forced
from pg_class
where relnamespace = 'blogger_tracking'::regnamespace
  and relkind in ('r', 'p')
  and (not relrowsecurity or relforcerowsecurity)
order by relname
"""

# The tables `staged_…` belong to an import that is under way, or was killed.
_TABLES_WITHOUT_PIPELINE_POLICY = """
select quote_ident(pg_class.relname) as table_name
from pg_class
where pg_class.relnamespace = 'blogger_tracking'::regnamespace
  and pg_class.relkind in ('r', 'p')
  and not starts_with(pg_class.relname, 'staged_')
  and not exists (
      select from pg_policy
      where pg_policy.polrelid = pg_class.oid
        and pg_policy.polpermissive
        and (pg_policy.polcmd = '*' or pg_policy.polcmd = 'r' and pg_class.relname = 'schema_migrations')
        and 'blogger_pipeline' in (select pg_roles.rolname from pg_roles where pg_roles.oid = any(pg_policy.polroles))
        and pg_get_expr(pg_policy.polqual, pg_policy.polrelid) = 'true'
  )
order by pg_class.relname
"""

_POLICIES = "select tablename, policyname from pg_policies where schemaname = 'blogger_tracking'"

_DISABLED_TRIGGERS = """
select distinct quote_ident(pg_class.relname) as table_name
from pg_trigger
join pg_class on pg_class.oid = pg_trigger.tgrelid
where pg_class.relnamespace = 'blogger_tracking'::regnamespace
  and pg_trigger.tgenabled not in ('O', 'A')
order by table_name
"""

_OUTSIDERS_PRIVILEGES = """
select distinct coalesce(pg_roles.rolname, 'public') || ' on ' || granted.name as privilege
from (
    select relname as name, relacl as privileges from pg_class where relnamespace = 'blogger_tracking'::regnamespace
    union all
    select pg_class.relname, pg_attribute.attacl
    from pg_attribute
    join pg_class on pg_class.oid = pg_attribute.attrelid
    where pg_class.relnamespace = 'blogger_tracking'::regnamespace
    union all
    select proname, coalesce(proacl, acldefault('f', proowner))
    from pg_proc where pronamespace = 'blogger_tracking'::regnamespace
) as granted
cross join lateral aclexplode(granted.privileges) as acl
left join pg_roles on pg_roles.oid = acl.grantee
where acl.grantee = 0 or pg_roles.rolname = 'anon'
order by privilege
"""

_MEMBERS_WRITES = """
select distinct pg_class.relname, lower(acl.privilege_type) as privilege
from pg_class
cross join lateral aclexplode(pg_class.relacl) as acl
join pg_roles on pg_roles.oid = acl.grantee
where pg_class.relnamespace = 'blogger_tracking'::regnamespace
  and pg_class.relkind <> 'S'
  and pg_roles.rolname = 'authenticated'
  and acl.privilege_type <> 'SELECT'
order by pg_class.relname, privilege
"""

_MEMBERS_CANNOT_READ = """
select distinct quote_ident(pg_class.relname) as table_name
from pg_class
left join pg_policies on pg_policies.schemaname = 'blogger_tracking' and pg_policies.tablename = pg_class.relname
where pg_class.relnamespace = 'blogger_tracking'::regnamespace
  and (
      pg_class.relname = 'tracked_bloggers_view'
      or pg_policies.cmd = 'SELECT' and 'authenticated' = any(pg_policies.roles)
  )
  and not has_table_privilege('authenticated', pg_class.oid, 'select')
order by table_name
"""

_MEMBERS_USE_THE_SCHEMA = "select has_schema_privilege('authenticated', 'blogger_tracking', 'usage')"

_MEMBERS_POLICY = re.compile(
    r"^(create|drop) policy (?:if exists )?(\w+) on blogger_tracking\.(\w+)([^;]*);", re.MULTILINE
)

_CORRECT_RECORD = "update blogger_tracking.schema_migrations set sha256 = '{sha256}' where version = '{version}';"

_UID = re.compile(r"^create function auth\.uid\(\).*?^\$\$;$", re.MULTILINE | re.DOTALL)


def check_installed(connection: Connection) -> Check:
    """Check that the database has the schema."""
    if fetch_value(connection, _INSTALLED):
        return ok("schema", "The schema blogger_tracking is installed.")
    return fault("schema", "The database has no schema blogger_tracking.", MIGRATE)


def check_auth(connection: Connection) -> Check:
    """Check that `auth.users` and `auth.uid()` exist, which foreign keys and policies refer to."""
    has_users, has_uid = connection.execute(_AUTH).fetchall()[0]
    if not has_users:
        return fault(
            "auth", "There is no table auth.users.", to_do("Restore the schema auth from a backup of the database.")
        )
    if not has_uid:
        stand_in = _UID.findall(read_stand_ins())[0]
        return fault("auth", "There is no function auth.uid(): members see no rows.", sql(_on_one_line(stand_in)))
    return ok("auth", "auth.users and auth.uid() exist.")


def check_versions(connection: Connection) -> Check:
    """Check that database and code have the same migrations, by version and checksum."""
    recorded = recorded_checksums(connection)
    if newer := unknown_versions(recorded):
        return fault(
            "migrations",
            f"The database is newer than this code: it has {', '.join(newer)}.",
            to_do("Deploy a version of the code that has these migrations."),
        )
    if missing := missing_versions(recorded):
        return fault("migrations", f"The database lacks the migrations {', '.join(missing)}.", MIGRATE)
    changed = [each for each in known_migrations() if recorded[each.version] != each.sha256]
    if changed:
        return fault(
            "migrations",
            f"These files differ from those that were applied: {', '.join(map(str, changed))}.",
            to_do("Deploy the code whose files were applied. Only if the schema is the same, correct the record:"),
            *(sql(_CORRECT_RECORD.format(sha256=each.sha256, version=each.version)) for each in changed),
        )
    return ok("migrations", f"All {len(recorded)} migrations are applied, with the checksums of this code.")


def check_schema_usage(connection: Connection) -> Check:
    """Check that the pipeline's role may use the schema."""
    if fetch_value(connection, _SCHEMA_IS_USABLE):
        return ok("schema_usage", "blogger_pipeline may use the schema.")
    return fault(
        "schema_usage",
        "blogger_pipeline may not use the schema.",
        sql("grant usage on schema blogger_tracking to blogger_pipeline;"),
    )


def check_privileges(connection: Connection) -> Check:
    """Check that the pipeline's role has the privileges that the migrations grant."""
    tables, privileges, columns = zip(*pipeline_privileges(), strict=True)
    parameters = {"tables": list(tables), "privileges": list(privileges), "columns": list(columns)}
    missing: list[tuple[str, str]] = connection.execute(_MISSING_PRIVILEGES, parameters).fetchall()
    return _ok_or_fault(
        "privileges",
        missing,
        "blogger_pipeline has the privileges that the migrations grant.",
        f"blogger_pipeline lacks {'; '.join(f'{privileges} on {table}' for table, privileges in missing)}.",
        *(sql(f"grant {privileges} on blogger_tracking.{table} to blogger_pipeline;") for table, privileges in missing),
    )


def check_row_security(connection: Connection) -> Check:
    """Check that row level security is on for every table, and not forced on the owner.

    Functions that run as the owner read tables without policies for the owner.
    """
    wrong = connection.execute(_ROW_SECURITY).fetchall()
    if not wrong:
        return ok("row_level_security", "Row level security is on for every table.")
    remedies = []
    for table, is_on, is_forced in wrong:
        if not is_on:
            remedies.append(sql(f"alter table blogger_tracking.{table} enable row level security;"))
        if is_forced:
            remedies.append(sql(f"alter table blogger_tracking.{table} no force row level security;"))
    tables = ", ".join(table for table, _, _ in wrong)
    return fault("row_level_security", f"Row level security is off, or forced on the owner, for {tables}.", *remedies)


@cache
def pipeline_privileges() -> tuple[tuple[str, str, str | None], ...]:
    """Return the privileges that the migrations grant to the pipeline's role: table or view, privilege, and column."""
    return tuple(
        (table, privilege, column or None)
        for migration in known_migrations()
        for privileges, table in _GRANT.findall(migration.sql)
        for privilege, column in _PRIVILEGE.findall(privileges)
    )


def check_pipeline_policies(connection: Connection) -> Check:
    """Check that every table has the policy by which the pipeline sees all rows."""
    tables = fetch_values(connection, _TABLES_WITHOUT_PIPELINE_POLICY)
    return _ok_or_fault(
        "pipeline_policies",
        tables,
        "A policy lets blogger_pipeline see all rows of every table.",
        f"Row level security hides rows from blogger_pipeline in {', '.join(tables)}.",
        *(sql(_pipeline_policy(table)) for table in tables),
    )


def check_member_policies(connection: Connection) -> Check:
    """Check that every policy of the migrations for members exists."""
    existing = set(connection.execute(_POLICIES).fetchall())
    missing = {place: text for place, text in _member_policies().items() if place not in existing}
    return _ok_or_fault(
        "member_policies",
        missing,
        "The policies by which members see the rows of their organizations exist.",
        f"Members see no rows, because policies are missing: {', '.join(f'{p} on {t}' for t, p in missing)}.",
        *(sql(text) for text in missing.values()),
    )


def check_triggers(connection: Connection) -> Check:
    """Check that no trigger is disabled, foreign keys included."""
    tables = fetch_values(connection, _DISABLED_TRIGGERS)
    return _ok_or_fault(
        "triggers",
        tables,
        "Every trigger and foreign key is enabled.",
        f"Triggers are disabled, so foreign keys or rules are not kept: {', '.join(tables)}.",
        *(sql(f"alter table blogger_tracking.{table} enable trigger all;") for table in tables),
    )


def check_outsiders(connection: Connection) -> Check:
    """Check that `anon` and PUBLIC have no privileges."""
    granted = fetch_values(connection, _OUTSIDERS_PRIVILEGES)
    return _ok_or_fault(
        "outsiders",
        granted,
        "anon and PUBLIC have no privileges in the schema.",
        f"People without an account have privileges: {_shortened(granted)}.",
        sql("revoke all on all tables in schema blogger_tracking from public, anon;"),
        sql("revoke all on all sequences in schema blogger_tracking from public, anon;"),
        sql("revoke execute on all functions in schema blogger_tracking from public, anon;"),
    )


def check_members_writes(connection: Connection) -> Check:
    """Check that users may write only the two columns that the contracts name."""
    granted: list[tuple[str, str]] = connection.execute(_MEMBERS_WRITES).fetchall()
    tables = sorted({table for table, _ in granted})
    privileges = ", ".join(sorted({privilege for _, privilege in granted}))
    return _ok_or_fault(
        "members_write",
        granted,
        "authenticated may write only is_active and daily_videos_count.",
        f"authenticated has more privileges than select ({privileges}) on {_shortened(tables)}.",
        sql(f"revoke {privileges} on all tables in schema blogger_tracking from authenticated;"),
        sql("grant update (is_active, daily_videos_count) on blogger_tracking.tracked_accounts to authenticated;"),
    )


def check_members_reads(connection: Connection) -> Check:
    """Check that users may read the tables that have a policy for members. Only a management UI needs this."""
    tables = fetch_values(connection, _MEMBERS_CANNOT_READ)
    if not fetch_value(connection, _MEMBERS_USE_THE_SCHEMA):
        return warning(
            "members_read",
            "A management UI cannot read: authenticated may not use the schema.",
            sql("grant usage on schema blogger_tracking to authenticated;"),
        )
    if tables:
        return warning(
            "members_read",
            f"A management UI cannot read {', '.join(tables)}.",
            *(sql(f"grant select on blogger_tracking.{table} to authenticated;") for table in tables),
        )
    return ok("members_read", "authenticated may read the rows of the own organizations.")


def check_canary(connection: Connection) -> Check:
    """Check that the login sees the row that proves that row level security hides nothing."""
    if sees_canary(connection):
        return ok("canary", "The login sees all rows.")
    return fault(
        "canary",
        "The login does not see the row of pipeline_canary: it is hidden from the login, or deleted.",
        to_do("Mend the other faults first. If none is left, restore the row:"),
        sql("insert into blogger_tracking.pipeline_canary default values on conflict do nothing;"),
    )


def _ok_or_fault(name: str, wrong: Collection[object], fine: str, finding: str, *remedies: Remedy) -> Check:
    """Return a fault if there is anything wrong, else that all is `fine`."""
    return fault(name, finding, *remedies) if wrong else ok(name, fine)


def _pipeline_policy(table: str) -> str:
    rows = "for select to blogger_pipeline using (true)"
    if table != "schema_migrations":
        rows = "to blogger_pipeline using (true) with check (true)"
    place = f"pipeline on blogger_tracking.{table}"
    return f"drop policy if exists {place}; create policy {place} {rows};"


@cache
def _member_policies() -> dict[tuple[str, str], str]:
    """Return the statements that create the policies for members, by table and policy."""
    policies: dict[tuple[str, str], str] = {}
    for verb, policy, table, rest, text in _policy_statements():
        if verb == "drop":
            policies.pop((table, policy), None)
        elif "to authenticated" in rest:
            policies[table, policy] = text
    return policies


def _policy_statements() -> Iterator[tuple[str, str, str, str, str]]:
    for migration in known_migrations():
        for match in _MEMBERS_POLICY.finditer(migration.sql):
            verb, policy, table, rest = match.groups()
            yield verb, policy, table, rest, _on_one_line(match.group())


def _on_one_line(statement: str) -> str:
    return " ".join(statement.split())


def _shortened(names: list[str], most: int = 5) -> str:
    more = f", and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
