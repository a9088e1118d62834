"""Runs whose DAG run is marked in Airflow, with the messages of the installed Airflow."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import airflow
import pytest
from airflow.models import dagrun

from blogger_tracking.database.runs import RunKey
from blogger_tracking.orchestration import connected_services
from blogger_tracking.orchestration.airflow_3_3 import runs_ended_by_hand
from blogger_tracking.settings import get_settings
from blogger_tracking.usecases import end_runs

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

API_SERVER = "api_fastapi/core_api/services/public/dag_run.py"
MARKED = "Dag Run's state was manually set to `failed`."


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[RunKey]:
    """Return the runs that are ended in the ledger."""
    found: list[RunKey] = []
    monkeypatch.setattr(connected_services, "database_pool", lambda: None)
    monkeypatch.setattr(end_runs, "end_run", lambda _, key: found.append(key))
    return found


def run_of(dag_id: str) -> DagRun:
    return cast("DagRun", SimpleNamespace(dag_id=dag_id, run_id="a run"))


@pytest.mark.parametrize("dag_id", ["blogger_batch_fetch", "blogger_initial_fetch"])
def test_a_marked_run_is_ended(ended: list[RunKey], dag_id: str) -> None:
    runs_ended_by_hand.on_dag_run_failed(run_of(dag_id), MARKED)
    runs_ended_by_hand.on_dag_run_success(run_of(dag_id), MARKED.replace("failed", "success"))
    assert ended == [RunKey(get_settings().deployment, dag_id, "a run")] * 2


@pytest.mark.parametrize("message", ["task_failure", "success", "all_tasks_deadlocked", "timed_out"])
def test_the_scheduler_does_not_wait_for_the_applications_database(ended: list[RunKey], message: str) -> None:
    runs_ended_by_hand.on_dag_run_failed(run_of("blogger_batch_fetch"), message)
    assert ended == []


def test_runs_of_other_dags_are_left_alone(ended: list[RunKey]) -> None:
    runs_ended_by_hand.on_dag_run_failed(run_of("of_somebody_else"), MARKED)
    assert ended == []


def test_the_setting_turns_it_off(ended: list[RunKey], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOGGER_TRACKING_END_MARKED_RUNS", "false")
    get_settings.cache_clear()
    runs_ended_by_hand.on_dag_run_failed(run_of("blogger_batch_fetch"), MARKED)
    assert ended == []


def test_only_marks_by_hand_have_the_message_in_the_installed_airflow() -> None:
    # As text: importing this module imports deprecated test clients.
    marked = Path(airflow.__file__).parent.joinpath(API_SERVER).read_text(encoding="utf-8")
    assert marked.count(runs_ended_by_hand.MARKED_BY_HAND) == 2
    assert marked.count("hook.on_dag_run_success(") == marked.count("hook.on_dag_run_failed(") == 1
    assert runs_ended_by_hand.MARKED_BY_HAND not in inspect.getsource(dagrun)
