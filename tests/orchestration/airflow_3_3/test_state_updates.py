"""Updates of a task's state whose line to the metadata database is cut, with Airflow's route and tables in Postgres."""

from __future__ import annotations

import itertools
import runpy
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg
import pytest
from airflow import plugins_manager
from airflow.api_fastapi.app import init_plugins
from airflow.api_fastapi.execution_api.datamodels.taskinstance import (
    TIDeferredStatePayload,
    TIRetryStatePayload,
    TISuccessStatePayload,
)
from airflow.api_fastapi.execution_api.routes import task_instances
from airflow.models.dag import DagModel
from airflow.models.dagbag import DBDagBag
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from fastapi import FastAPI
from fastapi.testclient import TestClient
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Engine, create_engine, event, insert, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.applications import Starlette

from blogger_tracking.orchestration.airflow_3_3 import state_updates
from blogger_tracking.orchestration.airflow_3_3.state_updates import PREPARE
from blogger_tracking.settings import get_settings

if TYPE_CHECKING:
    from airflow.api_fastapi.execution_api.datamodels.taskinstance import TIStateUpdate

PLUGIN = Path(__file__).parents[3] / "plugins" / "blogger_plugin.py"
INSTANCE = UUID(int=7)
NOW = datetime(2026, 3, 1, tzinfo=UTC)

UPDATES: dict[str, TIStateUpdate] = {
    "success": TISuccessStatePayload.model_validate({"state": "success", "end_date": NOW}),
    "up_for_retry": TIRetryStatePayload.model_validate({"state": "up_for_retry", "end_date": NOW}),
    "deferred": TIDeferredStatePayload.model_validate({
        "state": "deferred",
        "classpath": "any.Trigger",
        "next_method": "finish",
        "trigger_kwargs": {},
    }),
}

ROWS = {
    DagModel: {
        "dag_id": "batch",
        "bundle_name": "dags",
        "max_active_tasks": 1,
        "max_consecutive_failed_dag_runs": 0,
        "has_task_concurrency_limits": False,
        "partition_mapper_info": {},
    },
    DagRun: {
        "id": 1,
        "dag_id": "batch",
        "run_id": "run",
        "run_type": "manual",
        "state": "running",
        "data_interval_end": NOW,
        "run_after": NOW,
    },
    TaskInstance: {
        "id": INSTANCE,
        "task_id": "plan",
        "dag_id": "batch",
        "run_id": "run",
        "pool": "default_pool",
        "state": "running",
        "try_number": 1,
        "max_tries": 3,
        "start_date": NOW,
    },
}
"""Columns of the rows that have no default."""


class MetadataDatabase:
    """A database with one running task instance, and sessions whose lines can be cut."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        # As in Airflow, connections are tested before use, and statements do not flush the session.
        self._engine: Engine = create_engine(
            "postgresql+psycopg2://", connect_args=conninfo_to_dict(conninfo), pool_pre_ping=True
        )
        with self._engine.begin() as connection:
            # Foreign keys are not checked: the rows that nobody reads are missing.
            connection.execute(text("set local session_replication_role = replica"))
            connection.execute(text("truncate dag, dag_run, task_instance, log cascade"))
            for table, values in ROWS.items():
                connection.execute(insert(table).values(values))

    def update(self, payload: TIStateUpdate, cut_before: int | None = None) -> int:
        """Call Airflow's route, with its line cut before a statement, and return the number of statements."""
        numbers = itertools.count(1)
        made: list[int] = []

        def cut(*_: object) -> None:
            made.append(next(numbers))
            if made[-1] == cut_before:
                self.end_sessions()

        event.listen(self._engine, "before_cursor_execute", cut)
        try:
            with Session(self._engine, autoflush=False) as session:
                task_instances.ti_update_state(INSTANCE, payload, session, DBDagBag())
                session.commit()
        finally:
            event.remove(self._engine, "before_cursor_execute", cut)
        return len(made)

    def end_sessions(self) -> None:
        """End all sessions in the database but this one."""
        with psycopg.connect(self._conninfo, autocommit=True) as connection:
            connection.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )

    @property
    def state(self) -> str:
        """State of the task instance."""
        with psycopg.connect(self._conninfo) as connection:
            row = connection.execute("select state from task_instance").fetchone()
        assert row is not None
        return str(row[0])

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


@pytest.fixture
def database(metadata: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], MetadataDatabase]]:
    """Return a function that restores the rows and returns the database; Airflow's function is put back afterwards."""
    monkeypatch.setattr(task_instances, PREPARE, getattr(task_instances, PREPARE))
    opened: list[MetadataDatabase] = []

    def restore() -> MetadataDatabase:
        opened.append(MetadataDatabase(metadata))
        return opened[-1]

    yield restore
    for each in opened:
        each.close()


@pytest.mark.parametrize("state", UPDATES)
def test_a_task_whose_update_lost_its_line_runs_until_the_update_is_repeated(
    database: Callable[[], MetadataDatabase], state: str
) -> None:
    state_updates.repeat_state_updates()
    statements = database().update(UPDATES[state])
    assert statements >= 3
    for number in range(1, statements + 1):
        airflow = database()
        with pytest.raises(SQLAlchemyError):
            airflow.update(UPDATES[state], cut_before=number)
        assert airflow.state == "running"
        airflow.update(UPDATES[state])
        assert airflow.state == state


def test_the_installed_airflow_fails_such_a_task(database: Callable[[], MetadataDatabase]) -> None:
    airflow = database()
    airflow.update(UPDATES["success"], cut_before=2)
    assert airflow.state == "failed", "Airflow does not fail such tasks any more"


def test_other_errors_still_fail_the_task(
    database: Callable[[], MetadataDatabase], monkeypatch: pytest.MonkeyPatch
) -> None:
    state_updates.repeat_state_updates()

    def fail(*_: object, **__: object) -> None:
        raise ValueError("the outlets make no sense")

    monkeypatch.setattr(TaskInstance, "register_asset_changes_in_db", fail)
    airflow = database()
    airflow.update(UPDATES["success"])
    assert airflow.state == "failed"


def test_the_function_is_wrapped_once(database: Callable[[], MetadataDatabase]) -> None:
    del database
    state_updates.repeat_state_updates()
    once = getattr(task_instances, PREPARE)
    assert hasattr(once, "tolerates_lost_connections")
    state_updates.repeat_state_updates()
    assert getattr(task_instances, PREPARE) is once


def test_the_plugin_installs_it_before_the_first_request_of_an_api_server(
    database: Callable[[], MetadataDatabase], monkeypatch: pytest.MonkeyPatch
) -> None:
    del database
    plugin = runpy.run_path(str(PLUGIN))["BloggerPlugin"]
    monkeypatch.setattr(plugins_manager, "get_fastapi_plugins", lambda: ([], plugin.fastapi_root_middlewares))
    app = FastAPI()
    init_plugins(app)
    with TestClient(app) as client:
        assert client.get("/nothing").status_code == HTTPStatus.NOT_FOUND
    prepare = getattr(task_instances, PREPARE)
    assert hasattr(prepare, "tolerates_lost_connections")


@pytest.mark.parametrize(("setting", "repeats"), [("true", True), ("false", False)])
def test_the_setting_turns_it_off(
    database: Callable[[], MetadataDatabase],
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
    repeats: bool,  # noqa: FBT001 - pytest's way
) -> None:
    del database
    monkeypatch.setenv("BLOGGER_TRACKING_REPEAT_STATE_UPDATES", setting)
    get_settings.cache_clear()
    app = Starlette()
    assert state_updates.repeat_state_updates_in(app) is app
    prepare = getattr(task_instances, PREPARE)
    assert hasattr(prepare, "tolerates_lost_connections") is repeats
