-- How fast the platforms are asked by all processes together.

-- Unlogged: the row is locked without waiting for a disk. What a crash takes away is a pause of a fraction of a second.
create unlogged table request_paces (
    platform text primary key check (platform in ('TikTok', 'Instagram', 'YouTube')),
    spent_until timestamptz not null
);

comment on table request_paces is 'One row per platform that was asked. Deleting a row starts its pace anew.';
comment on column request_paces.spent_until is 'The time up to which requests are taken: the next ones begin there, or now.';

alter table request_paces enable row level security;
grant select, insert, update, delete on request_paces to blogger_pipeline;
create policy pipeline on request_paces to blogger_pipeline using (true) with check (true);
