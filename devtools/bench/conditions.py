"""What is measured, how large, and what differs from a stack as shipped while it is."""

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
_NO_LIMIT = "1000000"

BENCH_SETTINGS: Mapping[str, str] = {
    # Nothing but what is measured may start.
    "BLOGGER_TRACKING_SCHEDULE": "0 0 29 2 *",
    # The platforms' own limits would be all that is measured.
    "BLOGGER_TRACKING_TIKTOK_REQUESTS_PER_SECOND": _NO_LIMIT,
    "BLOGGER_TRACKING_INSTAGRAM_REQUESTS_PER_SECOND": _NO_LIMIT,
    "BLOGGER_TRACKING_YOUTUBE_REQUESTS_PER_SECOND": _NO_LIMIT,
    "BLOGGER_TRACKING_YOUTUBE_DAILY_UNITS": _NO_LIMIT,
}
"""Settings of every process while something is measured, the bare script included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much of everything is measured. Fleets are numbers of bloggers, evenly over the platforms."""

    fleets: tuple[int, ...] = (100, 1_000, 10_000)
    shared_fleet: int = 10_000
    large_fleet: int = 100_000
    workers_fleet: int = 1_000
    parallelism: tuple[int, ...] = (8, 16, 32)
    script_fleets: tuple[int, ...] = (1_000, 10_000)
    script_threads: tuple[int, ...] = (64, 128, 16)
    saved_videos: int = 50
    saves: int = 15
    planned_accounts: tuple[int, ...] = (1_000, 10_000, 100_000)
    additions: int = 20
    runs: int = 3


QUICK_SIZES = Sizes(
    fleets=(6,),
    shared_fleet=9,
    large_fleet=12,
    workers_fleet=6,
    parallelism=(4,),
    script_fleets=(6, 9),
    script_threads=(4,),
    saves=2,
    planned_accounts=(30,),
    additions=2,
    runs=1,
)
"""Shows that everything can be measured, and measures nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """One bench: what a stack as shipped would be, where it may keep its files, and the sizes.

    `shipped` is the stack that `make up` would start; `folder` is emptied before something is measured.
    """

    shipped: StackConfig
    folder: Path
    sizes: Sizes

    def stack(self, *, parallelism: int | None = None, environment: Mapping[str, str] | None = None) -> StackConfig:
        """The stack as shipped over a sandbox that answers like a far and tidy platform."""
        options = self.sandbox_options()
        arguments = ["--no-traps", "--youtube-daily-units", str(options.youtube_daily_units)]
        return replace(
            self.shipped,
            folder=self.folder / "stack",
            sandbox=SandboxConfig(
                seed=options.seed,
                latency_ms=options.latency_ms,
                creators=options.creators_per_platform,
                arguments=arguments,
            ),
            parallelism=parallelism or self.shipped.parallelism,
            environment={**self.shipped.environment, **BENCH_SETTINGS, **(environment or {})},
        )

    def databases(self) -> StackConfig:
        """The databases of the same stack, and nothing else."""
        return replace(self.stack(), only_databases=True)

    def sandbox_options(self) -> SandboxOptions:
        """The platforms that everything is measured with."""
        return SandboxOptions(
            latency_ms=_LATENCY_MS,
            creators_per_platform=_CREATORS,
            youtube_daily_units=int(_NO_LIMIT),
            traps=False,
        )
