-- Recent look-ups over HTTP, which a repetition within `look_up_memory_minutes` takes instead of a request.

-- Unlogged: a crash of Postgres empties the table, and the next look-ups send requests again.
create unlogged table blogger_tracking.look_ups (
    platform text not null check (platform in ('TikTok', 'Instagram', 'YouTube')),
    name text not null,
    looked_up_at timestamptz not null,
    error text check (error in ('not_found', 'private')),
    profile jsonb,
    primary key (platform, name),
    check ((error is null) = (profile is not null))
);

comment on table blogger_tracking.look_ups is
    'Results of recent look-ups at platforms. Deleting a row lets the next look-up of the name send a request.';
comment on column blogger_tracking.look_ups.name is 'Name that was looked up or has the same result, in lower case unless it is a channel id.';
comment on column blogger_tracking.look_ups.error is 'Reason for which the platform returned no profile. Null: found.';
comment on column blogger_tracking.look_ups.profile is 'Profile as the platform returned it. Null: not found.';

create index look_ups_by_age on blogger_tracking.look_ups (looked_up_at);
