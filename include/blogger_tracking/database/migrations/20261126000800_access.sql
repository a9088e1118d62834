-- Access: the pipeline has all rows, members have the rows of their organizations, everyone else has none.

create table blogger_tracking.pipeline_canary (
    singleton boolean primary key default true check (singleton)
);

comment on table blogger_tracking.pipeline_canary is
    'One row. The pipeline rejects a login that cannot see the row: row level security hides all rows from that login.';

insert into blogger_tracking.pipeline_canary default values;

-- Policies call these functions instead of selecting from tables with policies: that would recurse.

create function blogger_tracking.own_organizations() returns setof uuid
language sql stable security definer set search_path = ''
as $$
    select organization_id from blogger_tracking.organization_members where user_id = (select auth.uid())
$$;

create function blogger_tracking.managed_organizations() returns setof uuid
language sql stable security definer set search_path = ''
as $$
    select organization_id
    from blogger_tracking.organization_members
    where user_id = (select auth.uid()) and role in ('owner', 'admin')
$$;

comment on function blogger_tracking.own_organizations() is 'Ids of the organizations that the caller is a member of.';
comment on function blogger_tracking.managed_organizations() is
    'Ids of the organizations whose tracked accounts the caller may change, as owner or admin.';

-- A host's default privileges may grant new tables and functions to other roles.
revoke all on all tables in schema blogger_tracking from public, anon, authenticated;
revoke all on all sequences in schema blogger_tracking from public, anon, authenticated;
revoke execute on all functions in schema blogger_tracking from public, anon, authenticated;

grant usage on schema blogger_tracking to authenticated;

alter table blogger_tracking.organizations enable row level security;
alter table blogger_tracking.organization_members enable row level security;
alter table blogger_tracking.subscriptions enable row level security;
alter table blogger_tracking.subscription_changes enable row level security;
alter table blogger_tracking.subscription_usage enable row level security;
alter table blogger_tracking.blogger_information enable row level security;
alter table blogger_tracking.tracked_accounts enable row level security;
alter table blogger_tracking.campaigns enable row level security;
alter table blogger_tracking.blogger_campaign enable row level security;
alter table blogger_tracking.blogger_tags enable row level security;
alter table blogger_tracking.runs enable row level security;
alter table blogger_tracking.run_accounts enable row level security;
alter table blogger_tracking.fetches enable row level security;
alter table blogger_tracking.fetch_allocations enable row level security;
alter table blogger_tracking.fetch_attempts enable row level security;
alter table blogger_tracking.platform_suspensions enable row level security;
alter table blogger_tracking.alerts enable row level security;
alter table blogger_tracking.videos enable row level security;
alter table blogger_tracking.organization_videos enable row level security;
alter table blogger_tracking.video_statistics enable row level security;
alter table blogger_tracking.high_priority_queue enable row level security;
alter table blogger_tracking.thumbnail_queue enable row level security;
alter table blogger_tracking.youtube_units enable row level security;
alter table blogger_tracking.idempotency_keys enable row level security;
alter table blogger_tracking.imported_rows enable row level security;
alter table blogger_tracking.rate_limits enable row level security;
alter table blogger_tracking.retention_marks enable row level security;
alter table blogger_tracking.request_budgets enable row level security;
alter table blogger_tracking.look_ups enable row level security;
alter table blogger_tracking.pipeline_canary enable row level security;

-- What the statements of the pipeline need, and no more: tests/database/test_pipeline_privileges.py compares both.
grant select on blogger_tracking.organizations to blogger_pipeline;
-- Locking a row needs the privilege to update a column of it. No statement updates these single columns.
grant update (created_at) on blogger_tracking.organizations to blogger_pipeline;
grant select on blogger_tracking.organization_members to blogger_pipeline;
grant select on blogger_tracking.subscriptions to blogger_pipeline;
grant select on blogger_tracking.subscription_changes to blogger_pipeline;
grant select, insert, update on blogger_tracking.subscription_usage to blogger_pipeline;
grant select, insert, update on blogger_tracking.blogger_information to blogger_pipeline;
grant select, insert, update on blogger_tracking.tracked_accounts to blogger_pipeline;
grant select on blogger_tracking.campaigns to blogger_pipeline;
grant select, insert on blogger_tracking.blogger_campaign to blogger_pipeline;
grant select, insert on blogger_tracking.blogger_tags to blogger_pipeline;
grant select, insert, update, delete on blogger_tracking.runs to blogger_pipeline;
grant select, insert, delete on blogger_tracking.run_accounts to blogger_pipeline;
grant update (reason) on blogger_tracking.run_accounts to blogger_pipeline;
grant select, insert, update, delete on blogger_tracking.fetches to blogger_pipeline;
grant select, insert, update, delete on blogger_tracking.fetch_allocations to blogger_pipeline;
grant select, insert, update, delete on blogger_tracking.fetch_attempts to blogger_pipeline;
grant select, insert, update on blogger_tracking.platform_suspensions to blogger_pipeline;
grant select, insert, update on blogger_tracking.alerts to blogger_pipeline;
grant select, insert, update on blogger_tracking.videos to blogger_pipeline;
grant select, insert on blogger_tracking.organization_videos to blogger_pipeline;
grant select, insert, update, delete on blogger_tracking.video_statistics to blogger_pipeline;
grant select, insert, update, delete on blogger_tracking.high_priority_queue to blogger_pipeline;
grant select, insert, update, delete on blogger_tracking.thumbnail_queue to blogger_pipeline;
grant select, insert, delete on blogger_tracking.youtube_units to blogger_pipeline;
grant update (units) on blogger_tracking.youtube_units to blogger_pipeline;
grant select, insert, update, delete on blogger_tracking.idempotency_keys to blogger_pipeline;
grant select, insert, update on blogger_tracking.rate_limits to blogger_pipeline;
grant select, insert, update on blogger_tracking.retention_marks to blogger_pipeline;
grant select, insert, update on blogger_tracking.request_budgets to blogger_pipeline;
grant select, insert, update, delete on blogger_tracking.look_ups to blogger_pipeline;
grant select on blogger_tracking.pipeline_canary to blogger_pipeline;
grant select on blogger_tracking.tracked_bloggers_view to blogger_pipeline;
grant execute on function blogger_tracking.require_unchanged(boolean) to blogger_pipeline;

create policy pipeline on blogger_tracking.organizations to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_tracking.organization_members to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_tracking.subscriptions to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_tracking.subscription_changes to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_tracking.subscription_usage to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_tracking.blogger_information to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_tracking.tracked_accounts to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_tracking.campaigns to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_tracking.blogger_campaign to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_tracking.blogger_tags to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_tracking.runs to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_tracking.run_accounts to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_tracking.fetches to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_tracking.fetch_allocations to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_tracking.fetch_attempts to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_tracking.platform_suspensions to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_tracking.alerts to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_tracking.videos to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_tracking.organization_videos to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_tracking.video_statistics to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_tracking.high_priority_queue to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_tracking.thumbnail_queue to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_tracking.youtube_units to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_tracking.idempotency_keys to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_tracking.imported_rows to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_tracking.rate_limits to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_tracking.retention_marks to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_tracking.request_budgets to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_tracking.look_ups to blogger_pipeline using (true) with check (true);
create policy pipeline on blogger_tracking.pipeline_canary to blogger_pipeline using (true) with check (true);

grant execute on function blogger_tracking.own_organizations() to authenticated;
grant execute on function blogger_tracking.managed_organizations() to authenticated;

grant select on
    blogger_tracking.organizations,
    blogger_tracking.organization_members,
    blogger_tracking.subscriptions,
    blogger_tracking.subscription_usage,
    blogger_tracking.blogger_information,
    blogger_tracking.tracked_accounts,
    blogger_tracking.campaigns,
    blogger_tracking.blogger_campaign,
    blogger_tracking.blogger_tags,
    blogger_tracking.fetches,
    blogger_tracking.fetch_allocations,
    blogger_tracking.videos,
    blogger_tracking.organization_videos,
    blogger_tracking.video_statistics,
    blogger_tracking.tracked_bloggers_view
to authenticated;
grant update (is_active, daily_videos_count) on blogger_tracking.tracked_accounts to authenticated;

create policy members_read on blogger_tracking.organizations for select to authenticated
using (id = any (array(select blogger_tracking.own_organizations())));

create policy members_read on blogger_tracking.organization_members for select to authenticated
using (organization_id = any (array(select blogger_tracking.own_organizations())));

create policy members_read on blogger_tracking.subscriptions for select to authenticated
using (organization_id = any (array(select blogger_tracking.own_organizations())));

create policy members_read on blogger_tracking.subscription_usage for select to authenticated
using (organization_id = any (array(select blogger_tracking.own_organizations())));

create policy members_read on blogger_tracking.tracked_accounts for select to authenticated
using (organization_id = any (array(select blogger_tracking.own_organizations())));

create policy members_read on blogger_tracking.campaigns for select to authenticated
using (organization_id = any (array(select blogger_tracking.own_organizations())));

create policy members_read on blogger_tracking.blogger_tags for select to authenticated
using (organization_id = any (array(select blogger_tracking.own_organizations())));

create policy members_read on blogger_tracking.fetch_allocations for select to authenticated
using (organization_id = any (array(select blogger_tracking.own_organizations())));

create policy members_read on blogger_tracking.organization_videos for select to authenticated
using (organization_id = any (array(select blogger_tracking.own_organizations())));

create policy members_read on blogger_tracking.blogger_information for select to authenticated
using (exists (
    select from blogger_tracking.tracked_accounts
    where tracked_accounts.blogger_id = blogger_information.id
      and tracked_accounts.organization_id = any (array(select blogger_tracking.own_organizations()))
));

create policy members_read on blogger_tracking.blogger_campaign for select to authenticated
using (exists (
    select from blogger_tracking.campaigns
    where campaigns.id = blogger_campaign.campaign_id
      and campaigns.organization_id = any (array(select blogger_tracking.own_organizations()))
));

create policy members_read on blogger_tracking.fetches for select to authenticated
using (exists (
    select from blogger_tracking.fetch_allocations
    where fetch_allocations.fetch_id = fetches.id
      and fetch_allocations.organization_id = any (array(select blogger_tracking.own_organizations()))
));

create policy members_read on blogger_tracking.videos for select to authenticated
using (exists (
    select from blogger_tracking.organization_videos
    where organization_videos.video_id = videos.id
      and organization_videos.organization_id = any (array(select blogger_tracking.own_organizations()))
));

create policy managers_update on blogger_tracking.tracked_accounts for update to authenticated
using (organization_id = any (array(select blogger_tracking.managed_organizations())))
with check (organization_id = any (array(select blogger_tracking.managed_organizations())));
