-- Idempotency keys of the HTTP API, each with the response to its first request.

create table blogger_tracking.idempotency_keys (
    user_id uuid not null,
    route text not null,
    key text not null check (length(key) between 1 and 255),
    body_digest bytea not null,
    receipt uuid not null,
    started_at timestamptz not null,
    status smallint check (status between 200 and 499),
    body jsonb,
    primary key (user_id, route, key),
    check ((status is null) = (body is null))
);

comment on table blogger_tracking.idempotency_keys is
    'Responses by idempotency key, returned to repetitions of a request for 24 hours instead of processing it again.';
comment on column blogger_tracking.idempotency_keys.route is 'HTTP method and path, such as POST /blogger/add.';
comment on column blogger_tracking.idempotency_keys.body_digest is
    'SHA-256 of the request''s body. A repetition with another body is rejected.';
comment on column blogger_tracking.idempotency_keys.receipt is
    'Token of the request in progress. Only its holder may save the response.';
comment on column blogger_tracking.idempotency_keys.status is
    'HTTP status of the response. Null: the first request is in progress.';
comment on column blogger_tracking.idempotency_keys.body is 'Body of the response.';

create index idempotency_keys_by_age on blogger_tracking.idempotency_keys (started_at);
