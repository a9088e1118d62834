"""Statements on `youtube_units`: units of YouTube's daily quota that were spent, and units that are left."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from psycopg import Connection, sql

from blogger_tracking.database.connections import bounded_transaction, pipelined_transaction
from blogger_tracking.database.message_queues import WAITING_VIDEOS
from blogger_tracking.database.rows import fetch_value
from blogger_tracking.domain.ledger import RequestUse
from blogger_tracking.domain.youtube_quota import VIDEOS_PER_CALL, quota_day

# Serializes reservations only. `record_units` takes no lock, because spent units are recorded even above the budget.
_LOCK_RESERVATIONS = "select pg_advisory_xact_lock(hashtextextended('blogger_tracking.youtube_units', 0))"

_RESERVE = """
insert into blogger_tracking.youtube_units (pacific_day, spent_at, call, units, run_id)
select %(day)s, %(moment)s, %(use)s, 1, (select run_id from blogger_tracking.fetches where id = %(fetch_id)s)
where (select coalesce(sum(units), 0) from blogger_tracking.youtube_units where pacific_day = %(day)s) < %(budget)s
returning id
"""

_RECORD = """
insert into blogger_tracking.youtube_units (pacific_day, spent_at, call, units, run_id)
select %(day)s, %(moment)s, call, units, (select run_id from blogger_tracking.fetches where id = %(fetch_id)s)
from unnest(%(uses)s::text[], %(units)s::integer[]) as spent (call, units)
"""

# The budget minus spent units, minus future listings and statistics of live fetches, minus statistics of queued videos.
_LEFT = """
select
    %(budget)s
    - (select coalesce(sum(units), 0) from blogger_tracking.youtube_units where pacific_day = %(day)s)
    - (
        select coalesce(sum(ceil(target_count::numeric / %(videos_per_call)s)), 0)
        from blogger_tracking.fetches
        where platform = 'YouTube' and state in ('planned', 'running')
    )
    - ceil((
        select coalesce(sum(target_count), 0)
        from blogger_tracking.fetches
        where platform = 'YouTube' and state in ('planned', 'running')
    )::numeric / %(videos_per_call)s)
    - ceil(({waiting_videos})::numeric / %(videos_per_call)s)
"""

# Look-ups over HTTP belong to no run.
_LOOK_UP_UNITS = """
select coalesce(sum(units), 0)
from blogger_tracking.youtube_units
where pacific_day = %(day)s and run_id is null
"""

_UNITS_OF_RUN = "select call, sum(units) from blogger_tracking.youtube_units where run_id = %(run_id)s group by call"

_REMOVE = """
delete from blogger_tracking.youtube_units
where id in (
    select id
    from blogger_tracking.youtube_units
    where pacific_day < %(day)s
    order by pacific_day
    limit %(limit)s
    for update skip locked
)
"""


def reserve_unit(connection: Connection, moment: datetime, budget: int, fetch_id: int) -> bool:
    """Spend one unit on a call for statistics; return False if the day's `budget` is used up."""
    parameters = {
        "day": quota_day(moment),
        "moment": moment,
        "use": RequestUse.STATISTICS,
        "fetch_id": fetch_id,
        "budget": budget,
    }
    with pipelined_transaction(connection):
        connection.execute(_LOCK_RESERVATIONS)
        reserved = connection.execute(_RESERVE, parameters)
    return bool(reserved.fetchall())


def record_units(
    connection: Connection, moment: datetime, units: Mapping[RequestUse, int], fetch_id: int | None = None
) -> None:
    """Record spent units by purpose, for the run of a fetch if there is one. Each request costs one unit."""
    parameters = {
        "day": quota_day(moment),
        "moment": moment,
        "uses": list(units),
        "units": list(units.values()),
        "fetch_id": fetch_id,
    }
    connection.execute(_RECORD, parameters)


def units_left(connection: Connection, moment: datetime, budget: int) -> int:
    """Return the units of the day's `budget` that are neither spent nor needed by fetches and messages that exist.

    Negative if more units are needed than are left.
    """
    statement = sql.SQL(_LEFT).format(waiting_videos=WAITING_VIDEOS)
    parameters = {"day": quota_day(moment), "budget": budget, "videos_per_call": VIDEOS_PER_CALL}
    return int(fetch_value(connection, statement, parameters))


def look_up_units(connection: Connection, moment: datetime) -> int:
    """Return the units of the day that look-ups over HTTP have spent."""
    return int(fetch_value(connection, _LOOK_UP_UNITS, {"day": quota_day(moment)}))


def read_run_units(connection: Connection, run_id: int) -> dict[RequestUse, int]:
    """Return the units spent so far on a run's fetches and their statistics."""
    return {RequestUse(call): int(units) for call, units in connection.execute(_UNITS_OF_RUN, {"run_id": run_id})}


def remove_units(connection: Connection, cutoff: datetime, limit: int) -> int:
    """Remove up to `limit` rows of Pacific days before that of `cutoff`; return their number."""
    with bounded_transaction(connection):
        return connection.execute(_REMOVE, {"day": quota_day(cutoff), "limit": limit}).rowcount
