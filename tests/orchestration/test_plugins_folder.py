"""The folder plugins/, in which Airflow imports every Python file as a top-level module: registration only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from blogger_tracking.settings import COLLECTION_THRESHOLDS
from devtools.local_stack.config import PROJECT_ROOT

PLUGINS = Path(__file__).parents[2] / "plugins"


def test_the_folder_has_only_the_two_registration_modules() -> None:
    assert {file.name for file in PLUGINS.rglob("*.py")} == {"airflow_local_settings.py", "blogger_plugin.py"}


def test_only_files_named_as_plugins_are_read_as_plugins() -> None:
    rules = [line for line in (PLUGINS / ".airflowignore").read_text().splitlines() if line and line[0] != "#"]
    assert rules == ["*.py", "!*_plugin.py"]


def test_every_airflow_process_raises_the_garbage_collection_thresholds(tmp_path: Path) -> None:
    environment = {
        "PYTHONPATH": str(PROJECT_ROOT / "include"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PLUGINS),
        "AIRFLOW_HOME": str(tmp_path),
    }
    found = subprocess.run(
        [sys.executable, "-c", "import gc, airflow.settings; print(gc.get_threshold())"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.splitlines()[-1] == str(COLLECTION_THRESHOLDS)
