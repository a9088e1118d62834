"""The whole harness with tiny fleets: that everything can be measured, not how fast it is."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devtools.bench.__main__ import main

# The others are the batch once more, with other numbers and settings.
MEASURED = ("saving", "planning", "script", "batch", "workers", "initial")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Where a quick bench has measured everything."""
    # Not pytest's own folder: as root it is closed to the user that Postgres runs as.
    with tempfile.TemporaryDirectory(prefix="bt-bench-") as path:
        assert main(["--quick", "--only", *MEASURED, "--folder", path]) == 0
        yield Path(path)


@pytest.fixture(scope="module")
def figures(folder: Path) -> dict[str, Any]:
    written: dict[str, Any] = json.loads((folder / "bench.json").read_text(encoding="utf-8"))
    return written


# Three Airflows start and stop one after the other.
@pytest.mark.timeout(900)
def test_every_scenario_leaves_its_figures(figures: dict[str, Any]) -> None:
    assert set(figures["measurements"]) == set(MEASURED)
    assert set(figures["per_second"]) == {"6"}
    assert set(figures["ratio_script"]) == {"6"}
    assert figures["save_ratio_20ms"] > 1
    assert figures["initial_fetch_median_seconds"] > 0


def test_runs_of_the_same_fleet_are_compared(figures: dict[str, Any]) -> None:
    batch, workers = figures["measurements"]["batch"]["6"], figures["measurements"]["workers"]["4"]
    assert figures["ratio_workers"] == pytest.approx(workers["seconds"] / batch["seconds"], rel=0.01)


def test_every_run_says_what_each_program_used_and_that_the_ledger_is_sound(figures: dict[str, Any]) -> None:
    run = figures["measurements"]["batch"]["6"]
    assert {"api-server", "scheduler", "dag-processor", "triggerer", "postgres", "sandbox"} == set(run["programs"])
    assert run["programs"]["triggerer"]["cpu_seconds"] > 0
    assert run["violations"] == 0


def test_saving_takes_six_round_trips_at_most_and_row_by_row_takes_some_for_each_video(figures: dict[str, Any]) -> None:
    distant = figures["measurements"]["saving"]["20"]
    assert distant["round_trips"] <= 6
    assert distant["row_by_row_round_trips"] > distant["videos"]


def test_settings_stand_beside_the_figures(figures: dict[str, Any]) -> None:
    assert figures["settings"]["[operators] default_deferrable"] == "True"
    assert "BLOGGER_TRACKING_YOUTUBE_DAILY_UNITS" in figures["settings"]


def test_the_plot_is_a_picture(folder: Path) -> None:
    assert "<svg" in (folder / "bench.svg").read_text(encoding="utf-8")
