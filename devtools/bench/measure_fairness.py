"""Measurement of the waits of a small organization while a large one is planned, claimed or added to.

As a program, this module reads JSON from the standard input, writes a line once its load has begun, and repeats the
load of the large organization until the process is ended.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import count
from statistics import median
from typing import Any
from uuid import UUID, uuid4

from psycopg_pool import ConnectionPool

from blogger_tracking.database.blogger_additions import AdditionRequest, add_by_profile
from blogger_tracking.database.connections import connect, open_pool
from blogger_tracking.database.fetch_claims import claim_fetch
from blogger_tracking.database.rows import fetch_values
from blogger_tracking.database.run_plans import RunScope
from blogger_tracking.database.runs import RunKey
from blogger_tracking.domain.models import BloggerProfile, Platform
from blogger_tracking.usecases.finish_run import finish_run
from blogger_tracking.usecases.plan_run import plan_run
from devtools.bench.bench_fleets import BLOGGERS_PER_ORGANIZATION, Fleets
from devtools.local_stack.config import PROJECT_ROOT, StackError
from devtools.local_stack.stack import Stack

LOADS = ("planning", "claiming", "adding")
"""Loads: the large organization is planned, its fetches are claimed, or it adds bloggers, without a pause."""

_THREADS = 8
_TIMEOUT = timedelta(hours=1)
_LEASE = timedelta(minutes=10)
_START_SECONDS = 120.0
_PAUSE_SECONDS = 0.05

_FETCH_IDS = "select id from blogger_tracking.fetches where run_id = %s order by id"


@dataclass(frozen=True, slots=True)
class Waits:
    """Times of one operation of the small organization, in milliseconds."""

    median_ms: float
    longest_ms: float


@dataclass(frozen=True, slots=True)
class Fairness:
    """Times of the small organization's operations, by load of the large organization and by operation.

    `planning_ms` is the time that planning the large organization takes by itself.
    """

    accounts: int
    planning_ms: float
    waits: Mapping[str, Mapping[str, Waits]]

    def ratios(self) -> dict[str, dict[str, float]]:
        """Return the median times of each operation, divided by those without a load."""
        alone = self.waits["none"]
        return {
            load: {name: round(each.median_ms / alone[name].median_ms, 1) for name, each in waits.items()}
            for load, waits in self.waits.items()
            if load != "none"
        }


class _SmallOrganization:
    """An organization that does one thing after the other, and takes the time of each."""

    def __init__(self, pool: ConnectionPool, fleets: Fleets, organization: UUID, user: UUID) -> None:
        self._pool = pool
        self._fleets = fleets
        self._scope = RunScope(organizations=(organization,))
        self._addition = AdditionRequest(user, organization)

    def measure(self, samples: int) -> dict[str, Waits]:
        """Return the times of planning, claiming and adding."""
        plans = [self._plan() for _ in range(samples)]
        key = _new_key()
        with self._pool.connection() as connection:
            fetches = fetch_values(connection, _FETCH_IDS, (plan_run(self._pool, key, self._scope, _TIMEOUT).run_id,))
        claims = [_timed(partial(_claim, self._pool, fetches[number % len(fetches)])) for number in range(samples)]
        _finish(self._pool, key)
        additions = [_timed(self._addition_of_one()) for _ in range(samples)]
        return {"planning": _waits(plans), "claiming": _waits(claims), "adding": _waits(additions)}

    def _plan(self) -> float:
        key = _new_key()
        milliseconds = _timed(lambda: plan_run(self._pool, key, self._scope, _TIMEOUT))
        _finish(self._pool, key)
        return milliseconds

    def _addition_of_one(self) -> Callable[[], object]:
        creator = self._fleets.untracked(Platform.TIKTOK)
        return partial(_add, self._pool, self._addition, f"small-{creator.external_id}")


def measure_fairness(stack: Stack, fleets: Fleets, accounts: int, samples: int) -> Fairness:
    """Measure a small organization without a load, and beside each load of an organization with `accounts` accounts."""
    with connect(stack.admin_dsn) as connection:
        large = fleets.track_one(connection, accounts)
        small = fleets.track_one(connection, BLOGGERS_PER_ORGANIZATION)
        user, owner = fleets.owner(connection, small), fleets.owner(connection, large)
    with open_pool(stack.pipeline_dsn) as pool:
        member = _SmallOrganization(pool, fleets, small, user)
        key = _new_key()
        planning_ms = _timed(lambda: plan_run(pool, key, RunScope(organizations=(large,)), _TIMEOUT))
        _finish(pool, key)
        waits = {"none": member.measure(samples)}
        for load in LOADS:
            order = {"dsn": stack.pipeline_dsn, "load": load, "organization": large, "user": owner}
            with _loaded(pool, order):
                waits[load] = member.measure(samples)
    return Fairness(accounts, planning_ms, waits)


@contextmanager
def _loaded(pool: ConnectionPool, order: Mapping[str, object]) -> Generator[None]:
    """Let another process load the database for the large organization inside the context."""
    run = str(uuid4())
    process = subprocess.Popen(
        [sys.executable, "-m", __name__],
        cwd=PROJECT_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        if not _begins(process, {**order, "run": run}):
            raise StackError(f"The load {order['load']} did not begin. Its error is above.")
        yield
    finally:
        process.kill()
        process.communicate(timeout=_START_SECONDS)
        _finish(pool, RunKey("bench", "fairness", run))


def _begins(process: subprocess.Popen[str], order: Mapping[str, object]) -> bool:
    if process.stdin is None or process.stdout is None:
        return False
    process.stdin.write(json.dumps(order, default=str) + "\n")
    process.stdin.flush()
    return bool(process.stdout.readline())


def _finish(pool: ConnectionPool, key: RunKey) -> None:
    """Release what the run has reserved, without the log lines about fetches that were not made."""
    logging.disable()
    finish_run(pool, key, failed_share_limit=1)
    logging.disable(logging.NOTSET)


def _new_key() -> RunKey:
    return RunKey("bench", "fairness", str(uuid4()))


def _timed(operation: Callable[[], object]) -> float:
    time.sleep(_PAUSE_SECONDS)
    begin = time.monotonic()
    operation()
    return round((time.monotonic() - begin) * 1000, 1)


def _waits(milliseconds: Sequence[float]) -> Waits:
    return Waits(round(median(milliseconds), 1), max(milliseconds))


def _claim(pool: ConnectionPool, fetch_id: int) -> None:
    with pool.connection() as connection:
        claim_fetch(connection, fetch_id, _LEASE, "bench")


def _add(pool: ConnectionPool, addition: AdditionRequest, external_id: str) -> None:
    profile = BloggerProfile(
        platform=Platform.TIKTOK,
        external_id=external_id,
        sec_id=external_id,
        username=external_id,
        channel_name=external_id,
        subscribers=None,
        thumbnail_url=None,
    )
    with pool.connection() as connection:
        add_by_profile(connection, addition, profile)


def _load(pool: ConnectionPool, order: Mapping[str, Any]) -> Callable[[int], object]:
    """Return the operation that is repeated, which gets a number of its own each time."""
    organization = UUID(order["organization"])
    scope = RunScope(organizations=(organization,))
    if order["load"] == "adding":
        addition = AdditionRequest(UUID(order["user"]), organization)
        return lambda number: _add(pool, addition, f"large-{number}")
    if order["load"] == "claiming":
        run_id = plan_run(pool, RunKey("bench", "fairness", order["run"]), scope, _TIMEOUT).run_id
        with pool.connection() as connection:
            fetches = fetch_values(connection, _FETCH_IDS, (run_id,))
        return lambda number: _claim(pool, fetches[number % len(fetches)])

    def plan(_: int) -> None:
        key = _new_key()
        plan_run(pool, key, scope, _TIMEOUT)
        _finish(pool, key)

    return plan


def main() -> int:
    """Repeat the load until the process is killed: planning in one thread, all else in several."""
    order = json.loads(sys.stdin.readline())
    threads = 1 if order["load"] == "planning" else _THREADS
    numbers = count()
    with open_pool(order["dsn"], connections=threads) as pool, ThreadPoolExecutor(threads) as executor:
        load = _load(pool, order)
        print("begun", flush=True)

        def repeat(_: int) -> None:
            while True:
                load(next(numbers))

        list(executor.map(repeat, range(threads)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
