-- Uses of the budgets of the HTTP API: requests and look-ups of each person and each organization.

-- Unlogged: counting a request does not wait for the disk. A crash of Postgres empties the table, and every budget is
-- whole again.
create unlogged table blogger_tracking.request_budgets (
    purpose text not null check (purpose in ('requests', 'look_ups', 'youtube_look_ups')),
    holder text not null check (holder in ('person', 'organization')),
    holder_id uuid not null,
    used_at timestamptz[] not null,
    primary key (purpose, holder, holder_id)
);

comment on table blogger_tracking.request_budgets is
    'Recent uses of each budget of the HTTP API. Holders are members, organizations, and people of Airflow who add bloggers on its page. Deleting a row frees the budget.';
comment on column blogger_tracking.request_budgets.purpose is
    'Use that the budget bounds: requests to /blogger, look-ups at all platforms, or look-ups at YouTube.';
comment on column blogger_tracking.request_budgets.holder_id is 'Id of the user or the organization, or a UUID made of the name of a user of Airflow.';
comment on column blogger_tracking.request_budgets.used_at is
    'Times of the newest uses in ascending order, at most as many as the budget has in its period.';
