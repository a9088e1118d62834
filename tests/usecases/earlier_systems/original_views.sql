-- The views over the tables of original.sql, fitted by docs/moving-in.md.

create view blogger_tracking.legacy_organizations as
select org_id as id, display_name as name, (settings ->> 'daily_videos_count')::integer as daily_videos_count,
    (settings ->> 'initial_videos_count')::integer as initial_videos_count
from public.orgs;
create view blogger_tracking.legacy_members as
select org_id as organization_id, user_id, case kind when 'editor' then 'member' when 'guest' then 'viewer' else kind end as role from public.org_users;
create view blogger_tracking.legacy_subscriptions as
select org_id as organization_id, plan_code as plan, monthly_videos as video_limit, max_bloggers as blogger_limit, renewed_at as period_start,
  renewed_at + interval '1 month' as period_end, videos_fetched_this_period as videos_used
from public.org_plans left join public.plans on code = plan_code;
create view blogger_tracking.legacy_bloggers as
select id, platform, username, external_id, sec_id, channel_name, subscribers, thumbnail as thumbnail_url, created_at from public.blogger_information;
create view blogger_tracking.legacy_tracked_accounts as
select id, organization_id, user_id, blogger_id, is_active, daily_videos_count, last_scraped_at, pending_initial_fetch, initial_videos_fetched from public.tracked_accounts;
create view blogger_tracking.legacy_tags as
select org_id as organization_id, blogger_id, tag from public.blogger_tags cross join unnest(tags) as tag;
create view blogger_tracking.legacy_campaigns as
select org_id as organization_id, campaign_name as name, blogger_id from public.blogger_campaign;
create view blogger_tracking.legacy_videos as
select id::text as id, platform, external_video_id, blogger_id, organization_id, video_url as url, title, thumbnail_url, published_at from public.videos;
create view blogger_tracking.legacy_statistics as
select video_id::text as video_id, created_at as captured_at, views, likes, comments, reposts from public.video_statistics;
