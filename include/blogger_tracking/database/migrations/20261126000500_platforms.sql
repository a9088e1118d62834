-- State of the platforms: suspensions, spent units of YouTube's quota, and the slots of the rate limiter.

create table blogger_tracking.platform_suspensions (
    platform text primary key check (platform in ('TikTok', 'Instagram', 'YouTube')),
    suspended_until timestamptz not null,
    reason text not null,
    suspended_at timestamptz not null
);

comment on table blogger_tracking.platform_suspensions is
    'The last suspension of each platform. Deleting the row ends the suspension.';
comment on column blogger_tracking.platform_suspensions.suspended_until is
    'The platform receives no request before this time.';
comment on column blogger_tracking.platform_suspensions.reason is 'The error that suspended the platform.';

create table blogger_tracking.youtube_units (
    id bigint generated always as identity primary key,
    pacific_day date not null,
    spent_at timestamptz not null,
    call text not null check (call in ('listing', 'statistics', 'profile', 'retry')),
    units integer not null check (units > 0),
    run_id bigint references blogger_tracking.runs (id)
);

comment on table blogger_tracking.youtube_units is 'Spent units of the YouTube Data API, one row per use.';
comment on column blogger_tracking.youtube_units.pacific_day is
    'Date in the Pacific time zone, where YouTube resets the quota at midnight.';
comment on column blogger_tracking.youtube_units.call is
    'Purpose: the list of a blogger''s videos, statistics, a profile, or the retry of a request.';
comment on column blogger_tracking.youtube_units.run_id is
    'Run of the fetch, or of the oldest queue message in the call. Null: a profile was looked up over HTTP.';

create index youtube_units_by_day on blogger_tracking.youtube_units (pacific_day) include (units);
create index youtube_units_by_run on blogger_tracking.youtube_units (run_id);

-- Unlogged: reserving slots does not wait for the disk. A crash of Postgres empties the table; afterwards each process
-- may use the slots that it has already reserved, a tenth of a second at most, in addition to the new slots.
create unlogged table blogger_tracking.rate_limits (
    platform text primary key check (platform in ('TikTok', 'Instagram', 'YouTube')),
    next_free_at timestamptz not null
);

comment on table blogger_tracking.rate_limits is
    'One row per platform with reserved slots. Deleting a row frees the platform''s reserved slots.';
comment on column blogger_tracking.rate_limits.next_free_at is
    'End of the last reserved slot. The next reservation begins at this time, or immediately if the time has passed.';
