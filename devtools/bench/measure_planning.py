"""Measurement of planning a run over many tracked accounts, in a process of its own.

As a program, this module reads JSON with `dsn` from the standard input and writes its figures to the standard output.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from uuid import uuid4

from blogger_tracking.database.connections import connect, open_pool
from blogger_tracking.database.run_plans import RunScope
from blogger_tracking.database.runs import RunKey
from blogger_tracking.usecases.finish_run import finish_run
from blogger_tracking.usecases.plan_run import plan_run
from devtools.bench.bench_fleets import Fleets
from devtools.bench.measurement import measure_in_child, median_run
from devtools.local_stack.stack import Stack

_MEGABYTE = 1_000_000
# Linux counts ru_maxrss in KiB, macOS in bytes.
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class PlanningRun:
    """Time of one planning, and the peak memory of its process."""

    accounts: int
    seconds: float
    peak_mb: float


def measure_planning(stack: Stack, fleets: Fleets, accounts: int, runs: int) -> PlanningRun:
    """Measure the planning of `accounts` tracked accounts `runs` times, each time with a new fleet."""
    return median_run(partial(_measure, stack, fleets, accounts), runs)


def _measure(stack: Stack, fleets: Fleets, accounts: int) -> PlanningRun:
    with connect(stack.admin_dsn) as connection:
        fleets.track(connection, accounts)
    return PlanningRun(accounts, **measure_in_child(__name__, {"dsn": stack.pipeline_dsn}, {}))


def main() -> int:
    """Measure once, then end the run, so that its reservations are released."""
    order = json.load(sys.stdin)
    key = RunKey("bench", "planning", str(uuid4()))
    pool = open_pool(order["dsn"])
    begin = time.monotonic()
    plan_run(pool, key, RunScope(), timedelta(hours=11))
    seconds = time.monotonic() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT
    json.dump({"seconds": round(seconds, 2), "peak_mb": round(peak / _MEGABYTE, 1)}, sys.stdout)
    finish_run(pool, key, failed_share_limit=1)
    pool.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
