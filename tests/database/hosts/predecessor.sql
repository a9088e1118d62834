-- The database of an older tracker with tables of the same names. Load supabase.sql first.

insert into supabase_migrations.schema_migrations (version, name) values ('20240915000000', 'tracker');

create table public.teams (team_id uuid primary key default gen_random_uuid(), title text not null);
create table public.blogger_information (
    id uuid primary key default gen_random_uuid(), platform text, username text, external_id text
);
create table public.tracked_accounts (
    id uuid primary key default gen_random_uuid(),
    organization_id uuid references public.teams,
    blogger_id uuid references public.blogger_information,
    is_active boolean default true
);
create table public.videos (id uuid primary key default gen_random_uuid(), external_video_id text, blogger_id uuid);
create table public.video_statistics (video_id uuid references public.videos, views bigint, created_at timestamptz);
create view public.tracked_bloggers_view as select * from public.tracked_accounts;
grant all on all tables in schema public to anon, authenticated, service_role;

insert into public.teams (title) values ('Agency');
insert into public.blogger_information (platform, username, external_id) values ('YouTube', 'mira', 'UCmira');
insert into public.tracked_accounts (organization_id, blogger_id)
select team_id, id from public.teams cross join public.blogger_information;
