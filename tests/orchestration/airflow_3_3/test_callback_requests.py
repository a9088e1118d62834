"""Callback requests for tasks without callbacks, against the installed Airflow."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
from airflow.callbacks.callback_requests import CallbackRequest, DagCallbackRequest, TaskCallbackRequest
from airflow.callbacks.database_callback_sink import DatabaseCallbackSink
from airflow.models import trigger
from airflow.sdk import DAG, Context
from airflow.serialization.serialized_objects import DagSerialization

from blogger_tracking.orchestration.airflow_3_3 import callback_requests
from blogger_tracking.orchestration.fetch_operator import FetchBloggersOperator
from devtools.local_stack.config import PROJECT_ROOT

LISTEN = """
from airflow.listeners.listener import get_listener_manager
from airflow.callbacks.database_callback_sink import DatabaseCallbackSink
get_listener_manager().hook.on_starting(component=object())
print(hasattr(DatabaseCallbackSink.send, "checks_callbacks"))
"""


def call(context: Context) -> None:
    """Stand in for a callback."""


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[CallbackRequest]:
    """Return the requests that reach Airflow's own sink, with a serialized DAG in place of the database's."""
    with DAG("any", schedule=None) as dag:
        FetchBloggersOperator.partial(task_id="without").expand(instance_label=["a"])
        FetchBloggersOperator.partial(task_id="with_failure", on_failure_callback=call).expand(instance_label=["a"])
        FetchBloggersOperator(task_id="with_all", on_success_callback=call, on_retry_callback=call)
    serialized = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    monkeypatch.setattr(callback_requests, "_dags", lambda: SimpleNamespace(get_dag=lambda *_: serialized))
    requests: list[CallbackRequest] = []
    monkeypatch.setattr(DatabaseCallbackSink, "send", lambda _, callback, **__: requests.append(callback))
    callback_requests.check_callback_requests()
    return requests


def task_request(task_id: str, state: str) -> TaskCallbackRequest:
    instance = SimpleNamespace(task_id=task_id, dag_version_id="a version")
    return TaskCallbackRequest.model_construct(ti=instance, task_callback_type=state)  # type: ignore[call-arg, arg-type] # only the attributes that are read


@pytest.mark.parametrize(
    ("task_id", "state", "is_written"),
    [
        ("without", "success", False),
        ("without", "failed", False),
        ("without", "up_for_retry", False),
        ("with_failure", "success", False),
        ("with_failure", "failed", True),
        ("with_all", "success", True),
        ("with_all", "up_for_retry", True),
        ("with_all", "failed", False),
        ("not in the DAG any more", "failed", True),
    ],
)
def test_a_request_is_written_if_the_task_has_the_callback(
    written: list[CallbackRequest],
    task_id: str,
    state: str,
    is_written: bool,  # noqa: FBT001 - pytest's way
) -> None:
    request = task_request(task_id, state)
    DatabaseCallbackSink().send(callback=request, session=MagicMock())
    assert written == ([request] if is_written else [])


def test_requests_about_whole_dag_runs_are_written(written: list[CallbackRequest]) -> None:
    request = DagCallbackRequest.model_construct()  # type: ignore[call-arg] # only its type is read
    DatabaseCallbackSink().send(callback=request, session=MagicMock())
    assert written == [request]


def test_the_check_is_added_once(monkeypatch: pytest.MonkeyPatch) -> None:
    airflows = DatabaseCallbackSink.send
    monkeypatch.setattr(DatabaseCallbackSink, "send", airflows)
    callback_requests.check_callback_requests()
    once = DatabaseCallbackSink.send
    callback_requests.check_callback_requests()
    assert airflows is not once
    assert DatabaseCallbackSink.send is once


@pytest.mark.parametrize(("setting", "checks"), [("true", "True"), ("false", "False")])
def test_airflows_processes_add_the_check_when_they_start_unless_the_setting_is_off(
    setting: str, checks: str, tmp_path: Path
) -> None:
    environment = {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT_ROOT / "plugins"),
        "BLOGGER_TRACKING_CHECK_CALLBACK_REQUESTS": setting,
        "PYTHONPATH": str(PROJECT_ROOT / "include"),
    }
    done = subprocess.run(
        [sys.executable, "-c", LISTEN], env=os.environ | environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == checks


def test_the_installed_airflow_writes_a_request_for_every_instance_that_a_trigger_ends() -> None:
    source = inspect.getsource(trigger)
    assert "DatabaseCallbackSink().send(callback=request, session=session)" in source
    assert "has_on_success_callback" not in source, "Airflow checks the flags itself now: remove this module"
