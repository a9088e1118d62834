"""Labels of instances: they come from the ledger, and never hold up the scheduler."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from airflow.models.taskinstance import TaskInstance
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization
from psycopg_pool import ConnectionPool

from blogger_tracking.database.runs import RunKey
from blogger_tracking.orchestration.airflow_3_3 import instance_labels as labels
from blogger_tracking.orchestration.batch_tasks import BATCH_DAG_ID
from blogger_tracking.settings import get_settings
from tests.support.database_builder import DatabaseBuilder
from tests.support.database_server import DatabaseServer
from tests.support.ledger_steps import new_key, plan


def instance(run_id: str, map_index: int = 0, dag_id: str = BATCH_DAG_ID) -> TaskInstance:
    """A task instance as the scheduler has it while it creates it."""
    with DAG(dag_id, schedule=None) as dag:
        EmptyOperator(task_id="fetch_tiktok")
    task = DagSerialization.from_dict(DagSerialization.to_dict(dag)).get_task("fetch_tiktok")
    return TaskInstance(task, dag_version_id=None, run_id=run_id, map_index=map_index)


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch, server: DatabaseServer, database: str) -> Iterator[None]:
    """The scheduler's Connection leads to the test's database."""
    address = f"postgresql://pipeline_login@/{database}?host={str(server.socket.parent).replace('/', '%2F')}"
    monkeypatch.setenv("AIRFLOW_CONN_BLOGGER_DB", address)
    labels.clear_label_cache()
    yield
    labels.clear_label_cache()


def key_of(run_id: str) -> RunKey:
    return RunKey(get_settings().deployment, BATCH_DAG_ID, run_id)


@pytest.mark.usefixtures("ledger")
def test_an_instance_is_labelled_with_who_it_is_for(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    build.track(build.organization())
    run_id = new_key().dag_run_id
    plan(pool, key_of(run_id))
    created = instance(run_id)
    labels.label_instance(created)
    username = build.value("select username from blogger_information")
    assert created.rendered_map_index == f"TikTok · @{username}"


@pytest.mark.usefixtures("ledger")
def test_one_look_up_serves_a_whole_run(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    organization = build.organization()
    for _ in range(3):
        build.track(organization)
    run_id = new_key().dag_run_id
    plan(pool, key_of(run_id))
    labels.label_instance(instance(run_id, 0))
    build.run("alter table fetches rename to not_there_any_more")
    last = instance(run_id, 2)
    labels.label_instance(last)
    assert str(last.rendered_map_index).startswith("TikTok")


def test_a_database_that_does_not_answer_costs_the_labels_and_a_bounded_wait_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(labels, "LOOK_UP_SECONDS", 0.05)
    labels.clear_label_cache()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AIRFLOW_CONN_BLOGGER_DB", f"postgresql://x@127.0.0.1:{silent.getsockname()[1]}/x")
        created = [instance("silent", index) for index in range(20)]
        for each in created:
            labels.label_instance(each)
    assert [each.rendered_map_index for each in created] == [str(index) for index in range(20)]
    labels.clear_label_cache()


def test_a_missing_connection_never_reaches_the_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_BLOGGER_DB", raising=False)
    labels.clear_label_cache()
    labels.label_instance(instance("nowhere"))
    labels.clear_label_cache()


def test_other_dags_are_none_of_its_business() -> None:
    labels.label_instance(instance("any", dag_id="another"))
    labels.label_instance(instance("any", map_index=-1))
