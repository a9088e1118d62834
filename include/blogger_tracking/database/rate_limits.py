"""State of the cross-process rate limiter: the table `rate_limits`."""

from __future__ import annotations

from datetime import timedelta

from psycopg_pool import ConnectionPool

from blogger_tracking.database.rows import fetch_value
from blogger_tracking.domain.models import Platform

# The generic cell rate algorithm (GCRA) in one statement, by the database's clock alone. The clock is read again in
# each expression, because the statement may have waited for the row lock; `excluded` holds a time before that wait.
_RESERVE_SLOTS = """
insert into blogger_tracking.rate_limits as rate_limit (platform, next_free_at)
values (%(platform)s, clock_timestamp() + %(duration)s)
on conflict (platform) do update
set next_free_at = greatest(rate_limit.next_free_at, clock_timestamp()) + %(duration)s
returning extract(epoch from rate_limit.next_free_at - %(duration)s - clock_timestamp())::float8
"""


def reserve_slots(pool: ConnectionPool, platform: Platform, duration: timedelta) -> float:
    """Reserve the next free `duration` of a platform's time, and return the seconds until the reserved time begins.

    The reservations of all processes never overlap. Past time that no process reserved does not allow a later burst.
    Holds a connection for this statement alone. Raises psycopg.Error if the database cannot be reached.
    """
    with pool.connection() as connection:
        seconds = fetch_value(connection, _RESERVE_SLOTS, {"platform": platform, "duration": duration})
    return max(0.0, float(seconds))
