"""Command line of chaos: `python -m devtools.chaos`. Disturbs, checks, prints a table, writes `chaos.json`."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

from rich.console import Console
from rich.text import Text

from blogger_tracking.terminal_tables import terminal, titled_table
from devtools.chaos.chaos_stack import ChaosStack
from devtools.chaos.conditions import FAST_SETTINGS, Sizes, chaos_stack
from devtools.chaos.harness import Harness, TryResult, summarize_kinds
from devtools.chaos.kinds.kind import Kind
from devtools.chaos.kinds.table import KINDS
from devtools.chaos.report import chaos_report, print_report, write_report
from devtools.chaos.world_oracle import WorldOracle
from devtools.local_stack.cli import run_interruptible
from devtools.local_stack.commands import timed_progress
from devtools.local_stack.config import PROJECT_ROOT, StackError
from devtools.local_stack.stack_folder import find_running_stack
from devtools.platform_sandbox import World

_UNDISTURBED_RUNS = 2
_MINUTES = 38.0
_LONGEST_TRY_SECONDS = 120.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Disturb, and return 1 if anything was violated."""
    parser = argparse.ArgumentParser(prog="python -m devtools.chaos", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=KINDS, metavar="KIND", help="kinds to try")
    parser.add_argument("--times", type=int, default=1, help="tries of each kind of --only")
    parser.add_argument(
        "--minutes", type=float, default=_MINUTES, help="time of all tries; none begins in the last two minutes"
    )
    parser.add_argument("--folder", type=Path, default=PROJECT_ROOT / "var", help="folder of chaos.json and the stack")
    parser.add_argument("--list", action="store_true", help="print the kinds and their sentences")
    given = parser.parse_args(arguments)
    if given.list:
        _print_kinds(terminal())
        return 0
    return run_interruptible(lambda: _chaos(given, terminal()))


def _chaos(given: argparse.Namespace, console: Console) -> int:
    seed = os.environ.get("SEED") or str(random.SystemRandom().randrange(1_000_000))
    deadline = time.monotonic() + given.minutes * 60
    folder: Path = given.folder.absolute()
    config = chaos_stack(folder / "chaos")
    if find_running_stack(config.folder) is not None:
        raise StackError(f"Chaos is running in {config.folder} already. It was not stopped; wait until it has ended.")
    shutil.rmtree(config.folder, ignore_errors=True)
    _print_settings(console)
    progress = timed_progress(console)
    progress(f"SEED={seed}")
    sandbox = config.sandbox
    oracle = WorldOracle(World(sandbox.seed, sandbox.creators or 0))
    results: list[TryResult] = []
    with ChaosStack(config, progress) as stack:
        harness = Harness(stack, oracle, seed, Sizes(), progress)
        harness.measure_undisturbed(_UNDISTURBED_RUNS)
        progress(f"Undisturbed: {harness.undisturbed_seconds:.0f} s to green")
        try:
            for kinds in disturbances(seed, given.only, given.times):
                if time.monotonic() > deadline - _LONGEST_TRY_SECONDS:
                    break
                results.append(harness.disturb(*kinds))
        finally:
            report = chaos_report(
                seed, harness.undisturbed_seconds, summarize_kinds(list(KINDS.values()), results), results
            )
            write_report(report, folder / "chaos.json")
            print_report(report, console)
    progress(f"The same figures are in {folder / 'chaos.json'}")
    if not results:
        raise StackError("Nothing was tried: the undisturbed runs took the whole time. Give more --minutes.")
    return 1 if report["violations"] else 0


def disturbances(seed: str, only: Sequence[str] | None, times: int) -> Iterator[tuple[Kind, ...]]:
    """Yield the kinds to try together.

    These are the kinds of `only`, each `times` times; without `only` every kind alone, then pairs at random without
    end, and bloggers are added during every third of them.
    """
    if only:
        yield from ((KINDS[name],) for _ in range(times) for name in only)
        return
    yield from ((kind,) for kind in KINDS.values())
    chance = random.Random(seed)  # noqa: S311 - a repeatable choice
    additions = KINDS["bloggers-added"]
    others = [kind for kind in KINDS.values() if kind is not additions]
    for number in count():
        yield (*([additions] if number % 3 == 0 else []), *chance.sample(others, 2))


def _print_kinds(console: Console) -> None:
    table = titled_table("Kinds", "kind")
    table.add_column("what is done")
    for kind in KINDS.values():
        table.add_row(kind.name, kind.sentence)
    console.print(table)


def _print_settings(console: Console) -> None:
    table = titled_table("Settings of the disturbed stack", "setting")
    table.add_column("value")
    for name, value in FAST_SETTINGS.items():
        table.add_row(Text(name), Text(value))
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
