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

create function blogger_tracking.refuse_removed_decisions() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if exists (
        select
        from removed
        join blogger_tracking.runs on runs.id = removed.run_id
        where runs.planned_at >= coalesce(
            (select removed_before from blogger_tracking.retention_marks where subject = 'ledger'), '-infinity'
        )
    ) then
        raise check_violation using
            message = 'The decisions of planning are kept as long as their run, until retention removes them.',
            hint = 'Lower the setting BLOGGER_TRACKING_LEDGER_DAYS, or remove the run.';
    end if;
    return null;
end
$$;

comment on function blogger_tracking.refuse_removed_decisions() is
    'Reject the removal of decisions of a run that stays: its accounts would seem to be lost.';

create trigger refuse_removed_decisions
after delete on blogger_tracking.run_accounts
referencing old table as removed
for each statement execute function blogger_tracking.refuse_removed_decisions();
