-- Answers that are kept, so that a repeated request gets them again without anything happening again.

create table idempotency_keys (
    user_id uuid not null,
    route text not null,
    key text not null check (length(key) between 1 and 255),
    body_digest bytea not null,
    receipt uuid not null,
    started_at timestamptz not null,
    status smallint check (status between 200 and 499),
    answer jsonb,
    primary key (user_id, route, key),
    check ((status is null) = (answer is null))
);

comment on column idempotency_keys.receipt is 'Which request is at work on it: only that one may write the answer.';
comment on column idempotency_keys.status is 'Null: the first request is still being answered.';

create index idempotency_keys_by_age on idempotency_keys (started_at);

alter table idempotency_keys enable row level security;
grant select, insert, update, delete on idempotency_keys to blogger_pipeline;
create policy pipeline on idempotency_keys to blogger_pipeline using (true) with check (true);
