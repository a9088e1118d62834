"""Command line of the benchmark: `python -m devtools.bench`. Measures, prints tables, writes figures, draws a plot."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from blogger_tracking.settings import COLLECTION_THRESHOLDS
from blogger_tracking.terminal_tables import terminal
from devtools.bench.bench_fleets import Fleets
from devtools.bench.conditions import BENCH_SETTINGS, QUICK_SIZES, Conditions, Sizes
from devtools.bench.figures import read_measurements, write_figures
from devtools.bench.plot import draw_plot
from devtools.bench.scenarios import SCENARIOS, USUAL_SCENARIOS, Bench
from devtools.bench.tables import bench_tables
from devtools.local_stack.airflow_environment import TUNED_SETTINGS
from devtools.local_stack.airflow_processes import DAG_PROCESSOR_NICENESS
from devtools.local_stack.cli import add_stack_options, run_interruptible, stack_config
from devtools.local_stack.commands import timed_progress
from devtools.local_stack.config import PROJECT_ROOT, StackError
from devtools.local_stack.databases import AUTOVACUUM_NAPTIME
from devtools.local_stack.stack_folder import find_running_stack
from devtools.platform_sandbox import World


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the chosen scenarios and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m devtools.bench", description=__doc__)
    add_stack_options(parser)
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, default=USUAL_SCENARIOS, help="scenarios to measure")
    parser.add_argument("--quick", action="store_true", help="tiny fleets: only check that every scenario works")
    given = parser.parse_args(arguments)
    return run_interruptible(lambda: _bench(given, terminal()))


def _bench(given: argparse.Namespace, console: Console) -> int:
    config = stack_config(given)
    sizes = QUICK_SIZES if given.quick else Sizes()
    conditions = Conditions(shipped=config, folder=config.folder / "bench", sizes=sizes)
    _measure(conditions, given.only, plot_file(config.folder, given.only, quick=given.quick), console)
    return 0


def plot_file(folder: Path, scenarios: Sequence[str], *, quick: bool) -> Path:
    """Return the file for the plot: the one in the documentation only if all usual scenarios are measured in full.

    Any other bench draws a plot of what has been measured into the stack's folder.
    """
    complete = not quick and set(USUAL_SCENARIOS) <= set(scenarios)
    return (PROJECT_ROOT / "docs" if complete else folder) / "bench.svg"


def _measure(conditions: Conditions, scenarios: Sequence[str], plot: Path, console: Console) -> None:
    """Measure these scenarios; earlier figures of other scenarios are kept. Raises StackError."""
    file = conditions.shipped.folder / "bench.json"
    measurements = read_measurements(file)
    settings = _settings(conditions)
    options = conditions.sandbox_options()
    progress = timed_progress(console)
    for scenario in scenarios:
        _remove_stacks(conditions)
        progress(f"Measuring {scenario}: {SCENARIOS[scenario].__doc__}")
        fleets = Fleets(World(options.seed, options.creators_per_platform))
        measurements[scenario] = SCENARIOS[scenario](Bench(conditions, fleets, progress))
        write_figures(file, measurements, {name: value for name, value, _ in settings})
    _remove_stacks(conditions)
    draw_plot(measurements, plot)
    console.print(*bench_tables(measurements, settings))
    progress(f"The figures are in {file}, the plot in {plot}")


def _remove_stacks(conditions: Conditions) -> None:
    for folder in conditions.folder.glob("*"):
        if find_running_stack(folder) is not None:
            raise StackError(f"Another benchmark is running in {folder}. It was not stopped; wait until it has ended.")
    shutil.rmtree(conditions.folder, ignore_errors=True)


def _settings(conditions: Conditions) -> list[tuple[str, str, str]]:
    """Return name, value and reason of each setting: Airflow's tuned settings, then those of the benchmark."""
    shipped = conditions.shipped
    tuned = [
        (f"[{setting.section}] {setting.option}", os.environ.get(setting.variable, setting.value), setting.reason)
        for setting in TUNED_SETTINGS
    ]
    machine = [
        ("[core] parallelism", str(shipped.parallelism), "Workers run only the tasks that do not fetch."),
        ("triggerers", str(shipped.triggerers), "Processes that fetch."),
        ("niceness of the DAG processor", str(DAG_PROCESSOR_NICENESS), "Parsing DAG files can wait."),
        (
            "Python: gc.set_threshold",
            str(COLLECTION_THRESHOLDS),
            "Airflow's processes hold many more objects than the defaults are meant for.",
        ),
        (
            "Postgres: autovacuum_naptime",
            AUTOVACUUM_NAPTIME,
            "The best query plans of Airflow's statements depend on the number of triggers.",
        ),
    ]
    return tuned + machine + [(name, value, "Only in the benchmark.") for name, value in BENCH_SETTINGS.items()]


if __name__ == "__main__":
    sys.exit(main())
