from __future__ import annotations

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from devtools.local_stack import airflow_environment as module
from devtools.local_stack.airflow_environment import (
    TUNED_SETTINGS,
    AirflowSetting,
    airflow_environment,
    require_airflow_version,
)
from devtools.local_stack.config import StackConfig, StackError
from devtools.local_stack.stack_folder import Endpoints, StackSecrets
from tests.support.airflow_options import options_of_the_scheduler

_ENDPOINTS = Endpoints(
    api_url="http://127.0.0.1:1",
    sandbox_url="http://127.0.0.1:2",
    metadata_url="postgresql+psycopg://postgres@/airflow?host=/sockets",
    pipeline_dsn="host=/sockets port=5432 user=pipeline dbname=bloggers",
    admin_dsn="host=/sockets port=5432 user=postgres dbname=bloggers",
)


def _environment(config: StackConfig | None = None) -> dict[str, str]:
    return airflow_environment(config or StackConfig(), StackSecrets(), _ENDPOINTS)


def _defaults_of_airflow() -> dict[tuple[str, str], str]:
    spec = find_spec("airflow")
    if spec is None or spec.origin is None:
        raise AssertionError("Airflow is not installed")
    file = Path(spec.origin).parent / "config_templates" / "config.yml"
    sections: dict[str, Any] = yaml.safe_load(file.read_text())
    listed = {
        (name, option): str(known["default"])
        for name, section in sections.items()
        for option, known in section["options"].items()
    }
    return listed | options_of_the_scheduler()


@pytest.mark.parametrize("setting", TUNED_SETTINGS, ids=lambda setting: setting.option)
def test_a_tuned_setting_exists_in_airflow_and_differs_from_its_default(setting: AirflowSetting) -> None:
    assert _defaults_of_airflow()[setting.section, setting.option] != setting.value
    assert setting.reason.endswith(".")


def test_a_tuned_setting_is_overridden_by_the_users_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "True")

    assert _environment()["AIRFLOW__CORE__LOAD_EXAMPLES"] == "True"


def test_airflow_home_is_not_taken_from_the_users_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", "/elsewhere")

    assert _environment()["AIRFLOW_HOME"] == str(StackConfig().airflow_home)


def test_the_configurations_own_variables_override_all_others() -> None:
    config = StackConfig(environment={"AIRFLOW_HOME": "/chosen"})

    assert _environment(config)["AIRFLOW_HOME"] == "/chosen"


def test_a_connection_of_the_users_own_replaces_the_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_YOUTUBE_API", "http://real")

    environment = _environment()

    assert environment["AIRFLOW_CONN_YOUTUBE_API"] == "http://real"
    assert json.loads(environment["AIRFLOW_CONN_TIKTOK_API"])["host"] == "http://127.0.0.1:2/tiktok"


def test_no_variable_is_set_for_a_database_that_the_user_provides() -> None:
    endpoints = Endpoints(api_url="http://a", sandbox_url=None, metadata_url=None, pipeline_dsn=None, admin_dsn=None)

    environment = airflow_environment(StackConfig(), StackSecrets(), endpoints)

    assert "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" not in environment
    assert "AIRFLOW_CONN_BLOGGER_DB" not in environment


def test_thumbnails_from_this_machine_are_allowed_only_with_the_sandbox() -> None:
    variable = "BLOGGER_TRACKING_THUMBNAIL_ALLOW_PRIVATE"
    without_sandbox = replace(_ENDPOINTS, sandbox_url=None)

    assert _environment()[variable] == "true"
    assert variable not in airflow_environment(StackConfig(), StackSecrets(), without_sandbox)


def test_another_airflow_version_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "version", lambda _: "3.4.0")

    with pytest.raises(StackError, match=r"Airflow 3\.3\.2 is needed, 3\.4\.0 is installed.*\.venv"):
        require_airflow_version()
