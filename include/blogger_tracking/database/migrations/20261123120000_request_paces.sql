-- How fast the platforms are asked by all processes together.

-- Unlogged: the row is locked without waiting for a disk. What a crash takes away is a pause of a fraction of a second.
create unlogged table rate_limits (
    platform text primary key check (platform in ('TikTok', 'Instagram', 'YouTube')),
    next_free_at timestamptz not null
);

comment on table rate_limits is 'One row per platform that was asked. Deleting a row starts its pace anew.';
comment on column rate_limits.next_free_at is 'The time up to which requests are taken: the next ones begin there, or now.';

alter table rate_limits enable row level security;
grant select, insert, update, delete on rate_limits to blogger_pipeline;
create policy pipeline on rate_limits to blogger_pipeline using (true) with check (true);
