"""Retries of the tasks outside the fan-out, which have to bridge the restart of an API server."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG

from blogger_tracking.domain.initial_fetch import INITIAL_FETCH_DAG_ID
from blogger_tracking.orchestration.task_defaults import RESTART_TOLERANCE

DAGS_FOLDER = Path(__file__).parents[2] / "dags"


def has_own_retries(dag: DAG, task_id: str) -> bool:
    """Return True for the tasks that fetch bloggers: their retries are settings of the project."""
    return dag.get_task(task_id).is_mapped or (dag.dag_id, task_id) == (INITIAL_FETCH_DAG_ID, "fetch")


@pytest.mark.parametrize("dag_id", [file.stem for file in DAGS_FOLDER.glob("*.py")])
def test_every_task_outside_the_fan_out_has_the_restart_tolerance(dag_id: str) -> None:
    bag = DagBag(DAGS_FOLDER / f"{dag_id}.py")
    assert bag.import_errors == {}
    dag = bag.dags[dag_id]
    for task in dag.tasks:
        if has_own_retries(dag, task.task_id):
            continue
        assert task.retries >= RESTART_TOLERANCE["retries"], f"{dag_id}.{task.task_id} needs **RESTART_TOLERANCE"
        assert task.retry_delay >= RESTART_TOLERANCE["retry_delay"], f"{dag_id}.{task.task_id}"


def test_the_restart_tolerance_spans_two_minutes() -> None:
    assert RESTART_TOLERANCE["retries"] * RESTART_TOLERANCE["retry_delay"] >= timedelta(minutes=2)
