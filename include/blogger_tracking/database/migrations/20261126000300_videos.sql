-- Videos, their links to organizations, and their statistics over time.

create table blogger_tracking.videos (
    id bigint generated always as identity primary key,
    platform text not null check (platform in ('TikTok', 'Instagram', 'YouTube')),
    external_video_id text not null check (external_video_id <> ''),
    blogger_id uuid not null references blogger_tracking.blogger_information (id),
    url text not null,
    title text not null,
    thumbnail_url text,
    thumbnail_path text,
    published_at timestamptz,
    first_seen_at timestamptz not null default now(),
    duration_seconds integer check (duration_seconds > 0),
    unseen_lookups integer not null default 0 check (unseen_lookups >= 0),
    unseen_at timestamptz,
    removed_at timestamptz,
    unique (platform, external_video_id),
    check ((unseen_lookups = 0) = (unseen_at is null)),
    check (removed_at is null or unseen_at is not null)
);

comment on table blogger_tracking.videos is 'Videos, one row per platform and external id.';
comment on column blogger_tracking.videos.blogger_id is
    'Set on insert and never changed: a joint post stays with the blogger in whose list it was first found.';
comment on column blogger_tracking.videos.thumbnail_url is 'Address on the platform''s servers.';
comment on column blogger_tracking.videos.thumbnail_path is
    'Path of the stored thumbnail in object storage. Null: not stored yet.';
comment on column blogger_tracking.videos.duration_seconds is 'Length of the video. Null: unknown.';
comment on column blogger_tracking.videos.unseen_lookups is
    'Number of consecutive responses of YouTube that lacked the requested video.';
comment on column blogger_tracking.videos.unseen_at is
    'Time of the last response that lacked the video. Null once YouTube returns the video again.';
comment on column blogger_tracking.videos.removed_at is
    'Time since which the video counts as removed, after too many responses without it. Null: not removed.';

create index videos_by_blogger on blogger_tracking.videos (blogger_id, published_at desc nulls last);

create table blogger_tracking.organization_videos (
    organization_id uuid not null references blogger_tracking.organizations (id) on delete cascade,
    video_id bigint not null references blogger_tracking.videos (id) on delete cascade,
    fetch_id bigint,
    status text not null default 'tracking' check (status in ('tracking')),
    linked_at timestamptz not null default now(),
    primary key (organization_id, video_id)
);

comment on table blogger_tracking.organization_videos is 'Videos that an organization has paid for.';
comment on column blogger_tracking.organization_videos.fetch_id is
    'First fetch that linked the video to the organization; retention may have removed the fetch. Null: the link was imported, and paid for before adoption.';

create index organization_videos_by_video on blogger_tracking.organization_videos (video_id);
create index organization_videos_by_fetch on blogger_tracking.organization_videos (fetch_id, organization_id);

create table blogger_tracking.video_statistics (
    video_id bigint not null references blogger_tracking.videos (id) on delete cascade,
    fetch_id bigint not null,
    fetched_on date not null,
    captured_at timestamptz not null,
    views bigint check (views >= 0),
    likes bigint check (likes >= 0),
    comments bigint check (comments >= 0),
    reposts bigint check (reposts >= 0),
    -- In this order, so that the newest row of a video is found without reading all of its rows.
    primary key (video_id, fetched_on, fetch_id)
) partition by range (fetched_on);

comment on table blogger_tracking.video_statistics is
    'Statistics, one row per video and fetch. A null number: the platform hides or lacks the number. Partitioned by month.';
comment on column blogger_tracking.video_statistics.fetch_id is
    'Fetch that the numbers belong to. An import gives fetches of the past larger ids than earlier fetches here have. Retention may have removed the fetch.';
comment on column blogger_tracking.video_statistics.fetched_on is
    'fetches.fetched_on of the fetch, by whose month the table is partitioned.';
comment on column blogger_tracking.video_statistics.captured_at is
    'Time of the platform''s response that the numbers come from.';
