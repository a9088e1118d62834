"""Conditions of the benchmark: sizes, and the differences from a stack as shipped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from devtools.local_stack.config import SandboxConfig, StackConfig
from devtools.platform_sandbox import SandboxOptions

VIDEOS_PER_FETCH = 30
SHARED_BLOGGERS = 50

_LATENCY_MS = 300
_CREATORS = 1_000_000
_SMALL_BODY_BYTES = 1_000
_NO_LIMIT = "1000000"

BENCH_SETTINGS: Mapping[str, str] = {
    # No scheduled run may start during a measurement.
    "BLOGGER_TRACKING_SCHEDULE": "0 0 29 2 *",
    # Otherwise the platforms' limits would determine every figure.
    "BLOGGER_TRACKING_TIKTOK_REQUESTS_PER_SECOND": _NO_LIMIT,
    "BLOGGER_TRACKING_INSTAGRAM_REQUESTS_PER_SECOND": _NO_LIMIT,
    "BLOGGER_TRACKING_YOUTUBE_REQUESTS_PER_SECOND": _NO_LIMIT,
    "BLOGGER_TRACKING_YOUTUBE_DAILY_UNITS": _NO_LIMIT,
}
"""Settings of every process in the benchmark, the bare script included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Sizes of the measurements. A fleet is a number of bloggers, spread evenly over the platforms.

    A stack runs the batch with `warm_up_fleet` first, because the first run of a stack is slower than later runs; with
    0 it does not. Runs are polled seldom, because polling adds to the measured load.
    """

    fleets: tuple[int, ...] = (100, 1_000, 10_000)
    shared_fleet: int = 10_000
    large_fleet: int = 100_000
    workers_fleet: int = 1_000
    parallelism: tuple[int, ...] = (8, 16, 32)
    pairs: int = 3
    pairs_fleet: int = 1_000
    pairs_parallelism: int = 16
    script_fleets: tuple[int, ...] = (1_000, 10_000)
    script_threads: tuple[int, ...] = (64, 128, 16)
    line_fleet: int = 1_000
    line_threads: int = 64
    line_organizations: int = 50
    saved_videos: int = 50
    saves: int = 15
    planned_accounts: tuple[int, ...] = (1_000, 10_000, 100_000)
    fair_accounts: int = 10_000
    fair_samples: int = 20
    additions: int = 20
    read_accounts: int = 50_000
    read_videos: int = 10
    read_runs: int = 20
    year_accounts: int = 1_000
    year_videos: int = 30
    year_days: int = 365
    requested_accounts: int = 40
    requested_runs: int = 56
    requested_channels: int = 200
    requested_targets: tuple[int, ...] = (10, 30, 50)
    runs: int = 3
    warm_up_fleet: int = 9
    run_poll_seconds: float = 5


QUICK_SIZES = Sizes(
    fleets=(6,),
    shared_fleet=9,
    large_fleet=12,
    workers_fleet=6,
    parallelism=(4,),
    pairs=1,
    pairs_fleet=6,
    pairs_parallelism=4,
    script_fleets=(6, 9),
    script_threads=(4,),
    line_fleet=6,
    line_threads=4,
    line_organizations=3,
    saved_videos=5,
    saves=2,
    planned_accounts=(30,),
    fair_accounts=30,
    fair_samples=2,
    additions=2,
    read_accounts=6,
    read_videos=2,
    read_runs=2,
    year_accounts=3,
    year_videos=3,
    year_days=100,
    requested_accounts=4,
    requested_runs=8,
    requested_channels=3,
    requested_targets=(10, 30),
    runs=1,
    warm_up_fleet=0,
    run_poll_seconds=1,
)
"""Sizes for a check that every scenario works; figures of these sizes have no meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Conditions of one benchmark: the stack as shipped, the folder of its files, the sizes.

    `shipped` is the stack that `make up` would start; `folder` is emptied before each scenario.
    """

    shipped: StackConfig
    folder: Path
    sizes: Sizes

    def stack(
        self, *, name: str = "stack", parallelism: int | None = None, environment: Mapping[str, str] | None = None
    ) -> StackConfig:
        """Return the stack as shipped, with a sandbox that responds slowly and without irregularities.

        `name` is the stack's folder: stacks of one scenario whose DAGs differ need folders of their own, because
        Airflow keeps parsed DAGs in its database.
        """
        options = self.sandbox_options()
        arguments = ["--no-traps", "--youtube-daily-units", str(options.youtube_daily_units)]
        return replace(
            self.shipped,
            folder=self.folder / name,
            sandbox=SandboxConfig(
                seed=options.seed,
                latency_ms=options.latency_ms,
                creators=options.creators_per_platform,
                arguments=arguments,
            ),
            parallelism=parallelism or self.shipped.parallelism,
            environment={**self.shipped.environment, **BENCH_SETTINGS, **(environment or {})},
        )

    def workers_stack(self, parallelism: int, name: str = "stack") -> StackConfig:
        """Return the same stack with fetches in workers, as ordinary mapped tasks."""
        environment = {
            "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "False",
            "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": str(parallelism),
        }
        return self.stack(name=name, parallelism=parallelism, environment=environment)

    def databases(self) -> StackConfig:
        """Return the configuration of the stack's databases, without Airflow and the sandbox."""
        return replace(self.stack(), only_databases=True)

    def sandbox_options(self) -> SandboxOptions:
        """Return the sandbox options of every measurement."""
        return SandboxOptions(
            latency_ms=_LATENCY_MS,
            creators_per_platform=_CREATORS,
            youtube_daily_units=int(_NO_LIMIT),
            traps=False,
        )

    def request_options(self) -> SandboxOptions:
        """Return the sandbox options for counting requests: small responses without delay."""
        return replace(self.sandbox_options(), latency_ms=0, body_bytes=_SMALL_BODY_BYTES)
