"""The batch run in a real Airflow: scheduler, API server, DAG processor and triggerer."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import requests
from airflow_client.client.models.task_instance_response import TaskInstanceResponse

from blogger_tracking.domain.models import Platform
from devtools.local_stack.airflow_client import AirflowClient
from devtools.local_stack.airflow_environment import METADATA_VARIABLE
from devtools.local_stack.config import StackError
from devtools.local_stack.stack import Stack
from tests.support.fleet import Fleet

DAG_ID = "blogger_batch_fetch"
TIMEOUT_SECONDS = 150
FETCH_TASKS = {f"fetch_{platform.slug}" for platform in Platform}


def run_batch(client: AirflowClient, conf: dict[str, list[str]]) -> tuple[str, str]:
    """Trigger a run; return its DAG run id and its final state."""
    dag_run_id = client.trigger(DAG_ID, conf).dag_run_id
    return dag_run_id, client.wait_for_run(DAG_ID, dag_run_id, TIMEOUT_SECONDS).state


def fetch_instances(client: AirflowClient, dag_run_id: str) -> list[TaskInstanceResponse]:
    return [
        instance
        for instance in client.task_instances(DAG_ID, dag_run_id)
        if instance.task_id in FETCH_TASKS and instance.map_index >= 0
    ]


def set_fault(stack: Stack, **fault: object) -> None:
    requests.post(f"{stack.sandbox_url}/_sandbox/faults", json=fault, timeout=10).raise_for_status()


@pytest.fixture(autouse=True)
def without_faults(stack: Stack) -> None:
    requests.delete(f"{stack.sandbox_url}/_sandbox/faults", timeout=10).raise_for_status()


def test_a_run_over_rest_fetches_each_blogger_in_an_instance_labelled_with_platform_and_name(
    stack: Stack, fleet: Fleet
) -> None:
    for platform in Platform:
        fleet.track(platform, 2)
    client = stack.client()
    dag_run_id, state = run_batch(client, fleet.scope())
    assert state == "success"
    instances = fetch_instances(client, dag_run_id)
    assert {instance.state for instance in instances} == {"success"}
    assert {instance.rendered_map_index for instance in instances} == {
        f"{creator.platform} · @{creator.username}" for creator in fleet.creators.values()
    }
    assert fleet.charged() == 6 * 10
    assert fleet.violations() == {}


def test_an_instance_has_a_summary_and_a_log_line_with_the_counts(stack: Stack, fleet: Fleet) -> None:
    (blogger,) = fleet.track(Platform.TIKTOK)
    client = stack.client()
    dag_run_id, _ = run_batch(client, fleet.scope())
    assert client.xcom(DAG_ID, dag_run_id, "fetch_tiktok", 0) == {
        "bloggers": 1,
        "states": {"succeeded": 1},
        "videos": 10,
        "videos_new": 10,
        "charged": 10,
    }
    log = client.log(DAG_ID, dag_run_id, "fetch_tiktok", 0)
    username = fleet.creators[blogger].username
    (line_of_fetch,) = [line for line in log.splitlines() if f"@{username}" in line]
    assert "succeeded" in line_of_fetch
    assert "Asked TikTok for the 10 newest videos." in log
    assert "Received 10 videos, 10 of them new (pages: " in log
    assert f"Charged 10 of 10 granted videos to organization {fleet.organization}." in log
    assert "trigger completed" not in log


def test_clearing_one_instance_during_another_run_fetches_its_blogger_again_and_charges_nothing_twice(
    stack: Stack, fleet: Fleet
) -> None:
    first, second = fleet.track(Platform.TIKTOK, 2)
    client = stack.client()
    dag_run_id, _ = run_batch(client, {**fleet.scope(), "bloggers": [str(first)]})
    set_fault(stack, kind="hang", creator=fleet.creators[second].external_id, seconds=40, times=1)
    set_fault(stack, kind="hang", creator=fleet.creators[second].sec_id, seconds=40, times=1)
    other = client.trigger(DAG_ID, {**fleet.scope(), "bloggers": [str(second)]}).dag_run_id
    client.clear(DAG_ID, dag_run_id, "fetch_tiktok", 0)
    client.wait_for_run(DAG_ID, dag_run_id, TIMEOUT_SECONDS)
    attempts = """
        select count(*) from fetch_attempts
        join fetch_allocations using (fetch_id)
        where organization_id = %(organization)s and outcome = 'succeeded'
    """
    assert fleet.value(attempts) == 2
    assert fleet.charged() == 10
    assert client.wait_for_run(DAG_ID, other, TIMEOUT_SECONDS).state == "success"
    assert fleet.charged() == 20
    assert fleet.violations() == {}


def test_clearing_a_whole_run_keeps_its_plan_and_charges_nothing_twice(stack: Stack, fleet: Fleet) -> None:
    fleet.track(Platform.INSTAGRAM, 2)
    client = stack.client()
    dag_run_id, _ = run_batch(client, fleet.scope())
    fleet.track(Platform.INSTAGRAM)
    client.clear_run(DAG_ID, dag_run_id)
    assert client.wait_for_run(DAG_ID, dag_run_id, TIMEOUT_SECONDS).state == "success"
    assert len(fetch_instances(client, dag_run_id)) == 2
    assert fleet.charged() == 20
    assert fleet.violations() == {}


def test_a_failed_fetch_is_retried_by_airflow(stack: Stack, fleet: Fleet) -> None:
    (blogger,) = fleet.track(Platform.TIKTOK)
    set_fault(stack, kind="blocked", creator=fleet.creators[blogger].sec_id, times=1)
    client = stack.client()
    dag_run_id, state = run_batch(client, fleet.scope())
    assert state == "success"
    assert [instance.try_number for instance in fetch_instances(client, dag_run_id)] == [2]
    assert fleet.violations() == {}


def test_a_run_fails_if_every_fetch_of_a_platform_failed_and_succeeds_after_they_were_cleared(
    stack: Stack, fleet: Fleet
) -> None:
    (blogger,) = fleet.track(Platform.TIKTOK)
    fleet.track(Platform.INSTAGRAM, 9)
    set_fault(stack, kind="blocked", creator=fleet.creators[blogger].sec_id)
    client = stack.client()
    dag_run_id, state = run_batch(client, fleet.scope())
    assert state == "failed"
    assert "every fetch of TikTok failed" in client.log(DAG_ID, dag_run_id, "gate")
    assert fleet.charged() == 90
    assert fleet.violations() == {}
    requests.delete(f"{stack.sandbox_url}/_sandbox/faults", timeout=10).raise_for_status()
    client.clear(DAG_ID, dag_run_id, "fetch_tiktok", 0)
    assert client.wait_for_run(DAG_ID, dag_run_id, TIMEOUT_SECONDS).state == "success"
    assert fleet.charged() == 100
    assert fleet.violations() == {}


@pytest.mark.parametrize(
    "conf",
    [{"platforms": ["MySpace"]}, {"organizations": ["not-a-uuid"]}, {"bloggers": "all"}],
)
def test_an_invalid_restriction_is_refused_by_the_rest_api(stack: Stack, conf: dict[str, object]) -> None:
    with pytest.raises(StackError, match="400"):
        stack.client().trigger(DAG_ID, conf)


@pytest.fixture
def airflow_without_processes(stack: Stack) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return Airflow's command line over a metadata database of its own, on the stack's server, with the DAGs in it.

    On the stack's own database the scheduler would schedule the same runs as the command, and deadlock with it.
    """
    server = stack.environment()[METADATA_VARIABLE]
    with psycopg.connect(server.replace("+psycopg", ""), autocommit=True) as metadata:
        metadata.execute("create database airflow_alone")
    environment = {
        METADATA_VARIABLE: server.replace("/airflow?", "/airflow_alone?"),
        "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "False",
    }

    def airflow(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [Path(sys.executable).with_name("airflow"), *arguments],
            env=os.environ | stack.environment() | environment,
            cwd=stack.config.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
        )

    airflow("db", "migrate").check_returncode()
    airflow("dags", "reserialize").check_returncode()
    return airflow


def test_a_worker_fetches_all_bloggers_if_there_is_no_triggerer(
    fleet: Fleet, airflow_without_processes: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    for platform in Platform:
        fleet.track(platform)
    conf = f'{{"organizations": ["{fleet.organization}"]}}'
    finished = airflow_without_processes("dags", "test", DAG_ID, "--conf", conf)
    reasons = fleet.build.rows("select platform, state, reason from fetches where reason is not null order by id")
    assert finished.returncode == 0, f"{reasons}\n{finished.stdout[-3000:]}{finished.stderr[-3000:]}"
    assert fleet.charged() == 30
    assert fleet.violations() == {}
