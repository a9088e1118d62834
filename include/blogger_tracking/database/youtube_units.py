"""YouTube's daily units as they are spent, and what is left of them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from psycopg import Connection
from psycopg.rows import scalar_row

from blogger_tracking.domain.youtube_quota import VIDEOS_PER_CALL, quota_day


class UnitUse(StrEnum):
    """What units were spent for."""

    LISTING = "listing"
    STATISTICS = "statistics"
    PROFILE = "profile"


# Only those who may be refused wait for each other. What was spent without asking is counted all the same.
_ONE_AT_A_TIME = "select pg_advisory_xact_lock(hashtextextended('blogger_tracking.youtube_units', 0))"

_RESERVE = """
insert into youtube_units (pacific_day, spent_at, call, units, run_id)
select %(day)s, %(moment)s, %(use)s, 1, (select run_id from fetches where id = %(fetch_id)s)
where (select coalesce(sum(units), 0) from youtube_units where pacific_day = %(day)s) < %(budget)s
returning id
"""

_RECORD = """
insert into youtube_units (pacific_day, spent_at, call, units, run_id)
select %(day)s, %(moment)s, %(use)s, %(units)s, (select run_id from fetches where id = %(fetch_id)s)
"""

# Set aside: what fetches that are still under way will list, and statistics that are still waiting for their call.
_LEFT = """
select
    %(budget)s
    - (select coalesce(sum(units), 0) from youtube_units where pacific_day = %(day)s)
    - (
        select coalesce(sum(ceil(target_count::numeric / %(videos_per_call)s)), 0)
        from fetches
        where platform = 'YouTube' and state in ('planned', 'running')
    )
    - ceil((
        select coalesce(sum(target_count), 0)
        from fetches
        where platform = 'YouTube' and state in ('planned', 'running')
    )::numeric / %(videos_per_call)s)
    - ceil((
        select coalesce(sum(cardinality(videos) - cardinality(acknowledged)), 0)
        from high_priority_queue
        where done_at is null and parked_at is null
    )::numeric / %(videos_per_call)s)
"""

_OF_RUN = "select call, sum(units) from youtube_units where run_id = %(run_id)s group by call"


def reserve_unit(connection: Connection, moment: datetime, budget: int, fetch_id: int) -> bool:
    """Spend a unit for a call for statistics, unless the day's `budget` is used up."""
    parameters = {
        "day": quota_day(moment),
        "moment": moment,
        "use": UnitUse.STATISTICS,
        "fetch_id": fetch_id,
        "budget": budget,
    }
    with connection.pipeline(), connection.transaction():
        connection.execute(_ONE_AT_A_TIME)
        reserved = connection.execute(_RESERVE, parameters)
    return bool(reserved.fetchall())


def record_units(
    connection: Connection, moment: datetime, use: UnitUse, units: int, fetch_id: int | None = None
) -> None:
    """Note units that were spent, for the run of a fetch if there is one."""
    parameters = {"day": quota_day(moment), "moment": moment, "use": use, "units": units, "fetch_id": fetch_id}
    connection.execute(_RECORD, parameters)


def units_left(connection: Connection, moment: datetime, budget: int) -> int:
    """What is left of the day's `budget` beyond what is spent and set aside; below zero when that is too much."""
    parameters = {"day": quota_day(moment), "budget": budget, "videos_per_call": VIDEOS_PER_CALL}
    return int(connection.cursor(row_factory=scalar_row).execute(_LEFT, parameters).fetchall()[0])


def read_run_units(connection: Connection, run_id: int) -> dict[UnitUse, int]:
    """The units that a run's fetches and their statistics cost so far."""
    return {UnitUse(call): int(units) for call, units in connection.execute(_OF_RUN, {"run_id": run_id})}
