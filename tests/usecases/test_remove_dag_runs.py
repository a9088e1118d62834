"""Old DAG runs are deleted over Airflow's REST API, in bounded steps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from blogger_tracking.airflow_api import AirflowApi, AirflowApiError, DagRunState
from blogger_tracking.usecases import remove_dag_runs as usecase
from blogger_tracking.usecases.remove_dag_runs import OldRuns, remove_dag_runs
from tests.support.airflow_stand_in import LOGIN, PASSWORD, AirflowStandIn

NOW = datetime.now(UTC)


@pytest.fixture
def airflow() -> Iterator[AirflowStandIn]:
    with AirflowStandIn() as server:
        yield server


@pytest.fixture
def api(airflow: AirflowStandIn) -> AirflowApi:
    return AirflowApi(airflow.url, LOGIN, PASSWORD, timeout_seconds=5)


def ended(airflow: AirflowStandIn, dag_id: str, days_ago: int, state: str = "success", count: int = 1) -> list[str]:
    """Let runs of a DAG end some days ago; return their ids, which need quoting in a URL."""
    ids = [f"scheduled__{dag_id}:{days_ago}+{state}#{number}" for number in range(count)]
    for dag_run_id in ids:
        airflow.states[dag_run_id] = state
        airflow.ended.setdefault(dag_id, {})[dag_run_id] = NOW - timedelta(days=days_ago)
    return ids


def before(days: int) -> datetime:
    return NOW - timedelta(days=days)


def test_runs_that_ended_before_the_bound_go_and_later_ones_stay(airflow: AirflowStandIn, api: AirflowApi) -> None:
    ended(airflow, "batch", 31, count=3)
    (young,) = ended(airflow, "batch", 29)
    ended(airflow, "other", 31)
    assert remove_dag_runs(api, [OldRuns("batch", before(30))]) == {"batch": 3}
    assert list(airflow.ended["batch"]) == [young]
    assert len(airflow.ended["other"]) == 1


def test_only_runs_in_the_named_states_go(airflow: AirflowStandIn, api: AirflowApi) -> None:
    (failed,) = ended(airflow, "consumer", 3, "failed")
    (running,) = ended(airflow, "consumer", 3, "running")
    ended(airflow, "consumer", 3)
    assert remove_dag_runs(api, [OldRuns("consumer", before(1), [DagRunState.SUCCESS])]) == {"consumer": 1}
    assert remove_dag_runs(api, [OldRuns("consumer", before(1))]) == {"consumer": 1}
    assert list(airflow.ended["consumer"]) == [running]
    assert failed not in airflow.ended["consumer"]


def test_more_runs_than_one_list_has_all_go(
    airflow: AirflowStandIn, api: AirflowApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usecase, "RUNS_PER_LIST", 3)
    ended(airflow, "batch", 31, count=10)
    assert remove_dag_runs(api, [OldRuns("batch", before(30))]) == {"batch": 10}


def test_a_run_that_cannot_be_deleted_is_tried_once_and_the_others_go(
    airflow: AirflowStandIn, api: AirflowApi, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(usecase, "RUNS_PER_LIST", 3)
    (stuck,) = ended(airflow, "batch", 99)
    ended(airflow, "batch", 31, count=5)
    airflow.undeletable = {stuck}
    assert remove_dag_runs(api, [OldRuns("batch", before(30))]) == {"batch": 5}
    assert list(airflow.ended["batch"]) == [stuck]
    assert [record.levelname for record in caplog.records if stuck in record.getMessage()] == ["WARNING"]


def test_a_run_that_another_maintenance_has_deleted_does_not_count(airflow: AirflowStandIn, api: AirflowApi) -> None:
    assert api.delete_run("batch", "gone") is False
    del airflow


def test_no_run_is_deleted_when_the_time_is_spent(airflow: AirflowStandIn, api: AirflowApi) -> None:
    ended(airflow, "batch", 31, count=2)
    assert remove_dag_runs(api, [OldRuns("batch", before(30))], seconds=0) == {}
    assert len(airflow.ended["batch"]) == 2


def test_an_api_that_does_not_answer_is_an_error(airflow: AirflowStandIn, api: AirflowApi) -> None:
    airflow.down = True
    with pytest.raises(AirflowApiError):
        remove_dag_runs(api, [OldRuns("batch", before(30))])
