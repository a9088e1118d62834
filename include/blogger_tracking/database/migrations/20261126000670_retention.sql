-- Record of what retention has removed: the invariants expect no row that is older.

create table blogger_tracking.retention_marks (
    subject text primary key check (subject in (
        'TikTok statistics',
        'Instagram statistics',
        'YouTube statistics',
        'ledger',
        'high_priority_queue',
        'thumbnail_queue'
    )),
    removed_before timestamptz not null
);

comment on table blogger_tracking.retention_marks is
    'Moments before which retention may have removed rows, one row per subject. Written before the first row is removed.';
comment on column blogger_tracking.retention_marks.subject is
    'Statistics of a platform, runs with everything that belongs to them, or finished and parked messages of a queue.';
comment on column blogger_tracking.retention_marks.removed_before is
    'Never decreases. Of statistics the midnight (UTC) of a fetched_on, of runs their planned_at, of messages their end.';
