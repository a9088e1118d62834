"""A run that Airflow's scheduler creates from the cron string of the setting."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from airflow_client.client.models.dag_run_response import DAGRunResponse

from blogger_tracking.domain.models import Platform
from devtools.local_stack.config import SandboxConfig, StackConfig
from devtools.local_stack.stack import Stack
from tests.support.fleet import Fleet
from tests.support.running_stack import thrown_away

DAG_ID = "blogger_batch_fetch"
TIMEOUT_SECONDS = 240


@pytest.fixture(scope="module")
def busy_stack() -> Iterator[Stack]:
    """A stack whose batch DAG is due every minute."""
    with tempfile.TemporaryDirectory(prefix="bt-stack-") as folder:
        config = StackConfig(
            folder=Path(folder),
            sandbox=SandboxConfig(latency_ms=20),
            environment={"BLOGGER_TRACKING_SCHEDULE": "* * * * *"},
        )
        with thrown_away(Stack(config, print)) as running:
            yield running


def first_run_with_fetches(stack: Stack, fleet: Fleet) -> DAGRunResponse:
    """Return the scheduled run that planned the fleet, once the run has ended."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    client = stack.client()
    while time.monotonic() < deadline:
        planned = fleet.value("select min(dag_run_id) from runs join fetches on fetches.run_id = runs.id")
        if planned is not None:
            return client.wait_for_run(DAG_ID, str(planned), TIMEOUT_SECONDS)
        time.sleep(1)
    raise AssertionError("the scheduler created no run")


def test_the_scheduler_creates_a_run_that_fetches_from_all_three_platforms(busy_stack: Stack) -> None:
    with psycopg.connect(busy_stack.admin_dsn, autocommit=True) as connection:
        fleet = Fleet(connection)
        for platform in Platform:
            fleet.track(platform, 2)
        run = first_run_with_fetches(busy_stack, fleet)
        assert run.run_type == "scheduled"
        assert run.state == "success"
        states = fleet.build.rows(
            "select platform, state, count(*) from fetches where run_id = (select min(run_id) from fetches) "
            "group by platform, state order by platform"
        )
        assert states == [(platform.value, "succeeded", 2) for platform in sorted(Platform)]
        assert fleet.violations() == {}
