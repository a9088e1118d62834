-- The last check of the invariants, for the overview of the Bloggers page.

create table blogger_tracking.invariant_checks (
    name text primary key,
    violations bigint not null check (violations >= 0),
    checked_at timestamptz not null
);

comment on table blogger_tracking.invariant_checks is
    'The last check of the invariants by the DAG maintenance, one row per invariant.';
comment on column blogger_tracking.invariant_checks.name is 'Name of the invariant: database/invariants.py.';
comment on column blogger_tracking.invariant_checks.violations is 'Number of violations; 0 in a sound database.';

alter table blogger_tracking.invariant_checks enable row level security;
revoke all on blogger_tracking.invariant_checks from public, anon, authenticated;
grant select, insert, update, delete on blogger_tracking.invariant_checks to blogger_pipeline;

create policy pipeline on blogger_tracking.invariant_checks to blogger_pipeline using (true) with check (true);

-- Bloggers whose last fetch failed are found from the failed fetches, which are few.
create index fetches_failed on blogger_tracking.fetches (blogger_id, id) where state = 'failed';
