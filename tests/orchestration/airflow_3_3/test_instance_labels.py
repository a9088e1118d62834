"""Labels of mapped instances, read from the ledger without blocking or failing the scheduler."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

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
from tests.support.silent_proxy import SilentProxy


def instance(dag_run_id: str, map_index: int = 0, dag_id: str = BATCH_DAG_ID) -> TaskInstance:
    """Return a task instance as the scheduler creates it."""
    with DAG(dag_id, schedule=None) as dag:
        EmptyOperator(task_id="fetch_tiktok")
    task = DagSerialization.from_dict(DagSerialization.to_dict(dag)).get_task("fetch_tiktok")
    return TaskInstance(task, dag_version_id=None, run_id=dag_run_id, map_index=map_index)


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch, server: DatabaseServer, database: str) -> Iterator[None]:
    """Point the Connection at the test's database."""
    set_connection(monkeypatch, server.socket.parent, database)
    labels.clear_label_cache()
    yield
    labels.clear_label_cache()


@pytest.fixture
def silent_proxy(monkeypatch: pytest.MonkeyPatch, server: DatabaseServer, database: str) -> Iterator[SilentProxy]:
    """Point the Connection at a proxy in front of the test's database."""
    with (
        tempfile.TemporaryDirectory(prefix="bt-") as folder,
        SilentProxy(Path(folder), server.socket) as proxy,
    ):
        set_connection(monkeypatch, Path(folder), database)
        labels.clear_label_cache()
        yield proxy
    labels.clear_label_cache()


def set_connection(monkeypatch: pytest.MonkeyPatch, folder: Path, database: str) -> None:
    address = f"postgresql://pipeline_login@/{database}?host={str(folder).replace('/', '%2F')}"
    monkeypatch.setenv("AIRFLOW_CONN_BLOGGER_DB", address)


def key_of(dag_run_id: str) -> RunKey:
    return RunKey(get_settings().deployment, BATCH_DAG_ID, dag_run_id)


@pytest.mark.usefixtures("ledger")
def test_an_instance_is_labelled_with_its_blogger(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    build.track(build.organization())
    dag_run_id = new_key().dag_run_id
    plan(pool, key_of(dag_run_id))
    created = instance(dag_run_id)
    labels.label_instance(created)
    username = build.value("select username from blogger_information")
    assert created.rendered_map_index == f"TikTok · @{username}"


@pytest.mark.usefixtures("ledger")
def test_one_query_serves_a_whole_run(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    organization = build.organization()
    for _ in range(3):
        build.track(organization)
    dag_run_id = new_key().dag_run_id
    plan(pool, key_of(dag_run_id))
    labels.label_instance(instance(dag_run_id, 0))
    build.run("alter table fetches rename to not_there_any_more")
    last = instance(dag_run_id, 2)
    labels.label_instance(last)
    assert str(last.rendered_map_index).startswith("TikTok")


def test_a_database_that_does_not_respond_delays_a_run_once_by_the_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(labels, "QUERY_SECONDS", 0.3)
    labels.clear_label_cache()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(5)
        monkeypatch.setenv("AIRFLOW_CONN_BLOGGER_DB", f"postgresql://x@127.0.0.1:{silent.getsockname()[1]}/x")
        created = [instance("silent", index) for index in range(20)]
        for each in created:
            labels.label_instance(each)
        connections = [silent.accept()[0]]
        silent.settimeout(0.5)
        with pytest.raises(TimeoutError):
            connections.append(silent.accept()[0])
        for connection in connections:
            connection.close()
    assert len(connections) == 1
    assert [each.rendered_map_index for each in created] == [str(index) for index in range(20)]
    labels.clear_label_cache()


def test_a_database_that_is_silent_after_the_login_costs_one_run_its_labels_and_no_other_run(
    silent_proxy: SilentProxy, build: DatabaseBuilder, pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    build.track(build.organization())
    dag_run_id = new_key().dag_run_id
    plan(pool, key_of(dag_run_id))
    cut = silent_proxy.cut_at(b"begin")
    monkeypatch.setattr(labels, "QUERY_SECONDS", 0.3)
    first = instance("silent")
    labels.label_instance(first)
    assert cut.wait(10)
    monkeypatch.setattr(labels, "QUERY_SECONDS", 10)
    second = instance(dag_run_id)
    labels.label_instance(second)
    assert first.rendered_map_index == "0"
    assert str(second.rendered_map_index).startswith("TikTok")


def test_a_missing_connection_raises_no_error_and_leaves_the_number_as_label(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_BLOGGER_DB", raising=False)
    labels.clear_label_cache()
    created = instance("nowhere")
    labels.label_instance(created)
    labels.clear_label_cache()
    assert created.rendered_map_index == "0"


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize(("dag_id", "map_index"), [("another", 0), (BATCH_DAG_ID, -1)])
def test_instances_of_other_dags_and_tasks_that_are_not_mapped_cause_no_query(
    monkeypatch: pytest.MonkeyPatch, dag_id: str, map_index: int
) -> None:
    queries: list[RunKey] = []

    def count_query(key: RunKey) -> dict[tuple[str, int], str]:
        queries.append(key)
        return {}

    monkeypatch.setattr(labels, "_read_labels", count_query)
    labels.label_instance(instance("any", map_index, dag_id))
    assert queries == []
    labels.label_instance(instance("any"))
    assert len(queries) == 1, "count_query does not count queries"


@pytest.mark.usefixtures("ledger")
def test_instances_are_not_labelled_if_the_setting_is_off(
    build: DatabaseBuilder, pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    build.track(build.organization())
    dag_run_id = new_key().dag_run_id
    plan(pool, key_of(dag_run_id))
    monkeypatch.setenv("BLOGGER_TRACKING_LABEL_INSTANCES", "false")
    get_settings.cache_clear()
    created = instance(dag_run_id)
    labels.label_instance(created)
    assert created.rendered_map_index == "0"


def test_the_installed_airflow_stores_the_private_attribute_in_the_column_that_the_ui_shows() -> None:
    column = TaskInstance.__table__.c.rendered_map_index
    assert TaskInstance.__mapper__.get_property_by_column(column).key == "_rendered_map_index"
