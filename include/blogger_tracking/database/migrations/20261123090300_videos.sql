-- What was found: videos, which organization has them, and their statistics over time.

create table videos (
    id bigint generated always as identity primary key,
    platform text not null check (platform in ('TikTok', 'Instagram', 'YouTube')),
    external_video_id text not null check (external_video_id <> ''),
    blogger_id uuid not null references blogger_information (id),
    url text not null,
    title text not null,
    thumbnail_url text,
    thumbnail_path text,
    published_at timestamptz,
    first_seen_at timestamptz not null default now(),
    unique (platform, external_video_id)
);

comment on column videos.blogger_id is 'Set on insert and never moved: a joint post stays where it was first seen.';
comment on column videos.thumbnail_path is 'Where the stored picture is, in object storage.';

create index videos_by_blogger on videos (blogger_id, published_at desc);

create table organization_videos (
    organization_id uuid not null references organizations (id) on delete cascade,
    video_id bigint not null references videos (id) on delete cascade,
    fetch_id bigint not null references fetches (id),
    status text not null default 'tracking' check (status in ('tracking')),
    linked_at timestamptz not null default now(),
    primary key (organization_id, video_id)
);

comment on column organization_videos.fetch_id is 'The fetch that linked the video first.';

create index organization_videos_by_video on organization_videos (video_id);
create index organization_videos_by_fetch on organization_videos (fetch_id, organization_id);

create table video_statistics (
    video_id bigint not null references videos (id) on delete cascade,
    fetch_id bigint not null references fetches (id),
    fetched_on date not null,
    captured_at timestamptz not null,
    views bigint check (views >= 0),
    likes bigint check (likes >= 0),
    comments bigint check (comments >= 0),
    reposts bigint check (reposts >= 0),
    primary key (video_id, fetch_id, fetched_on)
);

comment on table video_statistics is
    'One row per video and fetch. Null: the platform hides or lacks the number. fetched_on is the fetch''s date.';
