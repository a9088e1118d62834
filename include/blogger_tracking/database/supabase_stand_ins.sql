-- Stand-ins for the parts of Supabase that the migrations refer to and plain Postgres lacks: the roles `anon` and
-- `authenticated`, `auth.users` and `auth.uid()`. Executed once, in a database without a schema named auth.
-- The comments mark what the command `uninstall` removes again.

do $$
declare
    missing text;
begin
    foreach missing in array array['anon', 'authenticated'] loop
        if not exists (select from pg_roles where rolname = missing) then
            execute format('create role %I nologin', missing);
            execute format('comment on role %I is %L', missing, 'Stand-in of blogger_tracking.');
        end if;
    end loop;
end
$$;

create schema auth;

comment on schema auth is 'Stand-in of blogger_tracking.';

create table auth.users (
    id uuid primary key default gen_random_uuid(),
    email text unique
);

create function auth.uid() returns uuid
language sql stable
as $$
    select (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid
$$;

grant usage on schema auth to anon, authenticated;
