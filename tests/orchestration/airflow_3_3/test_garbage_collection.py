"""Garbage collection in Airflow's processes."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from blogger_tracking.settings import COLLECTION_THRESHOLDS
from devtools.local_stack.config import PROJECT_ROOT

_PRINT_THRESHOLDS = "import airflow.settings, gc; print(gc.get_threshold())"


def thresholds_in_airflow(home: Path, **environment: str) -> str:
    """Return the thresholds of a process that starts as Airflow's processes do."""
    folders = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT_ROOT / "plugins"),
        "PYTHONPATH": str(PROJECT_ROOT / "include"),
    }
    done = subprocess.run(
        [sys.executable, "-c", _PRINT_THRESHOLDS],
        env=os.environ | folders | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[-1]


def test_airflow_starts_with_the_thresholds_of_the_settings(tmp_path: Path) -> None:
    assert thresholds_in_airflow(tmp_path) == str(COLLECTION_THRESHOLDS)


def test_with_the_setting_off_the_thresholds_are_pythons_defaults(tmp_path: Path) -> None:
    unchanged = thresholds_in_airflow(tmp_path, BLOGGER_TRACKING_TUNE_GARBAGE_COLLECTION="false")
    assert unchanged == str(_PYTHONS_OWN)


@pytest.fixture(autouse=True)
def thresholds_of_this_process() -> None:
    """Check that no import changed the thresholds of the test process."""
    assert gc.get_threshold() == _PYTHONS_OWN


_PYTHONS_OWN = gc.get_threshold()
