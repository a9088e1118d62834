-- Access: the pipeline has all rows, members have the rows of their organizations, everyone else has none.

do $$
begin
    if not exists (select from pg_roles where rolname = 'blogger_pipeline') then
        create role blogger_pipeline nologin;
    end if;
end
$$;

comment on role blogger_pipeline is 'Role of the login that the pipeline connects with.';

create table pipeline_canary (
    singleton boolean primary key default true check (singleton)
);

comment on table pipeline_canary is
    'One row. The pipeline rejects a login that cannot see the row: row level security hides all rows from that login.';

insert into pipeline_canary default values;

-- By default Supabase grants all privileges on new tables to anon and authenticated.
revoke all on all tables in schema public from anon, authenticated;
revoke all on all sequences in schema public from anon, authenticated;
alter default privileges in schema public revoke all on tables from anon, authenticated;
alter default privileges in schema public revoke all on sequences from anon, authenticated;
alter default privileges in schema public revoke execute on functions from public, anon, authenticated;
alter default privileges in schema private revoke execute on functions from public;
revoke execute on all functions in schema private from public;

grant usage on schema public to blogger_pipeline;
grant usage on schema private to authenticated;

alter table organizations enable row level security;
alter table organization_members enable row level security;
alter table subscriptions enable row level security;
alter table subscription_changes enable row level security;
alter table subscription_usage enable row level security;
alter table blogger_information enable row level security;
alter table tracked_accounts enable row level security;
alter table campaigns enable row level security;
alter table blogger_campaign enable row level security;
alter table blogger_tags enable row level security;
alter table runs enable row level security;
alter table run_accounts enable row level security;
alter table fetches enable row level security;
alter table fetch_allocations enable row level security;
alter table fetch_attempts enable row level security;
alter table platform_suspensions enable row level security;
alter table videos enable row level security;
alter table organization_videos enable row level security;
alter table video_statistics enable row level security;
alter table high_priority_queue enable row level security;
alter table thumbnail_queue enable row level security;
alter table pipeline_canary enable row level security;

grant select, insert, update, delete on organizations to blogger_pipeline;
grant select, insert, update, delete on organization_members to blogger_pipeline;
grant select, insert, update, delete on subscriptions to blogger_pipeline;
grant select, insert, update, delete on subscription_changes to blogger_pipeline;
grant select, insert, update, delete on subscription_usage to blogger_pipeline;
grant select, insert, update, delete on blogger_information to blogger_pipeline;
grant select, insert, update, delete on tracked_accounts to blogger_pipeline;
grant select, insert, update, delete on campaigns to blogger_pipeline;
grant select, insert, update, delete on blogger_campaign to blogger_pipeline;
grant select, insert, update, delete on blogger_tags to blogger_pipeline;
grant select, insert, update, delete on runs to blogger_pipeline;
grant select, insert, update, delete on run_accounts to blogger_pipeline;
grant select, insert, update, delete on fetches to blogger_pipeline;
grant select, insert, update, delete on fetch_allocations to blogger_pipeline;
grant select, insert, update, delete on fetch_attempts to blogger_pipeline;
grant select, insert, update, delete on platform_suspensions to blogger_pipeline;
grant select, insert, update, delete on videos to blogger_pipeline;
grant select, insert, update, delete on organization_videos to blogger_pipeline;
grant select, insert, update, delete on video_statistics to blogger_pipeline;
grant select, insert, update, delete on high_priority_queue to blogger_pipeline;
grant select, insert, update, delete on thumbnail_queue to blogger_pipeline;
grant select, insert, update, delete on pipeline_canary to blogger_pipeline;
grant select on tracked_bloggers_view, blogger_video_queue to blogger_pipeline;

create policy pipeline on organizations to blogger_pipeline using (true) with check (true);
create policy pipeline on organization_members to blogger_pipeline using (true) with check (true);
create policy pipeline on subscriptions to blogger_pipeline using (true) with check (true);
create policy pipeline on subscription_changes to blogger_pipeline using (true) with check (true);
create policy pipeline on subscription_usage to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_information to blogger_pipeline using (true) with check (true);
create policy pipeline on tracked_accounts to blogger_pipeline using (true) with check (true);
create policy pipeline on campaigns to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_campaign to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_tags to blogger_pipeline using (true) with check (true);
create policy pipeline on runs to blogger_pipeline using (true) with check (true);
create policy pipeline on run_accounts to blogger_pipeline using (true) with check (true);
create policy pipeline on fetches to blogger_pipeline using (true) with check (true);
create policy pipeline on fetch_allocations to blogger_pipeline using (true) with check (true);
create policy pipeline on fetch_attempts to blogger_pipeline using (true) with check (true);
create policy pipeline on platform_suspensions to blogger_pipeline using (true) with check (true);
create policy pipeline on videos to blogger_pipeline using (true) with check (true);
create policy pipeline on organization_videos to blogger_pipeline using (true) with check (true);
create policy pipeline on video_statistics to blogger_pipeline using (true) with check (true);
create policy pipeline on high_priority_queue to blogger_pipeline using (true) with check (true);
create policy pipeline on thumbnail_queue to blogger_pipeline using (true) with check (true);
create policy pipeline on pipeline_canary to blogger_pipeline using (true) with check (true);

-- Policies call these functions instead of selecting from tables with policies: that would recurse.

create function private.own_organizations() returns setof uuid
language sql stable security definer set search_path = ''
as $$
    select organization_id from public.organization_members where user_id = (select auth.uid())
$$;

create function private.managed_organizations() returns setof uuid
language sql stable security definer set search_path = ''
as $$
    select organization_id
    from public.organization_members
    where user_id = (select auth.uid()) and role in ('owner', 'admin')
$$;

comment on function private.own_organizations() is 'Ids of the organizations that the caller is a member of.';
comment on function private.managed_organizations() is
    'Ids of the organizations whose tracked accounts the caller may change, as owner or admin.';

revoke execute on function private.own_organizations() from public;
revoke execute on function private.managed_organizations() from public;
grant execute on function private.own_organizations() to authenticated;
grant execute on function private.managed_organizations() to authenticated;

grant select on
    organizations, organization_members, subscriptions, subscription_usage, blogger_information, tracked_accounts,
    campaigns, blogger_campaign, blogger_tags, fetches, fetch_allocations, videos, organization_videos,
    video_statistics, tracked_bloggers_view
to authenticated;
grant update (is_active, daily_videos_count) on tracked_accounts to authenticated;

create policy members_read on organizations for select to authenticated
using (id in (select private.own_organizations()));

create policy members_read on organization_members for select to authenticated
using (organization_id in (select private.own_organizations()));

create policy members_read on subscriptions for select to authenticated
using (organization_id in (select private.own_organizations()));

create policy members_read on subscription_usage for select to authenticated
using (organization_id in (select private.own_organizations()));

create policy members_read on tracked_accounts for select to authenticated
using (organization_id in (select private.own_organizations()));

create policy members_read on campaigns for select to authenticated
using (organization_id in (select private.own_organizations()));

create policy members_read on blogger_tags for select to authenticated
using (organization_id in (select private.own_organizations()));

create policy members_read on fetch_allocations for select to authenticated
using (organization_id in (select private.own_organizations()));

create policy members_read on organization_videos for select to authenticated
using (organization_id in (select private.own_organizations()));

create policy members_read on blogger_information for select to authenticated
using (exists (
    select from tracked_accounts
    where tracked_accounts.blogger_id = blogger_information.id
      and tracked_accounts.organization_id in (select private.own_organizations())
));

create policy members_read on blogger_campaign for select to authenticated
using (exists (
    select from campaigns
    where campaigns.id = blogger_campaign.campaign_id
      and campaigns.organization_id in (select private.own_organizations())
));

create policy members_read on fetches for select to authenticated
using (exists (
    select from fetch_allocations
    where fetch_allocations.fetch_id = fetches.id
      and fetch_allocations.organization_id in (select private.own_organizations())
));

create policy members_read on videos for select to authenticated
using (exists (
    select from organization_videos
    where organization_videos.video_id = videos.id
      and organization_videos.organization_id in (select private.own_organizations())
));

create policy members_read on video_statistics for select to authenticated
using (exists (
    select from organization_videos
    where organization_videos.video_id = video_statistics.video_id
      and organization_videos.organization_id in (select private.own_organizations())
));

create policy managers_update on tracked_accounts for update to authenticated
using (organization_id in (select private.managed_organizations()))
with check (organization_id in (select private.managed_organizations()));

grant usage on schema supabase_migrations to blogger_pipeline;
grant select on supabase_migrations.schema_migrations to blogger_pipeline;
