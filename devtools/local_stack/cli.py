"""Command line of the local stack: `python -m devtools.local_stack COMMAND`, as the Makefile calls it."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console

from blogger_tracking.domain.errors import BloggerTrackingError
from blogger_tracking.terminal_tables import terminal
from devtools.local_stack import commands
from devtools.local_stack.config import SandboxConfig, StackConfig

_COMMANDS: Mapping[str, Callable[[StackConfig, Console], int]] = {
    "run": commands.run,
    "up": commands.up,
    "down": commands.down,
    "verify": commands.verify,
    "doctor": commands.doctor,
    "queues": commands.queues,
    "requeue": commands.requeue,
    "migrate": commands.migrate,
    "migrate-sql": commands.migrate_sql,
    "uninstall": commands.uninstall,
    "legacy-views": commands.legacy_views,
    "import-check": commands.import_check,
    "import": commands.import_legacy,
}

_COMMANDS_WITH_OPTIONS: Mapping[str, Callable[[StackConfig, Sequence[str]], int]] = {"compare": commands.compare}
"""Commands that pass further options on to the command of the same name of `blogger_tracking.cli`."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class InterruptedBySignalError(BaseException):
    """A signal asked this process to end. Derived from BaseException, so that no error handler catches the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 1 for a failure, 128 + the signal's number for an interruption."""
    parser = argparse.ArgumentParser(prog="python -m devtools.local_stack", description=__doc__)
    parser.add_argument("command", choices=[*_COMMANDS, *_COMMANDS_WITH_OPTIONS])
    add_stack_options(parser)
    given, options = parser.parse_known_args(arguments)
    if given.command in _COMMANDS_WITH_OPTIONS:
        return run_interruptible(lambda: _COMMANDS_WITH_OPTIONS[given.command](stack_config(given), options))
    if options:
        parser.error(f"unrecognized arguments: {' '.join(options)}")
    return run_interruptible(lambda: _COMMANDS[given.command](stack_config(given), terminal()))


def run_interruptible(command: Callable[[], int]) -> int:
    """Run a command and return its exit code; print an error as one line, without a traceback."""
    errors = Console(stderr=True)
    try:
        with _interruptible():
            return command()
    except BloggerTrackingError as error:
        errors.print(str(error), soft_wrap=True, style="bold red", highlight=False, markup=False)
        return 1
    except InterruptedBySignalError as interruption:
        errors.print(f"Stopped by {interruption}.", highlight=False)
        return interruption.exit_code


def add_stack_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that configure a stack."""
    defaults = StackConfig()
    parser.add_argument("--folder", type=Path, default=defaults.folder, help="folder of the stack's files")
    parser.add_argument("--api-port", type=int, default=0, help="port of Airflow's API server; 0: any free port")
    parser.add_argument("--sandbox-port", type=int, default=0, help="port of the platform sandbox; 0: any free port")
    parser.add_argument(
        "--latency-ms", type=float, default=defaults.sandbox.latency_ms, help="mean delay of the sandbox's responses"
    )
    parser.add_argument("--triggerers", type=int, default=defaults.triggerers, help="number of triggerer processes")
    parser.add_argument(
        "--parallelism", type=int, default=defaults.parallelism, help="number of task instances in workers at once"
    )


def stack_config(given: argparse.Namespace) -> StackConfig:
    """Return the configuration that the parsed options describe."""
    return StackConfig(
        folder=given.folder.absolute(),
        sandbox=SandboxConfig(latency_ms=given.latency_ms),
        triggerers=given.triggerers,
        parallelism=given.parallelism,
        api_port=given.api_port,
        sandbox_port=given.sandbox_port,
    )


@contextmanager
def _interruptible() -> Generator[None]:
    """Raise InterruptedBySignalError on the first signal, and ignore further ones.

    The exception unwinds the command, which ends the processes that it started; a second Ctrl-C must not cut that
    short.
    """
    before = {number: signal.signal(number, _raise) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise(number: int, frame: FrameType | None) -> None:
    del frame
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise InterruptedBySignalError(number)
