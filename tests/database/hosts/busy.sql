-- An application that has used every name that the project uses, and has habits of its own. Load supabase.sql first.

insert into supabase_migrations.schema_migrations (version, name)
values ('20230302101500', 'first'), ('20270101000000', 'for next year');

create schema private;
create function private.own_organizations() returns setof integer language sql as $$ select 1 $$;
create type public.platform as enum ('desktop', 'phone');

create table public.organizations (id serial primary key, legal_name text);
create table public.subscriptions (id integer primary key, magazine text);
create table public.runs (id integer primary key, kilometres numeric);
create table public.videos (id integer primary key, cassette text);
create table public.campaigns (id integer primary key, slogan text);
create table public.schema_migrations (version integer);
create view public.tracked_bloggers_view as select 'of the host' as nothing;

alter table public.runs enable row level security;
create policy runners on public.runs for select to authenticated using (kilometres > 0);
revoke all on public.videos from anon;
grant select on public.organizations to anon;

-- Default privileges without a schema apply to the guest's schema as well.
alter default privileges grant select on tables to anon;
alter default privileges grant execute on functions to anon;

create function public.note_ddl() returns event_trigger language plpgsql as $$ begin end $$;
create event trigger note_ddl on ddl_command_end execute function public.note_ddl();

insert into public.organizations (legal_name) values ('Bakery'), ('Bicycle repair');
insert into public.runs values (1, 42.195);
