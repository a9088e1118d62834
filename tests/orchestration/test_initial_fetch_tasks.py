"""The task of the initial fetch, without Airflow processes: runs that end before any request to a platform."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool

from blogger_tracking.orchestration.connected_services import database_pool
from blogger_tracking.orchestration.initial_fetch_tasks import FetchInitialVideosOperator, release_failed_initial_fetch
from blogger_tracking.orchestration.process_cache import clear_process_cache
from tests.orchestration.conftest import InstanceStandIn
from tests.support.database_builder import DatabaseBuilder
from tests.support.ledger_steps import plan


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch, pipeline_conninfo: str) -> Iterator[None]:
    parts = conninfo_to_dict(pipeline_conninfo)
    fields = {"conn_type": "postgres", "host": parts["host"], "login": parts["user"], "schema": parts["dbname"]}
    monkeypatch.setenv("AIRFLOW_CONN_BLOGGER_DB", json.dumps(fields))
    clear_process_cache()
    yield
    database_pool().close()
    clear_process_cache()


@pytest.fixture
def message(build: DatabaseBuilder) -> dict[str, Any]:
    """The run conf for a tracked account with a pending initial fetch."""
    organization = build.organization()
    tracked = build.track(organization, pending_initial_fetch=True)
    external_id = build.value("select external_id from blogger_information where id = %(id)s", id=tracked.blogger_id)
    return {
        "type": "blogger_initial_fetch",
        "bloggerId": str(tracked.blogger_id),
        "secUid": None,
        "externalId": external_id,
        "platform": "TikTok",
        "videoCount": 30,
        "organizationId": str(organization),
        "userId": str(build.member(organization)),
        "requestId": "request-1",
        "videoStatus": "tracking",
        "timestamp": datetime.now(UTC).isoformat(),
    }


def context(conf: object, dag_run_id: str = "initial__1") -> Context:
    """Return the context of a task instance, with the keys that the task reads."""
    instance = InstanceStandIn("fetch", -1, "blogger_initial_fetch", dag_run_id)
    return cast("Context", {"ti": instance, "dag_run": SimpleNamespace(conf=conf)})


def execute(conf: object, dag_run_id: str = "initial__1") -> None:
    FetchInitialVideosOperator(task_id="fetch").execute(context(conf, dag_run_id))


@pytest.mark.parametrize("change", [{"unknown": 1}, {"videoCount": "30"}, {"secUid": "x", "platform": "YouTube"}])
def test_an_invalid_run_conf_fails_without_a_retry(message: dict[str, Any], change: dict[str, Any]) -> None:
    with pytest.raises(AirflowFailException, match="Nothing was fetched"):
        execute({**message, **change})


def test_a_run_without_a_conf_fails_without_a_retry() -> None:
    with pytest.raises(AirflowFailException, match="bloggerId"):
        execute(None)


def test_a_run_conf_that_contradicts_the_database_fails_without_a_retry(message: dict[str, Any]) -> None:
    with pytest.raises(AirflowFailException, match="not a member"):
        execute({**message, "userId": str(uuid4())})


def test_a_paused_account_is_skipped_with_the_reason(build: DatabaseBuilder, message: dict[str, Any]) -> None:
    build.run("update tracked_accounts set is_active = false")
    with pytest.raises(AirflowSkipException, match="inactive"):
        execute(message)


def test_a_duplicate_is_skipped_with_the_reason(build: DatabaseBuilder, message: dict[str, Any]) -> None:
    build.run("update tracked_accounts set pending_initial_fetch = false, initial_videos_fetched = true")
    with pytest.raises(AirflowSkipException, match="duplicate"):
        execute(message)


def test_a_blogger_in_another_live_run_fails_with_a_retry(
    build: DatabaseBuilder, pool: ConnectionPool, message: dict[str, Any]
) -> None:
    build.track(build.organization(), build.value("select blogger_id from tracked_accounts"))
    plan(pool)
    with pytest.raises(AirflowException, match="Another run") as error:
        execute(message)
    assert not isinstance(error.value, AirflowFailException | AirflowSkipException)


def test_a_failed_run_releases_its_initial_fetch_for_the_next_run(
    build: DatabaseBuilder, message: dict[str, Any]
) -> None:
    with pytest.raises(Exception, match="tiktok_api"):
        execute(message)
    with pytest.raises(AirflowSkipException, match="duplicate"):
        execute(message, "initial__2")
    release_failed_initial_fetch(context(message))
    assert build.value("select sum(reserved) from subscription_usage") == 0
    with pytest.raises(Exception, match="tiktok_api"):
        execute(message, "initial__2")
