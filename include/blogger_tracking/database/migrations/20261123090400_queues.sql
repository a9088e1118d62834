-- Work that follows a fetch. Rows are written in the saving transaction, taken with SKIP LOCKED, and stay as history.

create table high_priority_queue (
    id bigint generated always as identity primary key,
    fetch_id bigint not null references fetches (id),
    type text not null default 'video_batch' check (type = 'video_batch'),
    videos text[] not null check (cardinality(videos) between 1 and 50),
    acknowledged text[] not null default '{}',
    created_at timestamptz not null default now(),
    visible_at timestamptz not null default now(),
    attempts integer not null default 0 check (attempts >= 0),
    receipt uuid,
    last_error text,
    done_at timestamptz,
    parked_at timestamptz,
    check (acknowledged <@ videos),
    check (done_at is null or parked_at is null),
    check (parked_at is null or last_error is not null)
);

comment on column high_priority_queue.videos is 'External ids of YouTube videos whose statistics are wanted.';
comment on column high_priority_queue.receipt is 'Who took the message last: only that consumer may finish it.';

create index high_priority_queue_waiting on high_priority_queue (visible_at, id)
where done_at is null and parked_at is null;
create index high_priority_queue_by_fetch on high_priority_queue (fetch_id);

create table thumbnail_queue (
    id bigint generated always as identity primary key,
    fetch_id bigint not null references fetches (id),
    video_id bigint not null references videos (id) on delete cascade,
    thumbnail_url text not null check (thumbnail_url <> ''),
    created_at timestamptz not null default now(),
    visible_at timestamptz not null default now(),
    attempts integer not null default 0 check (attempts >= 0),
    receipt uuid,
    last_error text,
    done_at timestamptz,
    parked_at timestamptz,
    check (done_at is null or parked_at is null),
    check (parked_at is null or last_error is not null)
);

create index thumbnail_queue_waiting on thumbnail_queue (visible_at, id)
where done_at is null and parked_at is null;
create unique index thumbnail_queue_one_open on thumbnail_queue (video_id)
where done_at is null and parked_at is null;
create index thumbnail_queue_by_video on thumbnail_queue (video_id);
