"""The pace at which all processes together ask a platform: who may send when."""

from __future__ import annotations

from datetime import timedelta

from psycopg.rows import scalar_row
from psycopg_pool import ConnectionPool

from blogger_tracking.domain.models import Platform

# The generic cell rate algorithm in one statement, on the database's clock alone. That is read again in every place,
# as the statement may have waited for the row; `excluded` would hold a time from before the wait.
_RESERVE = """
insert into rate_limits as pace (platform, next_free_at)
values (%(platform)s, clock_timestamp() + %(span)s)
on conflict (platform) do update
set next_free_at = greatest(pace.next_free_at, clock_timestamp()) + %(span)s
returning extract(epoch from pace.next_free_at - %(span)s - clock_timestamp())::float8
"""


def reserve_slots(pool: ConnectionPool, platform: Platform, span: timedelta) -> float:
    """Take the platform's next free span of time, and return the seconds until it begins.

    Nobody else is given any of it; time that passed untaken is not made up for. A connection is held for this one
    statement only. Raises psycopg.Error when the database cannot be asked: then nothing was taken.
    """
    with pool.connection() as connection:
        cursor = connection.cursor(row_factory=scalar_row).execute(_RESERVE, {"platform": platform, "span": span})
        (seconds,) = cursor.fetchall()
    return max(0.0, float(seconds))
