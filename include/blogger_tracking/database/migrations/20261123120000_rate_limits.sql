-- State of the cross-process rate limiter of the platforms.

-- Unlogged: reserving slots does not wait for the disk. A crash of Postgres empties the table; afterwards each process
-- may use the slots that it has already reserved, a tenth of a second at most, in addition to the new slots.
create unlogged table rate_limits (
    platform text primary key check (platform in ('TikTok', 'Instagram', 'YouTube')),
    next_free_at timestamptz not null
);

comment on table rate_limits is
    'One row per platform with reserved slots. Deleting a row frees the platform''s reserved slots.';
comment on column rate_limits.next_free_at is
    'End of the last reserved slot. The next reservation begins at this time, or immediately if the time has passed.';

alter table rate_limits enable row level security;
grant select, insert, update, delete on rate_limits to blogger_pipeline;
create policy pipeline on rate_limits to blogger_pipeline using (true) with check (true);
