-- Queues of the work that follows a fetch: statistics from YouTube, and thumbnails.
--
-- The transaction that saves a fetch inserts the messages. Consumers lock messages with SKIP LOCKED. Finished and
-- parked messages stay as rows until retention removes them.

create table blogger_tracking.high_priority_queue (
    id bigint generated always as identity primary key,
    fetch_id bigint not null references blogger_tracking.fetches (id),
    type text not null default 'video_batch' check (type = 'video_batch'),
    videos text[] not null check (cardinality(videos) between 1 and 50),
    acknowledged text[] not null default '{}',
    created_at timestamptz not null default now(),
    visible_at timestamptz not null default now(),
    due_at timestamptz not null default now(),
    attempts integer not null default 0 check (attempts >= 0),
    failed_attempts integer not null default 0 check (failed_attempts >= 0),
    lost_attempts integer not null default 0 check (lost_attempts >= 0),
    receipt uuid,
    last_error text,
    done_at timestamptz,
    parked_at timestamptz,
    check (acknowledged <@ videos),
    check (done_at is null or parked_at is null),
    check (parked_at is null or last_error is not null)
);

comment on table blogger_tracking.high_priority_queue is
    'Messages of the DAG youtube_video_batch: YouTube videos whose statistics are still to be requested.';
comment on column blogger_tracking.high_priority_queue.fetch_id is 'Fetch that the statistics are saved for.';
comment on column blogger_tracking.high_priority_queue.videos is
    'External ids of the videos, at most 50 as in one call of videos.list.';
comment on column blogger_tracking.high_priority_queue.acknowledged is 'External ids that are finished.';
comment on column blogger_tracking.high_priority_queue.visible_at is
    'Earliest time of the next attempt. In the future: in flight, or waiting after a failed attempt.';
comment on column blogger_tracking.high_priority_queue.due_at is
    'Creation of the message, or end of the delay after its last failed attempt. A release does not move this time.';
comment on column blogger_tracking.high_priority_queue.attempts is 'Number of attempts so far.';
comment on column blogger_tracking.high_priority_queue.failed_attempts is
    'Number of attempts that failed, without those whose consumer vanished. After five, the message is parked.';
comment on column blogger_tracking.high_priority_queue.lost_attempts is
    'Number of attempts in a row, before the latest, whose consumer vanished. After two, the message is taken alone.';
comment on column blogger_tracking.high_priority_queue.receipt is
    'Token of the latest consumer. Only the holder may acknowledge the message.';
comment on column blogger_tracking.high_priority_queue.last_error is 'Reason of the last failed attempt.';
comment on column blogger_tracking.high_priority_queue.done_at is 'Time of the acknowledgement.';
comment on column blogger_tracking.high_priority_queue.parked_at is
    'Time when the message was parked: a dead letter, not tried again.';

create index high_priority_queue_waiting on blogger_tracking.high_priority_queue (visible_at, id)
where done_at is null and parked_at is null;
create index high_priority_queue_parked on blogger_tracking.high_priority_queue (parked_at) where parked_at is not null;
create index high_priority_queue_by_fetch on blogger_tracking.high_priority_queue (fetch_id);

create table blogger_tracking.thumbnail_queue (
    id bigint generated always as identity primary key,
    fetch_id bigint not null references blogger_tracking.fetches (id),
    video_id bigint not null references blogger_tracking.videos (id) on delete cascade,
    thumbnail_url text not null check (thumbnail_url <> ''),
    created_at timestamptz not null default now(),
    visible_at timestamptz not null default now(),
    due_at timestamptz not null default now(),
    attempts integer not null default 0 check (attempts >= 0),
    failed_attempts integer not null default 0 check (failed_attempts >= 0),
    lost_attempts integer not null default 0 check (lost_attempts >= 0),
    receipt uuid,
    last_error text,
    done_at timestamptz,
    parked_at timestamptz,
    check (done_at is null or parked_at is null),
    check (parked_at is null or last_error is not null)
);

comment on table blogger_tracking.thumbnail_queue is
    'Messages of the DAG video_thumbnails: thumbnails that are still to be stored.';
comment on column blogger_tracking.thumbnail_queue.fetch_id is 'Fetch that found the video.';
comment on column blogger_tracking.thumbnail_queue.thumbnail_url is 'Address to download from.';
comment on column blogger_tracking.thumbnail_queue.visible_at is
    'Earliest time of the next attempt. In the future: in flight, or waiting after a failed attempt.';
comment on column blogger_tracking.thumbnail_queue.due_at is
    'Creation of the message, or end of the delay after its last failed attempt. A release does not move this time.';
comment on column blogger_tracking.thumbnail_queue.attempts is 'Number of attempts so far.';
comment on column blogger_tracking.thumbnail_queue.failed_attempts is
    'Number of attempts that failed, without those whose consumer vanished. After five, the message is parked.';
comment on column blogger_tracking.thumbnail_queue.lost_attempts is
    'Number of attempts in a row, before the latest, whose consumer vanished. After two, the message is taken alone.';
comment on column blogger_tracking.thumbnail_queue.receipt is
    'Token of the latest consumer. Only the holder may acknowledge the message.';
comment on column blogger_tracking.thumbnail_queue.last_error is 'Reason of the last failed attempt.';
comment on column blogger_tracking.thumbnail_queue.done_at is 'Time of the acknowledgement.';
comment on column blogger_tracking.thumbnail_queue.parked_at is
    'Time when the message was parked: a dead letter, not tried again.';

create index thumbnail_queue_waiting on blogger_tracking.thumbnail_queue (visible_at, id)
where done_at is null and parked_at is null;
create unique index thumbnail_queue_one_open on blogger_tracking.thumbnail_queue (video_id)
where done_at is null and parked_at is null;
create index thumbnail_queue_by_fetch on blogger_tracking.thumbnail_queue (fetch_id);
create index thumbnail_queue_by_video on blogger_tracking.thumbnail_queue (video_id);
create index thumbnail_queue_parked on blogger_tracking.thumbnail_queue (parked_at) where parked_at is not null;
