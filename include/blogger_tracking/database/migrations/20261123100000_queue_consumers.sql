-- State of the queue consumers: videos that YouTube no longer returns, and spent units of the YouTube Data API.

alter table videos
add column duration_seconds integer check (duration_seconds > 0),
add column unseen_lookups integer not null default 0 check (unseen_lookups >= 0),
add column unseen_at timestamptz,
add column removed_at timestamptz,
add check ((unseen_lookups = 0) = (unseen_at is null)),
add check (removed_at is null or unseen_at is not null);

comment on column videos.duration_seconds is 'Length of the video. Null: unknown.';
comment on column videos.unseen_lookups is
    'Number of consecutive responses of YouTube that lacked the requested video.';
comment on column videos.unseen_at is
    'Time of the last response that lacked the video. Null once YouTube returns the video again.';
comment on column videos.removed_at is
    'Time since which the video counts as removed, after too many responses without it. Null: not removed.';

create table youtube_units (
    id bigint generated always as identity primary key,
    pacific_day date not null,
    spent_at timestamptz not null,
    call text not null check (call in ('listing', 'statistics', 'profile')),
    units integer not null check (units > 0),
    run_id bigint references runs (id)
);

comment on table youtube_units is 'Spent units of the YouTube Data API, one row per use.';
comment on column youtube_units.pacific_day is
    'Date in the Pacific time zone, where YouTube resets the quota at midnight.';
comment on column youtube_units.call is 'Purpose: the list of a blogger''s videos, statistics, or a profile.';
comment on column youtube_units.run_id is
    'Run of the fetch, or of the oldest queue message in the call. Null: a profile was looked up over HTTP.';

create index youtube_units_by_day on youtube_units (pacific_day) include (units);
create index youtube_units_by_run on youtube_units (run_id);

create index high_priority_queue_parked on high_priority_queue (parked_at) where parked_at is not null;
create index thumbnail_queue_parked on thumbnail_queue (parked_at) where parked_at is not null;

alter table youtube_units enable row level security;
grant select, insert, update, delete on youtube_units to blogger_pipeline;
create policy pipeline on youtube_units to blogger_pipeline using (true) with check (true);
