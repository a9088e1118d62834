-- The fetch ledger: the plan of each run, the attempts of each fetch, and their outcomes.

create table blogger_tracking.runs (
    id bigint generated always as identity primary key,
    deployment text not null,
    dag_id text not null,
    dag_run_id text not null,
    planned_at timestamptz not null,
    expires_at timestamptz not null,
    ended_at timestamptz,
    is_dead boolean not null default false,
    active_accounts integer not null check (active_accounts >= 0),
    unique (deployment, dag_id, dag_run_id),
    check (ended_at is not null or not is_dead)
);

comment on table blogger_tracking.runs is
    'One planned execution of the batch or of an initial fetch. Runs of the deployment `imported` stand for the earlier system: imported statistics belong to their fetches, which have no allocations and no attempts.';
comment on column blogger_tracking.runs.id is 'The run id of the ledger: run_id in other tables.';
comment on column blogger_tracking.runs.deployment is
    'Name of the Airflow deployment: several may share the database, with equal DAG run ids.';
comment on column blogger_tracking.runs.dag_run_id is 'Airflow''s run id.';
comment on column blogger_tracking.runs.planned_at is 'Time of planning; the plan of a run does not change afterwards.';
comment on column blogger_tracking.runs.expires_at is
    'From this time on, the next planning releases the unfinished fetches of the run.';
comment on column blogger_tracking.runs.ended_at is
    'Null while the run is active. A run that ended without its last task has the time at which that was noticed.';
comment on column blogger_tracking.runs.is_dead is
    'True for a run that ended in Airflow without its last task, for example by its time limit; false if marked by hand.';
comment on column blogger_tracking.runs.active_accounts is
    'Active tracked accounts in the scope of the run, counted by a query of its own for the invariant lost.';

create index runs_by_time on blogger_tracking.runs (planned_at);

create table blogger_tracking.run_accounts (
    run_id bigint not null references blogger_tracking.runs (id) on delete cascade,
    tracked_account_id uuid not null,
    decision text not null check (decision in ('planned', 'skipped')),
    reason text,
    primary key (run_id, tracked_account_id),
    check (decision = 'planned' or reason is not null)
);

comment on table blogger_tracking.run_accounts is
    'Decision of planning for each active tracked account in the scope of a run.';
comment on column blogger_tracking.run_accounts.tracked_account_id is
    'tracked_accounts.id. Not a foreign key: the ledger outlives the account.';
comment on column blogger_tracking.run_accounts.reason is 'Reason for skipping: a keyword, and details after a colon.';

create index run_accounts_by_account on blogger_tracking.run_accounts (tracked_account_id);

create table blogger_tracking.fetches (
    id bigint generated always as identity primary key,
    run_id bigint not null references blogger_tracking.runs (id),
    blogger_id uuid not null references blogger_tracking.blogger_information (id),
    platform text not null check (platform in ('TikTok', 'Instagram', 'YouTube')),
    fetched_on date not null,
    target_count integer not null check (target_count between 1 and 500),
    task_id text not null,
    map_index integer not null check (map_index >= -1),
    state text not null default 'planned' check (state in (
        'planned', 'running', 'succeeded', 'partial', 'empty', 'private', 'not_found', 'skipped', 'failed', 'released'
    )),
    reason text,
    conclusive_state text check (conclusive_state in ('succeeded', 'partial', 'empty', 'private', 'not_found')),
    conclusive_attempt_id bigint,
    current_attempt_id bigint,
    claimed_at timestamptz,
    lease_expires_at timestamptz,
    unique (run_id, blogger_id),
    check (state <> 'running' or (current_attempt_id is not null and lease_expires_at is not null)),
    check ((conclusive_state is null) = (conclusive_attempt_id is null))
);

comment on table blogger_tracking.fetches is 'One blogger in one run: the unit of work.';
comment on column blogger_tracking.fetches.fetched_on is
    'UTC date of planning; the statistics of this fetch carry the same date.';
comment on column blogger_tracking.fetches.target_count is
    'The largest number of videos that planning granted to an organization.';
comment on column blogger_tracking.fetches.task_id is
    'With map_index: the Airflow task instance that makes this fetch.';
comment on column blogger_tracking.fetches.map_index is '-1: the task is not mapped.';
comment on column blogger_tracking.fetches.state is
    'State of the newest conclusive attempt; without one, of the newest attempt.';
comment on column blogger_tracking.fetches.reason is
    'Reason of the attempt that state describes, in a sentence for members. The attempt has the reason in full.';
comment on column blogger_tracking.fetches.conclusive_state is
    'Outcome of the newest conclusive attempt. No later failure overwrites the outcome.';
comment on column blogger_tracking.fetches.conclusive_attempt_id is 'The newest conclusive attempt.';
comment on column blogger_tracking.fetches.current_attempt_id is 'The newest attempt, the only one that may save.';
comment on column blogger_tracking.fetches.claimed_at is 'Start of the newest attempt.';
comment on column blogger_tracking.fetches.lease_expires_at is
    'From this time on, the newest attempt is presumed dead and its reservation may be released.';

-- At most one run at a time has a blogger planned or is fetching it.
create unique index fetches_live on blogger_tracking.fetches (blogger_id) where state in ('planned', 'running');
create index fetches_by_instance on blogger_tracking.fetches (run_id, task_id, map_index);
create index fetches_by_blogger on blogger_tracking.fetches (blogger_id, id);

create table blogger_tracking.fetch_allocations (
    fetch_id bigint not null references blogger_tracking.fetches (id),
    organization_id uuid not null references blogger_tracking.organizations (id) on delete cascade,
    platform text not null check (platform in ('TikTok', 'Instagram', 'YouTube')),
    fetched_on date not null,
    tracked_account_id uuid not null,
    period_start timestamptz not null,
    period_end timestamptz not null,
    asked integer not null check (asked between 1 and 500),
    granted integer not null check (granted between 1 and 500),
    reserved integer not null check (reserved >= 0),
    charged integer not null default 0 check (charged >= 0),
    decision text not null check (decision in ('full', 'partial', 'skip')),
    reason text,
    last_attempt_at timestamptz,
    charged_at timestamptz,
    primary key (fetch_id, organization_id),
    foreign key (organization_id, period_start) references blogger_tracking.subscription_usage,
    constraint granted_within_asked check (granted <= asked),
    constraint charged_within_grant check (charged <= granted),
    constraint reserved_within_grant check (charged + reserved <= granted),
    check (decision <> 'skip' or reason is not null)
);

comment on table blogger_tracking.fetch_allocations is 'One organization''s part in a fetch, in videos.';
comment on column blogger_tracking.fetch_allocations.platform is
    'fetches.platform, kept here because the fetch is removed in the same statement as its allocations.';
comment on column blogger_tracking.fetch_allocations.fetched_on is 'fetches.fetched_on, kept here as platform is.';
comment on column blogger_tracking.fetch_allocations.tracked_account_id is
    'tracked_accounts.id. Not a foreign key: charges and links stay when the account is deleted.';
comment on column blogger_tracking.fetch_allocations.period_start is
    'With organization_id: the subscription period that pays.';
comment on column blogger_tracking.fetch_allocations.period_end is 'End of the period at the time of planning.';
comment on column blogger_tracking.fetch_allocations.asked is 'Videos wanted at the time of planning.';
comment on column blogger_tracking.fetch_allocations.granted is 'Videos granted by planning. Never changes.';
comment on column blogger_tracking.fetch_allocations.reserved is
    'Videos held by the newest attempt in addition to the charged ones.';
comment on column blogger_tracking.fetch_allocations.charged is
    'Videos that the organization paid for. Never decreases.';
comment on column blogger_tracking.fetch_allocations.decision is
    'Of the newest conclusive attempt that claimed this allocation; without one, of the newest attempt or of planning.';
comment on column blogger_tracking.fetch_allocations.reason is 'Reason for skipping.';
comment on column blogger_tracking.fetch_allocations.last_attempt_at is
    'Start of the newest attempt that claimed this allocation.';
comment on column blogger_tracking.fetch_allocations.charged_at is
    'Start of the attempt that last increased charged: the time when its claim was granted the charged videos.';

create index fetch_allocations_by_account
on blogger_tracking.fetch_allocations (tracked_account_id, last_attempt_at desc);
create index fetch_allocations_by_period on blogger_tracking.fetch_allocations (organization_id, period_start);

create table blogger_tracking.fetch_attempts (
    id bigint generated always as identity primary key,
    fetch_id bigint not null references blogger_tracking.fetches (id),
    started_at timestamptz not null,
    lease_expires_at timestamptz not null,
    finished_at timestamptz,
    executor text not null,
    outcome text check (outcome in (
        'succeeded', 'partial', 'empty', 'private', 'not_found', 'skipped', 'failed', 'released', 'superseded'
    )),
    error_kind text,
    reason text,
    pages integer not null default 0 check (pages >= 0),
    videos_returned integer not null default 0 check (videos_returned >= 0),
    videos_new integer not null default 0 check (videos_new >= 0),
    entries_skipped jsonb not null default '{}',
    requests jsonb not null default '{}',
    unique (fetch_id, id),
    check ((outcome is null) = (finished_at is null))
);

-- Attempts are inserted in the order of their start, so that a summary of each block finds those of a day.
create index fetch_attempts_by_start on blogger_tracking.fetch_attempts
using brin (started_at) with (autosummarize = on);

comment on table blogger_tracking.fetch_attempts is 'One try of a fetch, with a lease.';
comment on column blogger_tracking.fetch_attempts.id is 'The token that saving has to present.';
comment on column blogger_tracking.fetch_attempts.executor is 'Host and process that made the attempt.';
comment on column blogger_tracking.fetch_attempts.outcome is 'Null while the attempt is running.';
comment on column blogger_tracking.fetch_attempts.error_kind is
    'Kind of the platform''s error: domain/platform_errors.py.';
comment on column blogger_tracking.fetch_attempts.reason is
    'Reason of the outcome, for operators: may quote the platform.';
comment on column blogger_tracking.fetch_attempts.pages is 'Pages read from the platform.';
comment on column blogger_tracking.fetch_attempts.videos_new is 'Returned videos that no earlier fetch had returned.';
comment on column blogger_tracking.fetch_attempts.entries_skipped is
    'Entries of the listing that are not videos: number by reason.';
comment on column blogger_tracking.fetch_attempts.requests is
    'Requests to the platform: number by purpose (listing, profile, retry).';

-- With the fetch in the key: the attempts are those of this fetch, and removing one looks the fetch up by its id.
alter table blogger_tracking.fetches
add foreign key (id, current_attempt_id) references blogger_tracking.fetch_attempts (fetch_id, id),
add foreign key (id, conclusive_attempt_id) references blogger_tracking.fetch_attempts (fetch_id, id);

create function blogger_tracking.require_unchanged(holds boolean) returns void
language plpgsql set search_path = ''
as $$
begin
    if holds is not true then
        raise serialization_failure using
            message = 'The rows on which this transaction is based have changed. Nothing was saved.';
    end if;
end
$$;

comment on function blogger_tracking.require_unchanged(boolean) is
    'Abort the transaction, with all its statements that were sent already, unless the condition holds.';

create function blogger_tracking.await_planning() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    lock table blogger_tracking.subscription_usage in row exclusive mode;
    return null;
end
$$;

comment on function blogger_tracking.await_planning() is
    'Wait until no planning is in progress, before the statement locks its first row.';

-- Planning locks the usages of all organizations first, and refers to organizations afterwards. A deletion that waited
-- for planning with an organization locked would be a deadlock.
create trigger await_planning
before delete on blogger_tracking.organizations
for each statement execute function blogger_tracking.await_planning();

alter table blogger_tracking.tracked_accounts
add column initial_fetch_run_id bigint references blogger_tracking.runs (id) on delete set null;

comment on column blogger_tracking.tracked_accounts.initial_fetch_run_id is
    'The run that owns the pending initial fetch and may resume it at any time.';

create index tracked_accounts_by_initial_fetch_run on blogger_tracking.tracked_accounts (initial_fetch_run_id)
where initial_fetch_run_id is not null;

create function blogger_tracking.refuse_truncation() returns trigger
language plpgsql set search_path = ''
as $$
begin
    raise object_not_in_prerequisite_state using
        message = format('The table blogger_tracking.%s is part of the ledger and is not emptied.', tg_table_name),
        hint = 'Delete rows, or remove the schema with the command uninstall.';
end
$$;

comment on function blogger_tracking.refuse_truncation() is
    'Reject TRUNCATE, also as a cascade from another table: the tables of the ledger would no longer fit together.';

create trigger refuse_truncation before truncate on blogger_tracking.subscription_usage
for each statement execute function blogger_tracking.refuse_truncation();
create trigger refuse_truncation before truncate on blogger_tracking.runs
for each statement execute function blogger_tracking.refuse_truncation();
create trigger refuse_truncation before truncate on blogger_tracking.run_accounts
for each statement execute function blogger_tracking.refuse_truncation();
create trigger refuse_truncation before truncate on blogger_tracking.fetches
for each statement execute function blogger_tracking.refuse_truncation();
create trigger refuse_truncation before truncate on blogger_tracking.fetch_allocations
for each statement execute function blogger_tracking.refuse_truncation();
create trigger refuse_truncation before truncate on blogger_tracking.fetch_attempts
for each statement execute function blogger_tracking.refuse_truncation();

create function blogger_tracking.refuse_removed_allocations() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if exists (
        select
        from removed
        join blogger_tracking.fetches on fetches.id = removed.fetch_id
        join blogger_tracking.organizations on organizations.id = removed.organization_id
    ) then
        raise check_violation using
            message = 'What an allocation charges or reserves is part of the usage of its organization.',
            hint = 'To release reservations let the run end; to remove charges remove the organization or the blogger.';
    end if;
    return null;
end
$$;

comment on function blogger_tracking.refuse_removed_allocations() is
    'Reject the removal of allocations whose fetch and organization stay: the usage would no longer be their sum.';

create trigger refuse_removed_allocations
after delete on blogger_tracking.fetch_allocations
referencing old table as removed
for each statement execute function blogger_tracking.refuse_removed_allocations();
