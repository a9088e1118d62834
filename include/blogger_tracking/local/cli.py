"""`python -m blogger_tracking.local COMMAND`: what the Makefile calls."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from blogger_tracking.domain.errors import BloggerTrackingError
from blogger_tracking.local import commands
from blogger_tracking.local.bench.command import bench
from blogger_tracking.local.bench.conditions import QUICK_SIZES, Conditions, Sizes
from blogger_tracking.local.bench.scenarios import SCENARIOS, USUAL_SCENARIOS
from blogger_tracking.local.config import PROJECT_ROOT, SandboxConfig, StackConfig
from blogger_tracking.local.interruption import InterruptedBySignalError, interruptible

_COLUMNS = 120

_COMMANDS: Mapping[str, Callable[[StackConfig, Console], int]] = {
    "run": commands.run,
    "up": commands.up,
    "down": commands.down,
    "verify": commands.verify,
    "queues": commands.queues,
    "requeue": commands.requeue,
    "migrate": commands.migrate,
}

_BENCH = "bench"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one command; return its exit code: 1 when it failed, 128 + the signal's number when it was interrupted."""
    given = _parser().parse_args(arguments)
    errors = Console(stderr=True)
    try:
        with interruptible():
            if given.command == _BENCH:
                return _bench(given)
            return _COMMANDS[given.command](_config(given), _console())
    except BloggerTrackingError as error:
        errors.print(str(error), soft_wrap=True, style="bold red", highlight=False, markup=False)
        return 1
    except InterruptedBySignalError as interruption:
        errors.print(f"Stopped by {interruption}.", highlight=False)
        return interruption.exit_code


def _console() -> Console:
    # Without a terminal the tables would be squeezed into 80 columns.
    return Console() if sys.stdout.isatty() else Console(width=_COLUMNS)


def _parser() -> argparse.ArgumentParser:
    defaults = StackConfig()
    parser = argparse.ArgumentParser(prog="python -m blogger_tracking.local", description=__doc__)
    parser.add_argument("command", choices=[*_COMMANDS, _BENCH])
    parser.add_argument("--folder", type=Path, default=defaults.folder, help="where the stack keeps its files")
    parser.add_argument("--api-port", type=int, default=0, help="of Airflow's API server; 0: any free one")
    parser.add_argument("--sandbox-port", type=int, default=0, help="of the invented platforms; 0: any free one")
    parser.add_argument("--latency-ms", type=float, default=defaults.sandbox.latency_ms, help="of the sandbox")
    parser.add_argument("--triggerers", type=int, default=defaults.triggerers)
    parser.add_argument("--parallelism", type=int, default=defaults.parallelism)
    measuring = parser.add_argument_group("bench")
    measuring.add_argument("--only", nargs="+", choices=SCENARIOS, default=USUAL_SCENARIOS, help="what to measure")
    measuring.add_argument("--quick", action="store_true", help="tiny fleets: whether it works, not how fast")
    return parser


def _bench(given: argparse.Namespace) -> int:
    config = _config(given)
    conditions = Conditions(
        shipped=config, folder=config.folder / "bench", sizes=QUICK_SIZES if given.quick else Sizes()
    )
    # A quick one leaves the project's own plot alone.
    plot = config.folder / "bench.svg" if given.quick else PROJECT_ROOT / "docs" / "bench.svg"
    return bench(conditions, given.only, plot, _console())


def _config(given: argparse.Namespace) -> StackConfig:
    return StackConfig(
        folder=given.folder.absolute(),
        sandbox=SandboxConfig(latency_ms=given.latency_ms),
        triggerers=given.triggerers,
        parallelism=given.parallelism,
        api_port=given.api_port,
        sandbox_port=given.sandbox_port,
    )
