-- The fetch ledger: what was planned for whom, who has it now, and what became of it.

create table runs (
    id bigint generated always as identity primary key,
    deployment text not null,
    dag_id text not null,
    dag_run_id text not null,
    planned_at timestamptz not null,
    expires_at timestamptz not null,
    ended_at timestamptz,
    active_accounts integer not null check (active_accounts >= 0),
    unique (deployment, dag_id, dag_run_id)
);

comment on column runs.deployment is 'Tells two Airflows on one database apart: a DAG run id alone does not.';
comment on column runs.active_accounts is
    'How many active tracked accounts in the scope of the run the view held, counted apart from the planner.';

create index runs_by_time on runs (planned_at);

create table run_accounts (
    run_id bigint not null references runs (id) on delete cascade,
    tracked_account_id uuid not null references tracked_accounts (id) on delete cascade,
    decision text not null check (decision in ('planned', 'skipped')),
    reason text,
    primary key (run_id, tracked_account_id),
    check (decision = 'planned' or reason is not null)
);

create index run_accounts_by_account on run_accounts (tracked_account_id);

create table fetches (
    id bigint generated always as identity primary key,
    run_id bigint not null references runs (id),
    blogger_id uuid not null references blogger_information (id),
    platform text not null check (platform in ('TikTok', 'Instagram', 'YouTube')),
    fetched_on date not null,
    target_count integer not null check (target_count between 1 and 500),
    task_id text not null,
    map_index integer not null check (map_index >= -1),
    state text not null default 'planned' check (state in (
        'planned', 'running', 'succeeded', 'partial', 'empty', 'private', 'not_found', 'skipped', 'failed', 'released'
    )),
    conclusive_state text check (conclusive_state in ('succeeded', 'partial', 'empty', 'private', 'not_found')),
    reason text,
    current_attempt_id bigint,
    claimed_at timestamptz,
    lease_expires_at timestamptz,
    unique (run_id, blogger_id),
    check (state <> 'running' or (current_attempt_id is not null and lease_expires_at is not null))
);

comment on column fetches.fetched_on is 'UTC date of planning; the statistics of this fetch carry it.';
comment on column fetches.task_id is 'With map_index: the Airflow task instance that carries this fetch.';
comment on column fetches.conclusive_state is 'The last understood outcome: no later failure overwrites it.';
comment on column fetches.current_attempt_id is 'The newest claim. Saving with an older one is refused.';

-- A blogger is planned or being fetched by one run at a time.
create unique index fetches_live on fetches (blogger_id) where state in ('planned', 'running');
create index fetches_by_instance on fetches (run_id, task_id, map_index);
create index fetches_by_blogger on fetches (blogger_id, id);

create table fetch_allocations (
    fetch_id bigint not null references fetches (id),
    organization_id uuid not null references organizations (id) on delete cascade,
    tracked_account_id uuid not null references tracked_accounts (id) on delete cascade,
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
    foreign key (organization_id, period_start) references subscription_usage,
    constraint granted_within_asked check (granted <= asked),
    constraint charged_within_grant check (charged <= granted),
    constraint held_within_grant check (charged + reserved <= granted),
    check (decision <> 'skip' or reason is not null)
);

comment on column fetch_allocations.granted is 'What planning gave. Never changes.';
comment on column fetch_allocations.reserved is 'What the claim holds now, on top of what is charged already.';
comment on column fetch_allocations.decision is 'Of planning, then of the newest claim.';
comment on column fetch_allocations.last_attempt_at is 'When a fetch last started for this account by this allocation.';
comment on column fetch_allocations.charged_at is 'When the charge last rose.';

create index fetch_allocations_by_account on fetch_allocations (tracked_account_id, last_attempt_at desc);
create index fetch_allocations_by_period on fetch_allocations (organization_id, period_start);

create table fetch_attempts (
    id bigint generated always as identity primary key,
    fetch_id bigint not null references fetches (id),
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
    check ((outcome is null) = (finished_at is null))
);

comment on column fetch_attempts.id is 'The token of the claim.';
comment on column fetch_attempts.executor is 'Host and process that carried it.';

create index fetch_attempts_by_fetch on fetch_attempts (fetch_id, finished_at);

alter table fetches
add foreign key (current_attempt_id) references fetch_attempts (id);

create table platform_suspensions (
    platform text primary key check (platform in ('TikTok', 'Instagram', 'YouTube')),
    suspended_until timestamptz not null,
    reason text not null,
    suspended_at timestamptz not null
);

comment on table platform_suspensions is 'A platform that is left alone until then.';

alter table tracked_accounts
add column initial_fetch_run_id bigint references runs (id) on delete set null;

comment on column tracked_accounts.initial_fetch_run_id is 'The run that owns the wish and may always go on.';
