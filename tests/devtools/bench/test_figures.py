from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from psycopg import Connection

from devtools.bench.__main__ import plot_file
from devtools.bench.bench_fleets import Fleets
from devtools.bench.figures import Measurements, headline
from devtools.bench.measurement import UsageMeter, median_run
from devtools.bench.scenarios import USUAL_SCENARIOS
from devtools.local_stack.config import PROJECT_ROOT
from devtools.platform_sandbox import World
from tests.support.database_builder import DatabaseBuilder


@dataclass(frozen=True)
class Measured:
    seconds: float


def measure_all(seconds: list[float]) -> tuple[float, int]:
    """Return the median of three runs of these lengths, and the number of runs."""
    left = iter(seconds)
    median = median_run(lambda: Measured(next(left)), 3).seconds
    return median, len(seconds) - len(list(left))


def test_a_run_shorter_than_two_minutes_is_measured_three_times_and_the_median_counts() -> None:
    assert measure_all([9, 100, 20]) == (20, 3)


def test_a_run_of_two_minutes_is_measured_once() -> None:
    assert measure_all([120, 9, 20]) == (120, 1)


def test_only_a_full_bench_of_all_usual_scenarios_draws_the_plot_of_the_documentation(tmp_path: Path) -> None:
    in_docs = PROJECT_ROOT / "docs" / "bench.svg"
    elsewhere = tmp_path / "bench.svg"
    assert plot_file(tmp_path, USUAL_SCENARIOS, quick=False) == in_docs
    assert plot_file(tmp_path, USUAL_SCENARIOS, quick=True) == elsewhere
    assert plot_file(tmp_path, USUAL_SCENARIOS[1:], quick=False) == elsewhere
    assert plot_file(tmp_path, ["large"], quick=False) == elsewhere


def test_the_requests_per_fetch_are_listed_by_kind_of_account_and_target() -> None:
    by_target = {"10": {"total": 1.2}, "30": {"total": 3.2}}
    figures = headline({"requests": {"instagram_reels": by_target}})
    assert figures["requests_instagram_reels"] == {"10": 1.2, "30": 3.2}
    assert figures["requests_youtube"] == {}


def test_the_ratio_to_workers_is_the_median_ratio_of_the_pairs() -> None:
    measurements: Measurements = {
        "batch": {"1000": {"seconds": 20.0, "per_second": 50.0}},
        "workers": {"16": {"bloggers": 1000, "seconds": 160.0}},
        "pairs": {"median_ratio": 6.5},
    }
    assert headline(measurements)["ratio_workers"] == pytest.approx(6.5)


def test_the_ratio_to_workers_without_pairs_is_the_one_of_the_best_parallelism() -> None:
    measurements = {
        "batch": {"1000": {"seconds": 20.0, "per_second": 50.0}},
        "workers": {
            "8": {"bloggers": 1000, "seconds": 170.0},
            "16": {"bloggers": 1000, "seconds": 160.0},
            "32": {"bloggers": 1000, "seconds": 180.0},
        },
    }
    assert headline(measurements)["ratio_workers"] == pytest.approx(8)


def test_the_ratio_to_the_script_compares_runs_of_the_same_fleet() -> None:
    measurements = {
        "batch": {"100": {"seconds": 5.0, "per_second": 20.0}, "1000": {"seconds": 20.0, "per_second": 50.0}},
        "script": {"1000": {"seconds": 5.0}},
    }
    assert headline(measurements)["ratio_script"] == {"1000": 0.25}


def test_shared_instances_are_compared_with_the_script_on_the_same_fleet() -> None:
    measurements = {
        "shared": {"10000": {"seconds": 100.0, "per_second": 100.0}},
        "script": {"1000": {"seconds": 5.0}, "10000": {"seconds": 70.0}},
    }
    assert headline(measurements)["ratio_script_shared"] == pytest.approx(0.7)


def test_the_figures_of_a_large_fleet_are_listed_with_the_usual_ones() -> None:
    measurements = {"batch": {"100": {"seconds": 5.0, "per_second": 20.0}}, "large": {"100000": {"per_second": 40.0}}}
    assert headline(measurements)["per_second"] == {"100": 20.0, "100000": 40.0}


def test_the_rates_over_a_line_are_compared_with_many_organizations_and_with_no_line() -> None:
    def rates(one: float, many: float) -> dict[str, dict[str, float]]:
        return {"1": {"per_second": one}, "50": {"per_second": many}}

    figures = headline({"line": {"0": rates(45, 50), "20": rates(36, 45)}})
    assert figures["ratio_one_organization"] == pytest.approx(0.8)
    assert figures["ratio_line_one"] == pytest.approx(0.72)
    assert figures["ratio_line_many"] == pytest.approx(0.9)


def test_a_figure_that_was_not_measured_is_none() -> None:
    assert headline({})["plan_100k_seconds"] is None


def test_the_usage_of_a_program_counts_only_the_time_of_the_measurement() -> None:
    _spend_cpu_seconds(0.5)
    with UsageMeter({"this": os.getpid()}) as meter:
        before = time.process_time()
        _spend_cpu_seconds(0.3)
        used = meter.usage()["this"].cpu_seconds
        spent = time.process_time() - before
    # Linux counts the times of a process in hundredths of a second, and the usage is rounded to tenths.
    assert used == pytest.approx(spent, abs=0.1)


def _spend_cpu_seconds(seconds: float) -> None:
    before = time.process_time()
    while time.process_time() - before < seconds:
        pass


@pytest.mark.parametrize("bloggers", [7, 50])
def test_a_fleet_is_spread_evenly_over_the_platforms_and_the_previous_one_is_inactive(
    build: DatabaseBuilder, admin: Connection, bloggers: int
) -> None:
    fleets = Fleets(World())
    fleets.track(admin, 5)
    fleets.track(admin, bloggers)
    counts = build.rows("select count(*) from tracked_bloggers_view where is_active group by platform")
    assert sum(count for (count,) in counts) == bloggers
    assert max(counts)[0] - min(counts)[0] <= 1
