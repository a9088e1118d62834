"""Command line of the benchmark: `python -m devtools.bench`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from blogger_tracking.cli import terminal
from devtools.bench.command import bench
from devtools.bench.conditions import QUICK_SIZES, Conditions, Sizes
from devtools.bench.scenarios import SCENARIOS, USUAL_SCENARIOS
from devtools.local_stack.cli import add_stack_options, run_interruptible, stack_config
from devtools.local_stack.config import PROJECT_ROOT


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the chosen scenarios and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m devtools.bench", description=__doc__)
    add_stack_options(parser)
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, default=USUAL_SCENARIOS, help="what to measure")
    parser.add_argument("--quick", action="store_true", help="tiny fleets: show that everything can be measured")
    given = parser.parse_args(arguments)
    return run_interruptible(lambda: _bench(given))


def _bench(given: argparse.Namespace) -> int:
    config = stack_config(given)
    conditions = Conditions(
        shipped=config, folder=config.folder / "bench", sizes=QUICK_SIZES if given.quick else Sizes()
    )
    # A quick bench must not overwrite the plot in the documentation.
    plot = config.folder / "bench.svg" if given.quick else PROJECT_ROOT / "docs" / "bench.svg"
    return bench(conditions, given.only, plot, terminal())


if __name__ == "__main__":
    sys.exit(main())
