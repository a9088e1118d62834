"""Airflow runs every Python file below plugins/ by its bare name: nothing but registration may be there."""

from __future__ import annotations

from pathlib import Path

PLUGINS = Path(__file__).parents[2] / "plugins"


def test_the_folder_holds_registration_alone() -> None:
    assert {file.name for file in PLUGINS.rglob("*.py")} == {"airflow_local_settings.py", "blogger_plugin.py"}


def test_only_files_named_as_plugins_are_read_as_plugins() -> None:
    rules = [line for line in (PLUGINS / ".airflowignore").read_text().splitlines() if line and line[0] != "#"]
    assert rules == ["*.py", "!*_plugin.py"]
