"""`python -m devtools.local_stack COMMAND`: what the Makefile calls."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from blogger_tracking.cli import terminal
from blogger_tracking.domain.errors import BloggerTrackingError
from devtools.local_stack import commands
from devtools.local_stack.config import SandboxConfig, StackConfig
from devtools.local_stack.interruption import InterruptedBySignalError, interruptible

_COMMANDS: Mapping[str, Callable[[StackConfig, Console], int]] = {
    "run": commands.run,
    "up": commands.up,
    "down": commands.down,
    "verify": commands.verify,
    "queues": commands.queues,
    "requeue": commands.requeue,
    "migrate": commands.migrate,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 1 for a failure, 128 + the signal's number for an interruption."""
    parser = argparse.ArgumentParser(prog="python -m devtools.local_stack", description=__doc__)
    parser.add_argument("command", choices=_COMMANDS)
    add_stack_options(parser)
    given = parser.parse_args(arguments)
    return run_interruptible(lambda: _COMMANDS[given.command](stack_config(given), terminal()))


def run_interruptible(command: Callable[[], int]) -> int:
    """Run a command and return its exit code; its errors become one line, an interruption 128 + the signal's number."""
    errors = Console(stderr=True)
    try:
        with interruptible():
            return command()
    except BloggerTrackingError as error:
        errors.print(str(error), soft_wrap=True, style="bold red", highlight=False, markup=False)
        return 1
    except InterruptedBySignalError as interruption:
        errors.print(f"Stopped by {interruption}.", highlight=False)
        return interruption.exit_code


def add_stack_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that describe a stack."""
    defaults = StackConfig()
    parser.add_argument("--folder", type=Path, default=defaults.folder, help="where the stack keeps its files")
    parser.add_argument("--api-port", type=int, default=0, help="of Airflow's API server; 0: any free one")
    parser.add_argument("--sandbox-port", type=int, default=0, help="of the invented platforms; 0: any free one")
    parser.add_argument("--latency-ms", type=float, default=defaults.sandbox.latency_ms, help="of the sandbox")
    parser.add_argument("--triggerers", type=int, default=defaults.triggerers)
    parser.add_argument("--parallelism", type=int, default=defaults.parallelism)


def stack_config(given: argparse.Namespace) -> StackConfig:
    """Return the stack that the parsed options describe."""
    return StackConfig(
        folder=given.folder.absolute(),
        sandbox=SandboxConfig(latency_ms=given.latency_ms),
        triggerers=given.triggerers,
        parallelism=given.parallelism,
        api_port=given.api_port,
        sandbox_port=given.sandbox_port,
    )
