"""Use cases of the daily maintenance of the application's database: partitions ahead, and removal of old rows.

Everything is done in steps of one short transaction each, so that a maintenance that is killed at any moment has
finished some steps and loses none, and two at once share the work. A step passes over rows that others have locked; the
next maintenance takes them. A connection is taken from the pool for each step, because the pool closes one that is held
for long. Each use case ends when nothing is left or its time is spent, and returns its counts.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from functools import partial
from typing import Protocol

from psycopg import Connection
from psycopg.errors import LockNotAvailable, QueryCanceled
from psycopg_pool import ConnectionPool

from blogger_tracking.database.idempotency_keys import remove_expired_keys
from blogger_tracking.database.invariant_checks import InvariantCheck, save_invariant_check
from blogger_tracking.database.invariants import INVARIANTS, check_invariants
from blogger_tracking.database.ledger_removal import remove_fetches, remove_run_accounts, remove_runs
from blogger_tracking.database.message_queues import remove_messages
from blogger_tracking.database.retention_marks import mark_removed
from blogger_tracking.database.statistics_partitions import (
    create_partition,
    drop_partition,
    read_default_months,
    read_partition_months,
)
from blogger_tracking.database.video_statistics import remove_readers, remove_statistics
from blogger_tracking.database.youtube_units import remove_units
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.queues import Queue, TimeBudget
from blogger_tracking.domain.retention import (
    Month,
    OldStatistics,
    droppable_months,
    months_ahead,
    old_statistics,
    statistics_cutoffs,
)
from blogger_tracking.settings import Settings

logger = logging.getLogger(__name__)

ROWS_PER_STEP = 5_000
"""Largest number of rows that one transaction removes."""

FETCHES_PER_STEP = 1_000
"""Largest number of fetches that one transaction removes, each with its allocations and attempts."""

VIDEOS_PER_STEP = 2_000
"""Number of videos whose statistics of a month one step looks at."""

SECONDS_PER_TASK = 1_800.0
"""Time after which a use case begins no further step; the next maintenance continues."""


@dataclass(frozen=True, slots=True)
class _PartitionChange:
    """A change of a partition, the name of its count, and sentences about the rows if the change is postponed."""

    execute: Callable[[Connection, Month], bool]
    count: str
    while_in_use: str
    after_time_out: str


_CREATION = _PartitionChange(
    create_partition,
    "created",
    while_in_use="Rows of a month without a partition go to the default partition.",
    after_time_out="The default partition probably has too many rows of the month. They are kept there, and "
    "docs/operations.md has the statement that moves them without a time-out.",
)

_REMOVAL = _PartitionChange(
    drop_partition,
    "months",
    while_in_use="The month's rows are kept.",
    after_time_out="The month's rows are kept.",
)


def prepare_partitions(pool: ConnectionPool, today: date) -> dict[str, int]:
    """Create the partitions of video_statistics for the months ahead, and for those that the default partition has.

    The months ahead come first: once they have partitions, the default partition gets no further rows, however long the
    rows that it has take to be moved.
    """
    counts: Counter[str] = Counter(created=0, postponed=0)
    for month in months_ahead(today):
        counts.update(_change_partition(pool, _CREATION, month))
    with pool.connection() as connection:
        waiting = read_default_months(connection)
    for month in sorted({*waiting} - {*months_ahead(today)}):
        counts.update(_change_partition(pool, _CREATION, month))
    return _report("Partitions of video_statistics", counts)


def remove_old_statistics(
    pool: ConnectionPool, settings: Settings, today: date, seconds: float = SECONDS_PER_TASK
) -> dict[str, int]:
    """Drop the months that are over for all platforms, and remove old rows of the platforms with a limit.

    The readers of old statistics go last: statistics that a step passed over are readable by no member any more.
    """
    time_budget = TimeBudget(seconds)
    counts: Counter[str] = Counter(months=0, postponed=0, rows=0, readers=0)
    cutoffs = statistics_cutoffs(_statistics_days(settings), today)
    with pool.connection() as connection:
        for platform, cutoff in cutoffs.items():
            mark_removed(connection, platform, datetime.combine(cutoff, time_of_day(), UTC))
        months = read_partition_months(connection)
    for month in droppable_months(months, cutoffs):
        counts.update(_change_partition(pool, _REMOVAL, month))
    with pool.connection() as connection:
        months = sorted({*read_partition_months(connection), *read_default_months(connection)})
    for old in old_statistics(months, cutoffs):
        counts["rows"] += _remove_statistics(pool, old, time_budget)
    for platform, cutoff in cutoffs.items():
        remove = partial(remove_readers, platform=platform, cutoff=cutoff)
        counts["readers"] += _in_steps(pool, remove, time_budget)
    return _report("Old statistics", counts)


def remove_old_messages(
    pool: ConnectionPool, settings: Settings, now: datetime, seconds: float = SECONDS_PER_TASK
) -> dict[str, int]:
    """Remove finished and parked messages of both queues, and expired idempotency keys."""
    time_budget = TimeBudget(seconds)
    counts: Counter[str] = Counter()
    done_before = now - timedelta(days=settings.finished_message_days)
    parked_before = now - timedelta(days=settings.parked_message_days)
    for queue in Queue:
        with pool.connection() as connection:
            mark_removed(connection, queue, max(done_before, parked_before))
        remove = partial(remove_messages, queue=queue, done_before=done_before, parked_before=parked_before)
        counts[queue.value] = _in_steps(pool, remove, time_budget)
    with pool.connection() as connection:
        counts["idempotency_keys"] = remove_expired_keys(connection)
    return _report("Old messages and keys", counts)


def remove_old_runs(
    pool: ConnectionPool, settings: Settings, now: datetime, seconds: float = SECONDS_PER_TASK
) -> dict[str, int]:
    """Remove old runs from the ledger, with everything that belongs to them, and old units of YouTube."""
    time_budget = TimeBudget(seconds)
    cutoff = now - timedelta(days=settings.ledger_days)
    counts: Counter[str] = Counter()
    with pool.connection() as connection:
        mark_removed(connection, None, cutoff)
    counts["fetches"] = _remove_fetches(pool, cutoff, time_budget)
    counts["run_accounts"] = _in_steps(pool, partial(remove_run_accounts, cutoff=cutoff), time_budget)
    counts["youtube_units"] = _in_steps(pool, partial(remove_units, cutoff=cutoff), time_budget)
    counts["runs"] = _in_steps(pool, partial(remove_runs, cutoff=cutoff), time_budget)
    return _report("Old runs", counts)


def check_ledger(connection: Connection, now: datetime) -> dict[str, int]:
    """Check the invariants, save the result, and return the number of violations by invariant.

    The connection is none of the pool, because a query over the whole ledger may take longer than the pool allows.
    """
    violations = check_invariants(connection)
    save_invariant_check(connection, InvariantCheck(now, violations))
    for invariant in INVARIANTS:
        if violations[invariant.name]:
            logger.error(
                "The invariant %s is violated %s times: %s Compare docs/operations.md.",
                invariant.name,
                violations[invariant.name],
                invariant.sentence,
                extra={"fingerprint": ("invariant", invariant.name)},
            )
    return _report("Violations of the invariants", Counter(violations))


def _change_partition(pool: ConnectionPool, change: _PartitionChange, month: Month) -> Counter[str]:
    """Create or drop a partition, and return what to count; the next maintenance does so if the table is in use."""
    try:
        with pool.connection() as connection:
            return Counter({change.count: change.execute(connection, month)})
    except LockNotAvailable:
        logger.warning(
            "The partition for %s was not changed, because the tables are in use. %s The next maintenance tries again.",
            month.first_day,
            change.while_in_use,
        )
    except QueryCanceled:
        logger.error(  # noqa: TRY400 - the text has the cause, and no traceback is needed
            "The partition for %s was not changed, because that takes longer than database_timeout_seconds. %s The "
            "next maintenance tries again.",
            month.first_day,
            change.after_time_out,
        )
    return Counter(postponed=1)


def _statistics_days(settings: Settings) -> Mapping[Platform, int | None]:
    return {
        Platform.TIKTOK: settings.tiktok_statistics_days,
        Platform.INSTAGRAM: settings.instagram_statistics_days,
        Platform.YOUTUBE: settings.youtube_statistics_days,
    }


def _remove_statistics(pool: ConnectionPool, old: OldStatistics, time_budget: TimeBudget) -> int:
    count, after = 0, 0
    while not time_budget.is_spent():
        with pool.connection() as connection:
            step = remove_statistics(connection, old, after, videos=VIDEOS_PER_STEP, limit=ROWS_PER_STEP)
        count += step.count
        if step.last_id is None:
            break
        if step.count < ROWS_PER_STEP:
            after = step.last_id
    return count


def _remove_fetches(pool: ConnectionPool, cutoff: datetime, time_budget: TimeBudget) -> int:
    count, after = 0, 0
    while not time_budget.is_spent():
        with pool.connection() as connection:
            step = remove_fetches(connection, cutoff, after, FETCHES_PER_STEP)
        count += step.count
        if step.last_id is None:
            break
        after = step.last_id
    return count


class _Remove(Protocol):
    """A function that removes up to `limit` rows and returns their number."""

    def __call__(self, connection: Connection, *, limit: int) -> int: ...


def _in_steps(pool: ConnectionPool, remove: _Remove, time_budget: TimeBudget) -> int:
    """Remove step by step until a step removes less than it may; return the number of removed rows."""
    count = 0
    while not time_budget.is_spent():
        with pool.connection() as connection:
            removed = remove(connection, limit=ROWS_PER_STEP)
        count += removed
        if removed < ROWS_PER_STEP:
            break
    return count


def _report(what: str, counts: Counter[str]) -> dict[str, int]:
    logger.info("%s: %s.", what, ", ".join(f"{count} {name}" for name, count in counts.items()))
    return dict(counts)
