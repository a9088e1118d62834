-- The schema of the project, the record of its migrations, and the role of the pipeline. Executed before migrations.

do $$
begin
    if not exists (select from pg_roles where rolname = 'blogger_pipeline') then
        create role blogger_pipeline nologin;
        comment on role blogger_pipeline is 'Role of the login that the blogger tracking pipeline connects with.';
    end if;
end
$$;

create schema if not exists blogger_tracking;

comment on schema blogger_tracking is
    'Everything of the blogger tracking pipeline. Removed as a whole by its command `uninstall`.';

grant usage on schema blogger_tracking to blogger_pipeline;

create table if not exists blogger_tracking.schema_migrations (
    version text primary key,
    name text not null,
    sha256 text not null,
    applied_at timestamptz not null default now()
);

comment on table blogger_tracking.schema_migrations is 'Applied migrations, one row per file.';
comment on column blogger_tracking.schema_migrations.sha256 is 'Checksum of the file as it was applied.';

alter table blogger_tracking.schema_migrations enable row level security;
revoke all on blogger_tracking.schema_migrations from public;
grant select on blogger_tracking.schema_migrations to blogger_pipeline;

do $$
begin
    if not exists (
        select from pg_policies
        where schemaname = 'blogger_tracking' and tablename = 'schema_migrations' and policyname = 'pipeline'
    ) then
        create policy pipeline on blogger_tracking.schema_migrations for select to blogger_pipeline using (true);
    end if;
end
$$;
