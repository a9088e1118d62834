"""Use case: read the overview of the whole system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg import Connection

from blogger_tracking.database.invariant_checks import InvariantCheck, read_invariant_check
from blogger_tracking.database.message_queues import read_queue_health
from blogger_tracking.database.run_overviews import (
    LiveRun,
    NewestRun,
    PlatformOverview,
    read_live_runs,
    read_newest_runs,
    read_platform_overviews,
    read_requests_of_run,
    read_requests_since,
    read_units_spent,
)
from blogger_tracking.database.run_summaries import read_tallies
from blogger_tracking.domain.health import QueueHealth
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.queues import Queue
from blogger_tracking.domain.run_outcome import PlatformTally, run_problems


@dataclass(frozen=True, slots=True)
class RunOverview:
    """A batch run with its fetches by platform, and the problems that make an ended run red."""

    run: NewestRun
    tallies: Mapping[str, PlatformTally]
    problems: list[str]


@dataclass(frozen=True, slots=True)
class Overview:
    """State of the whole system at one moment.

    `requests_of_last_run` are those of the newest ended batch run, `requests_today` those of all runs since midnight
    UTC.
    """

    runs: list[RunOverview]
    live: list[LiveRun]
    platforms: list[PlatformOverview]
    units_spent: int
    requests_of_last_run: Mapping[str, int]
    requests_today: Mapping[str, int]
    queues: list[QueueHealth]
    invariants: InvariantCheck | None


def read_overview(
    connection: Connection, deployment: str, dag_id: str, failed_share_limit: float, moment: datetime
) -> Overview:
    """Return the overview of a deployment with the newest runs of its batch DAG."""
    runs = read_newest_runs(connection, deployment, dag_id)
    last_ended = next((run for run in runs if run.ended_at), None)
    return Overview(
        runs=[_read_run(connection, run, failed_share_limit) for run in runs],
        live=read_live_runs(connection, deployment, moment),
        platforms=read_platform_overviews(connection, moment, list(Platform)),
        units_spent=read_units_spent(connection, moment),
        requests_of_last_run=read_requests_of_run(connection, last_ended.run_id) if last_ended else {},
        requests_today=read_requests_since(connection, _midnight(moment)),
        queues=[read_queue_health(connection, queue, moment) for queue in Queue],
        invariants=read_invariant_check(connection),
    )


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _read_run(connection: Connection, run: NewestRun, failed_share_limit: float) -> RunOverview:
    tallies = read_tallies(connection, run.run_id)
    return RunOverview(run, tallies, run_problems(tallies, failed_share_limit) if run.ended_at else [])
