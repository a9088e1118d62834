"""The plugin that mounts the HTTP API and the Bloggers page: its imports, its prefixes, and the page's addresses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest
from airflow.api_fastapi.core_api.datamodels.plugins import ReactAppResponse

from blogger_tracking.page.app import STATIC_FILES

PROJECT = Path(__file__).parents[2]
PLUGIN = PROJECT / "plugins" / "blogger_plugin.py"

LOAD = f"""
import airflow.plugins_manager, json, runpy, sys
before = set(sys.modules)
plugin = runpy.run_path({str(PLUGIN)!r})["BloggerPlugin"]
from airflow.api_fastapi.app import RESERVED_URL_PREFIXES
print(json.dumps({{
    "loaded": sorted(name for name in set(sys.modules) - before if name.startswith("blogger_tracking")),
    "prefixes": [mounted["url_prefix"] for mounted in plugin.fastapi_apps],
    "refused": [
        mounted["url_prefix"]
        for mounted in plugin.fastapi_apps
        if any(mounted["url_prefix"].startswith(prefix) for prefix in RESERVED_URL_PREFIXES)
    ],
    "page": plugin.react_apps,
}}))
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Load the plugin as Airflow does, in a new process, and return the observations."""
    folders = {"PYTHONPATH": str(PROJECT / "include"), "AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow"))}
    done = subprocess.run(
        [sys.executable, "-c", LOAD], capture_output=True, check=True, text=True, env={**os.environ, **folders}
    )
    result: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return result


def test_the_plugin_imports_nothing_of_the_app_before_the_first_request(loaded: dict[str, object]) -> None:
    assert loaded["loaded"] == [
        "blogger_tracking",
        "blogger_tracking.orchestration",
        "blogger_tracking.orchestration.airflow_3_3",
        "blogger_tracking.orchestration.airflow_3_3.callback_requests",
        "blogger_tracking.orchestration.airflow_3_3.cleared_instances",
        "blogger_tracking.orchestration.airflow_3_3.runs_ended_by_hand",
        "blogger_tracking.orchestration.airflow_3_3.state_updates",
        "blogger_tracking.orchestration.api_app",
        "blogger_tracking.orchestration.page_app",
    ]


def test_airflow_accepts_the_prefixes(loaded: dict[str, object]) -> None:
    assert loaded["prefixes"] == ["/blogger", "/bloggers"]
    assert loaded["refused"] == []


def test_the_page_is_loaded_from_its_own_app_below_any_url_prefix(loaded: dict[str, object]) -> None:
    (page,) = cast(list[dict[str, str]], loaded["page"])
    assert ReactAppResponse.model_validate(page).url_route == "bloggers"
    files = {page[name].removeprefix("bloggers/static/") for name in ("bundle_url", "icon", "icon_dark_mode")}
    assert files == set(STATIC_FILES)
