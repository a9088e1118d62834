-- An earlier tracker with names and types of its own, without data; the views over its tables are fitted to it.

create schema tracker;
create type tracker.network as enum ('tiktok', 'INSTAGRAM', 'YouTube', 'you tube', 'myspace');

create table tracker.customers (id uuid, title varchar(80), per_day smallint, at_first numeric);
create table tracker.staff (customer uuid, person uuid, rights text);
create table tracker.contracts (
    customer uuid, name text, videos numeric, creators bigint, begins timestamp, ends timestamptz, used numeric
);
create table tracker.creators (
    id uuid, network tracker.network, handle text, network_id text, sec_uid text, display text, followers text,
    avatar text, added timestamp
);
create table tracker.follows (
    id uuid, customer uuid, person uuid, creator uuid, active boolean, per_day integer, fetched timestamptz,
    waiting boolean, done boolean
);
create table tracker.labels (customer uuid, creator uuid, label varchar(200));
create table tracker.campaigns (customer uuid, title text, creator uuid);
create table tracker.clips (
    id bigint, network tracker.network, network_id text, creator uuid, customer uuid, address text, title text,
    image text, published text
);
create table tracker.counts (clip bigint, at timestamp, views numeric, likes bigint, comments integer, shares bigint);

create view blogger_tracking.legacy_organizations as
select id, title as name, per_day as daily_videos_count, at_first as initial_videos_count from tracker.customers;
create view blogger_tracking.legacy_members as
select customer as organization_id, person as user_id, rights as role from tracker.staff;
create view blogger_tracking.legacy_subscriptions as
select
    customer as organization_id, name as plan, videos as video_limit, creators as blogger_limit,
    begins as period_start, ends as period_end, used as videos_used
from tracker.contracts;
create view blogger_tracking.legacy_bloggers as
select
    id, network as platform, handle as username, network_id as external_id, sec_uid as sec_id,
    display as channel_name, followers as subscribers, avatar as thumbnail_url, added as created_at
from tracker.creators;
create view blogger_tracking.legacy_tracked_accounts as
select
    id, customer as organization_id, person as user_id, creator as blogger_id, active as is_active,
    per_day as daily_videos_count, fetched as last_scraped_at, waiting as pending_initial_fetch,
    done as initial_videos_fetched
from tracker.follows;
create view blogger_tracking.legacy_tags as
select customer as organization_id, creator as blogger_id, label as tag from tracker.labels;
create view blogger_tracking.legacy_campaigns as
select customer as organization_id, title as name, creator as blogger_id from tracker.campaigns;
create view blogger_tracking.legacy_videos as
select
    id, network as platform, network_id as external_video_id, creator as blogger_id, customer as organization_id,
    address as url, title, image as thumbnail_url, published as published_at
from tracker.clips;
create view blogger_tracking.legacy_statistics as
select clip as video_id, at as captured_at, views, likes, comments, shares as reposts from tracker.counts;
