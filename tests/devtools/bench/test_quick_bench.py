"""The whole benchmark with tiny fleets: every scenario works; the speed is not checked."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devtools.bench.__main__ import main
from devtools.bench.figures import REQUEST_KINDS

# The fixture, in which five stacks start and stop one after the other, belongs to the test that runs first.
pytestmark = pytest.mark.timeout(1500)

# The remaining scenarios are the batch with other numbers and settings.
MEASURED = (
    "saving",
    "planning",
    "fairness",
    "member_reads",
    "page",
    "history",
    "requests",
    "script",
    "line",
    "batch",
    "workers",
    "pairs",
    "initial",
)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Folder in which a quick benchmark has measured these scenarios."""
    # Not pytest's own folder, which the user that Postgres runs as cannot enter if pytest runs as root.
    with tempfile.TemporaryDirectory(prefix="bt-bench-") as path:
        assert main(["--quick", "--only", *MEASURED, "--folder", path]) == 0
        yield Path(path)


@pytest.fixture(scope="module")
def figures(folder: Path) -> dict[str, Any]:
    written: dict[str, Any] = json.loads((folder / "bench.json").read_text(encoding="utf-8"))
    return written


def test_every_scenario_writes_its_figures(figures: dict[str, Any]) -> None:
    assert set(figures["measurements"]) == set(MEASURED)
    assert set(figures["per_second"]) == {"6"}
    assert set(figures["ratio_script"]) == {"6"}
    assert figures["save_ratio_20ms"] > 1
    assert figures["initial_fetch_median_seconds"] > 0


def test_a_pair_compares_a_run_in_workers_with_the_run_as_shipped_before_it(figures: dict[str, Any]) -> None:
    measured = figures["measurements"]["pairs"]
    (pair,) = measured["pairs"]
    assert pair["ratio"] == pytest.approx(pair["workers_seconds"] / pair["shipped_seconds"], rel=0.01)
    assert figures["ratio_workers"] == measured["median_ratio"] == pair["ratio"]


def test_the_run_in_workers_has_figures_of_its_own(figures: dict[str, Any]) -> None:
    workers = figures["measurements"]["workers"]["4"]
    assert workers["bloggers"] == 6
    assert workers["seconds"] > 0


def test_a_run_has_the_usage_of_each_program_and_no_violations(figures: dict[str, Any]) -> None:
    run = figures["measurements"]["batch"]["6"]
    assert {"api-server", "scheduler", "dag-processor", "triggerer", "postgres", "sandbox"} == set(run["programs"])
    assert run["programs"]["triggerer"]["cpu_seconds"] > 0
    assert run["violations"] == 0


def test_saving_takes_one_round_trip_and_row_by_row_several_per_video(figures: dict[str, Any]) -> None:
    distant = figures["measurements"]["saving"]["20"]
    assert distant["round_trips"] == 1
    assert distant["row_by_row_round_trips"] > distant["videos"]


def test_a_small_organization_is_measured_without_and_beside_each_load_of_a_large_one(figures: dict[str, Any]) -> None:
    fairness = figures["measurements"]["fairness"]
    operations = {"planning", "claiming", "adding"}
    assert {load: set(waits) for load, waits in fairness["waits"].items()} == dict.fromkeys(
        ("none", *operations), operations
    )
    assert {load: set(ratios) for load, ratios in fairness["ratios"].items()} == dict.fromkeys(operations, operations)


def test_every_query_of_a_member_returns_rows(figures: dict[str, Any]) -> None:
    reads = figures["measurements"]["member_reads"]
    assert len(reads) == 6
    assert all(read["rows"] > 0 for read in reads.values())


def test_every_query_of_the_page_is_measured(figures: dict[str, Any]) -> None:
    queries = figures["measurements"]["page"]
    assert {"bloggers, state failed", "bloggers, sort -followers", "overview", "live"} <= queries.keys()
    # A query of tiny tables may round to 0.
    assert all(0 <= query["milliseconds"] <= query["longest"] for query in queries.values())


def test_a_year_is_read_as_a_member_and_as_the_pipeline_and_a_month_is_dropped(figures: dict[str, Any]) -> None:
    history = figures["measurements"]["history"]
    assert history["rows"] == 3 * 3 * 100 * 2
    assert [set(readers) for readers in history["milliseconds"].values()] == [{"member", "pipeline"}] * 2
    assert history["dropped_rows"] > 0
    assert history["removed_rows"] > 0


def test_requests_are_measured_by_platform_and_target_with_their_purposes(figures: dict[str, Any]) -> None:
    measured = figures["measurements"]["requests"]
    assert set(measured) == set(REQUEST_KINDS)
    assert all(set(by_target) == {"10", "30"} for by_target in measured.values())
    assert measured["youtube"]["30"]["by_use"] == {"listing": 1, "statistics": pytest.approx(2 / 3, abs=0.01)}
    for target in ("10", "30"):
        assert measured["instagram_reels"][target]["total"] < measured["instagram_always"][target]["total"]
    assert figures["requests_tiktok"]["10"] == measured["tiktok"]["10"]["total"] == 1


def test_the_script_is_measured_with_and_without_a_line_and_has_no_violations(figures: dict[str, Any]) -> None:
    line = figures["measurements"]["line"]
    assert {delay: set(runs) for delay, runs in line.items()} == {"0": {"1", "3"}, "20": {"1", "3"}}
    assert not any(run["violations"] for runs in line.values() for run in runs.values())
    assert figures["ratio_one_organization"] > 0


def test_the_settings_are_written_with_the_figures(figures: dict[str, Any]) -> None:
    assert figures["settings"]["[operators] default_deferrable"] == "True"
    assert "BLOGGER_TRACKING_YOUTUBE_DAILY_UNITS" in figures["settings"]


def test_the_plot_is_an_svg_file(folder: Path) -> None:
    assert "<svg" in (folder / "bench.svg").read_text(encoding="utf-8")
