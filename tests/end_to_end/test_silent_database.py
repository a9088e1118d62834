"""The application's database does not answer while the scheduler creates the instances of a run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from blogger_tracking.domain.models import Platform
from devtools.local_stack.airflow_client import AirflowClient
from devtools.local_stack.airflow_processes import unready_components
from devtools.local_stack.stack import Stack
from tests.support.fleet import Fleet
from tests.support.waiting import wait_until

DAG_ID = "blogger_batch_fetch"
TIMEOUT_SECONDS = 150
PLAN_TASKS = {f"plan_{platform.slug}" for platform in Platform}


def plan_states(client: AirflowClient, dag_run_id: str) -> set[str | None]:
    return {each.state for each in client.task_instances(DAG_ID, dag_run_id) if each.task_id in PLAN_TASKS}


@pytest.fixture
def client(stack: Stack) -> Iterator[AirflowClient]:
    client = stack.client()
    yield client
    client.unpause(DAG_ID)


def test_instances_are_created_without_labels_if_the_database_does_not_answer(
    stack: Stack, client: AirflowClient, fleet: Fleet
) -> None:
    fleet.track(Platform.TIKTOK, 3)
    with psycopg.connect(stack.admin_dsn) as blocker:
        # Planning waits until the DAG is paused: the running tasks of a paused DAG end, but no instance is created.
        blocker.execute("lock table blogger_tracking.runs in access exclusive mode")
        dag_run_id = client.trigger(DAG_ID, fleet.scope()).dag_run_id
        wait_until(lambda: plan_states(client, dag_run_id) == {"running"})
        client.pause(DAG_ID)
        paused_at = datetime.now(UTC)
        # The scheduler writes its heartbeat at the end of a loop: every loop that began before the pause has ended.
        wait_until(lambda: not unready_components(stack.api_url, paused_at))
        blocker.rollback()
        wait_until(lambda: plan_states(client, dag_run_id) == {"success"})
        blocker.execute("lock table blogger_tracking.runs in access exclusive mode")
        client.unpause(DAG_ID)
        wait_until(lambda: len(created(client, dag_run_id)) == 3, observed=lambda: states(client, dag_run_id))
        labels = created(client, dag_run_id)
    assert labels == {"0", "1", "2"}
    assert client.wait_for_run(DAG_ID, dag_run_id, TIMEOUT_SECONDS).state == "success"
    assert fleet.charged() == 30


def states(client: AirflowClient, dag_run_id: str) -> list[tuple[object, ...]]:
    return [
        (each.task_id, each.map_index, each.state, each.rendered_map_index)
        for each in client.task_instances(DAG_ID, dag_run_id)
    ]


def created(client: AirflowClient, dag_run_id: str) -> set[str | None]:
    """Return the labels of the instances that the scheduler has created and deferred to the triggerer."""
    return {
        each.rendered_map_index
        for each in client.task_instances(DAG_ID, dag_run_id)
        if each.task_id == "fetch_tiktok" and each.map_index >= 0 and each.state == "deferred"
    }
