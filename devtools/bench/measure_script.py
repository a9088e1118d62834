"""Measurement of a bare script: planning, clients and saving of the batch run in one process, without Airflow.

As a program, this module reads JSON with `dsn`, `sandbox_url` and `threads` from the standard input and writes its
figures to the standard output.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from subprocess import TimeoutExpired
from uuid import uuid4

from pydantic import SecretStr

from blogger_tracking.database.connections import connect, open_pool
from blogger_tracking.database.rate_limits import reserve_slots
from blogger_tracking.database.rows import fetch_values
from blogger_tracking.database.run_plans import RunScope
from blogger_tracking.database.runs import RunKey
from blogger_tracking.domain.models import Platform
from blogger_tracking.platforms import PlatformConfig, PlatformService, SharedRateLimiter, create_service
from blogger_tracking.usecases.fetch_blogger import FetchServices, fetch_blogger
from blogger_tracking.usecases.finish_run import finish_run
from blogger_tracking.usecases.plan_run import plan_run
from devtools.bench.bench_fleets import BLOGGERS_PER_ORGANIZATION, Fleets
from devtools.bench.measurement import measure_in_child, median_run
from devtools.local_stack.airflow_connections import PLATFORM_PATHS

_KEY = "key-of-the-bench"
_SLOWER_THAN_BEST = 1.5

_FETCH_IDS = "select id from blogger_tracking.fetches where run_id = %s order by id"


@dataclass(frozen=True, slots=True)
class ScriptRun:
    """One run of the script."""

    bloggers: int
    threads: int
    seconds: float
    cpu_seconds: float

    @property
    def per_second(self) -> float:
        """Bloggers per second, from the beginning of planning to the end."""
        return round(self.bloggers / self.seconds, 2)


@dataclass(frozen=True, slots=True)
class ScriptTargets:
    """Addresses of the database and the platforms."""

    admin_dsn: str
    pipeline_dsn: str
    sandbox_url: str


def best_script(
    targets: ScriptTargets, fleets: Fleets, bloggers: int, threads: tuple[int, ...], runs: int
) -> list[ScriptRun]:
    """Measure a run with each number of threads and return the runs, the fastest first.

    A run that takes 1.5 times as long as the fastest run so far is stopped and left out.
    """
    measured: list[ScriptRun] = []
    for number in threads:
        timeout_seconds = _SLOWER_THAN_BEST * min(run.seconds for run in measured) if measured else None
        with suppress(TimeoutExpired):
            measured.append(median_run(partial(_measure, targets, fleets, bloggers, number, timeout_seconds), runs))
    return sorted(measured, key=lambda each: each.seconds)


def run_script(targets: ScriptTargets, fleets: Fleets, bloggers: int, threads: int, organizations: int) -> ScriptRun:
    """Measure one run of the script, with bloggers that are spread evenly over `organizations`."""
    return _measure(targets, fleets, bloggers, threads, per_organization=bloggers // organizations)


def _measure(
    targets: ScriptTargets,
    fleets: Fleets,
    bloggers: int,
    threads: int,
    timeout_seconds: float | None = None,
    per_organization: int = BLOGGERS_PER_ORGANIZATION,
) -> ScriptRun:
    with connect(targets.admin_dsn) as connection:
        fleets.track(connection, bloggers, per_organization=per_organization)
    figures = measure_in_child(
        __name__,
        {
            "dsn": targets.pipeline_dsn,
            "sandbox_url": targets.sandbox_url,
            "threads": threads,
        },
        {"BLOGGER_TRACKING_FETCH_THREADS": str(threads)},
        timeout_seconds,
    )
    return ScriptRun(bloggers, threads, **figures)


def fetch_all(dsn: str, sandbox_url: str, threads: int) -> list[str]:
    """Plan, fetch and save all bloggers; return the problems of the run."""
    key = RunKey("bench", "script", str(uuid4()))
    pool = open_pool(dsn)
    services = FetchServices(pool, _services(sandbox_url, SharedRateLimiter(partial(reserve_slots, pool))))
    planned = plan_run(pool, key, RunScope(), timedelta(hours=11))
    with pool.connection() as connection:
        fetch_ids = fetch_values(connection, _FETCH_IDS, (planned.run_id,))
    with ThreadPoolExecutor(threads) as executor:
        reports = list(executor.map(partial(fetch_blogger, services), fetch_ids))
    problems = finish_run(pool, key, failed_share_limit=0) + [str(each) for each in reports if each.failed]
    pool.close()
    return problems


def _services(sandbox_url: str, rate_limiter: SharedRateLimiter) -> dict[Platform, PlatformService]:
    return {
        platform: create_service(
            platform, PlatformConfig(base_url=sandbox_url + path, api_key=SecretStr(_KEY)), rate_limiter=rate_limiter
        )
        for platform, path in PLATFORM_PATHS.items()
    }


def main() -> int:
    """Measure once; return 1 if a fetch failed."""
    order = json.load(sys.stdin)
    begin = time.monotonic()
    problems = fetch_all(**order)
    seconds = time.monotonic() - begin
    if problems:
        sys.stderr.write("; ".join(problems))
        return 1
    used = resource.getrusage(resource.RUSAGE_SELF)
    json.dump(
        {"seconds": round(seconds, 2), "cpu_seconds": round(used.ru_utime + used.ru_stime, 1)},
        sys.stdout,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
