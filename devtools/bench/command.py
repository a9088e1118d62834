"""`make bench`: measure, print, write down, draw."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from blogger_tracking.settings import COLLECTION_THRESHOLDS
from devtools.bench.conditions import BENCH_SETTINGS, Conditions
from devtools.bench.figures import read_measurements, write_figures
from devtools.bench.fleet import Fleets
from devtools.bench.plot import draw_plot
from devtools.bench.scenarios import SCENARIOS, Bench
from devtools.bench.tables import bench_tables
from devtools.local_stack.airflow_processes import DAG_PROCESSOR_NICENESS
from devtools.local_stack.airflow_settings import TUNED_SETTINGS
from devtools.local_stack.embedded_postgres import AUTOVACUUM_PAUSE
from devtools.local_stack.errors import StackError
from devtools.local_stack.ownership import running_stack
from devtools.platform_sandbox import World


def bench(conditions: Conditions, scenarios: Sequence[str], plot: Path, console: Console) -> int:
    """Measure these scenarios; what was measured before of others is kept. Raises StackError."""
    file = conditions.shipped.folder / "bench.json"
    measurements = read_measurements(file)
    settings = _settings(conditions)
    options = conditions.sandbox_options()
    say = _timed(console)
    for scenario in scenarios:
        _empty(conditions)
        say(f"{scenario}: {SCENARIOS[scenario].__doc__}")
        fleets = Fleets(World(options.seed, options.creators_per_platform))
        measurements[scenario] = SCENARIOS[scenario](Bench(conditions, fleets, say))
        write_figures(file, measurements, {name: value for name, value, _ in settings})
    _empty(conditions)
    draw_plot(measurements, plot)
    console.print(*bench_tables(measurements, settings))
    say(f"The figures are in {file}, the plot in {plot}")
    return 0


def _empty(conditions: Conditions) -> None:
    folder = conditions.stack().folder
    if running_stack(folder) is not None:
        raise StackError(f"Another bench is running in {folder}.")
    shutil.rmtree(folder, ignore_errors=True)


def _settings(conditions: Conditions) -> list[tuple[str, str, str]]:
    """Name, value, reason: Airflow's as the stack tunes them, then what the bench changes."""
    shipped = conditions.shipped
    tuned = [
        (f"[{setting.section}] {setting.option}", os.environ.get(setting.variable, setting.value), setting.reason)
        for setting in TUNED_SETTINGS
    ]
    machine = [
        ("[core] parallelism", str(shipped.parallelism), "Workers are for what is not a fetch."),
        ("triggerers", str(shipped.triggerers), "Processes that fetch."),
        ("niceness of the DAG processor", str(DAG_PROCESSOR_NICENESS), "What instances leave for it can wait."),
        (
            "Python: gc.set_threshold",
            str(COLLECTION_THRESHOLDS),
            "Airflow holds far more objects than they were made for.",
        ),
        ("Postgres: autovacuum_naptime", AUTOVACUUM_PAUSE, "Airflow's plans follow how many triggers there are."),
    ]
    return tuned + machine + [(name, value, "Only while measuring.") for name, value in BENCH_SETTINGS.items()]


def _timed(console: Console) -> Callable[[str], None]:
    begin = time.monotonic()

    def say(message: str) -> None:
        console.print(f"{time.monotonic() - begin:5.0f} s  {message}", highlight=False, markup=False, soft_wrap=True)

    return say
