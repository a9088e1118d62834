-- Views over the tables of an earlier system, from which the commands `import-check` and `import` read.
--
-- Fit each view to your tables: replace the names below `from`, and the expressions before `as`. Keep the names of the
-- views and of their columns. A view without rows is allowed, as `select ... where false`. Then execute the file as the
-- owner of the schema. Nothing outside of the schema blogger_tracking changes. docs/moving-in.md is the guide.
--
-- Types: a uuid column has to be a uuid, a boolean a boolean. A text column may have any type. A number may be a
-- smallint, an integer, a bigint or numeric. A time may be a timestamp with time zone, or without one: then in UTC.
-- Cast everything else here, for example `id::uuid`, or `(tags.added = 'yes') as is_active`.
--
-- Not null, if the comment does not say otherwise. A row that lacks a value that is needed is left out and reported;
-- the import does not fail.

-- The customers.
create or replace view blogger_tracking.legacy_organizations as
select
    organizations.id, -- uuid, kept
    organizations.name, -- text
    organizations.daily_videos_count, -- 1 to 500 videos of a batch run per account; null: 10
    organizations.initial_videos_count -- 1 to 500 videos of an initial fetch; null: 30
from public.organizations;

-- The people of each organization. A person who is not in auth.users is left out.
create or replace view blogger_tracking.legacy_members as
select
    members.organization_id, -- uuid
    members.user_id, -- uuid of auth.users
    members.role -- owner, admin, member or viewer, in any case. Every other role becomes viewer: translate it here
from public.members;

-- What each organization may fetch in which period, and what it has used of that.
create or replace view blogger_tracking.legacy_subscriptions as
select
    subscriptions.organization_id, -- uuid
    subscriptions.plan, -- text, null: 'imported'
    subscriptions.video_limit, -- videos that may be fetched in the period; null: no subscription, left out
    subscriptions.blogger_limit, -- active tracked accounts that the organization may have; null: left out
    subscriptions.period_start, -- time, inclusive
    subscriptions.period_end, -- time, exclusive; null: a month after period_start
    subscriptions.videos_used -- videos fetched in this period so far; null: 0
from public.subscriptions;

-- The accounts of creators. Two rows of one account, for example under two spellings of a platform, become one.
create or replace view blogger_tracking.legacy_bloggers as
select
    bloggers.id, -- uuid, kept
    bloggers.platform, -- TikTok, Instagram or YouTube, in any case, with or without blanks
    bloggers.username, -- text, with or without @; null: the external id
    bloggers.external_id, -- the platform's permanent id, as text; a row with null is left out
    bloggers.sec_id, -- TikTok's secUid; null: looked up by the first fetch
    bloggers.channel_name, -- text or null
    bloggers.subscribers, -- a whole number, as text; null, '' and everything else: unknown
    bloggers.thumbnail_url, -- text or null
    bloggers.created_at -- time or null
from public.bloggers;

-- Which organization follows which blogger.
create or replace view blogger_tracking.legacy_tracked_accounts as
select
    accounts.id, -- uuid, kept
    accounts.organization_id, -- uuid
    accounts.user_id, -- uuid of auth.users; null, or not in auth.users: taken without a user
    accounts.blogger_id, -- uuid, legacy_bloggers.id
    accounts.is_active, -- boolean; null: true
    accounts.daily_videos_count, -- 1 to 500; null: the count of the organization
    accounts.last_scraped_at, -- time or null
    accounts.pending_initial_fetch, -- boolean: the first videos are still to be fetched; null: false
    accounts.initial_videos_fetched -- boolean: the first videos were fetched; null: false. Also true if videos exist
from public.tracked_accounts as accounts;

-- Tags, one row each.
create or replace view blogger_tracking.legacy_tags as
select
    tags.organization_id, -- uuid
    tags.blogger_id, -- uuid, legacy_bloggers.id
    tags.tag -- text of 1 to 100 characters. An array becomes rows by `cross join unnest(tags) as tag`
from public.blogger_tags as tags;

-- Campaigns and their bloggers, one row for each pair.
create or replace view blogger_tracking.legacy_campaigns as
select
    campaigns.organization_id, -- uuid
    campaigns.name, -- text
    campaigns.blogger_id -- uuid, legacy_bloggers.id; null: a campaign without bloggers
from public.campaigns;

-- Videos. One row for each video, or one copy for each organization: the copies become one video.
create or replace view blogger_tracking.legacy_videos as
select
    videos.id, -- text, referred to by legacy_statistics.video_id
    videos.platform, -- as in legacy_bloggers
    videos.external_video_id, -- the platform's id of the video, as text; a row with null is left out
    videos.blogger_id, -- uuid, legacy_bloggers.id
    videos.organization_id, -- uuid; null: every organization that tracks the blogger
    videos.url, -- text; null: empty until a fetch finds the video
    videos.title, -- text; null: empty
    videos.thumbnail_url, -- text or null. Give null if the addresses have expired: each address is downloaded once
    videos.published_at -- ISO 8601 as text (without a zone: UTC), or a time; null and everything else: unknown
from public.videos;

-- Statistics, any number of rows for each video.
create or replace view blogger_tracking.legacy_statistics as
select
    statistics.video_id, -- text, legacy_videos.id
    statistics.captured_at, -- time, kept
    statistics.views, -- null: unknown, also for numbers below 0
    statistics.likes, -- the same
    statistics.comments, -- the same
    statistics.reposts -- the same
from public.video_statistics as statistics;

revoke all on
    blogger_tracking.legacy_organizations,
    blogger_tracking.legacy_members,
    blogger_tracking.legacy_subscriptions,
    blogger_tracking.legacy_bloggers,
    blogger_tracking.legacy_tracked_accounts,
    blogger_tracking.legacy_tags,
    blogger_tracking.legacy_campaigns,
    blogger_tracking.legacy_videos,
    blogger_tracking.legacy_statistics
from public, anon, authenticated;

-- The comparison of both systems reads these views with the pipeline's login.
grant select on
    blogger_tracking.legacy_bloggers,
    blogger_tracking.legacy_tracked_accounts,
    blogger_tracking.legacy_videos,
    blogger_tracking.legacy_statistics
to blogger_pipeline;
