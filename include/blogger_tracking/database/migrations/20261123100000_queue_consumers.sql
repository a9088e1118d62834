-- What the consumers of the queues know: videos that YouTube no longer shows, and the units that its API cost.

alter table videos
add column duration_seconds integer check (duration_seconds > 0),
add column unseen_lookups integer not null default 0 check (unseen_lookups >= 0),
add column unseen_at timestamptz,
add column removed_at timestamptz,
add check ((unseen_lookups = 0) = (unseen_at is null)),
add check (removed_at is null or unseen_at is not null);

comment on column videos.unseen_lookups is 'How often in a row YouTube left the video out when it was asked for it.';
comment on column videos.unseen_at is 'When it was left out last; null as soon as it is seen again.';
comment on column videos.removed_at is 'Left out so often that it counts as removed; null as soon as it is seen again.';

create table youtube_units (
    id bigint generated always as identity primary key,
    pacific_day date not null,
    spent_at timestamptz not null,
    call text not null check (call in ('listing', 'statistics', 'profile')),
    units integer not null check (units > 0),
    run_id bigint references runs (id)
);

comment on table youtube_units is 'Units of the YouTube Data API as they are spent; YouTube resets them at midnight Pacific.';
comment on column youtube_units.run_id is 'The run whose fetch, or whose oldest message in the call, they were spent for.';

create index youtube_units_by_day on youtube_units (pacific_day) include (units);
create index youtube_units_by_run on youtube_units (run_id);

create index high_priority_queue_parked on high_priority_queue (parked_at) where parked_at is not null;
create index thumbnail_queue_parked on thumbnail_queue (parked_at) where parked_at is not null;

alter table youtube_units enable row level security;
grant select, insert, update, delete on youtube_units to blogger_pipeline;
create policy pipeline on youtube_units to blogger_pipeline using (true) with check (true);
