-- Stand-ins for the parts of Supabase that the migrations refer to and plain Postgres lacks.
--
-- These are the roles, auth.users and auth.uid(). Supabase's default privileges are set as well, so that tests of the
-- migrations' revoke statements can fail. Applied once, to a database without a schema named auth.

do $$
declare
    missing text;
begin
    foreach missing in array array['anon', 'authenticated', 'service_role'] loop
        if not exists (select from pg_roles where rolname = missing) then
            execute format('create role %I nologin', missing);
        end if;
    end loop;
end
$$;

create schema auth;

create table auth.users (
    id uuid primary key default gen_random_uuid(),
    email text unique
);

create function auth.uid() returns uuid
language sql stable
as $$
    select (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid
$$;

grant usage on schema auth to anon, authenticated, service_role;
grant usage on schema public to anon, authenticated, service_role;
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on sequences to anon, authenticated, service_role;
alter default privileges in schema public grant all on functions to anon, authenticated, service_role;
