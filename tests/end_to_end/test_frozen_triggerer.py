"""A triggerer that hangs: its instances fail after the bound of their deferral, and Airflow retries them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import psycopg
import pytest

from blogger_tracking.domain.models import Platform
from devtools.local_stack.stack import Stack
from tests.support.fleet import Fleet
from tests.support.running_stack import running_stack
from tests.support.waiting import wait_until

DAG_ID = "blogger_batch_fetch"
TIMEOUT_SECONDS = 240
BLOGGERS = 3


@pytest.fixture(scope="module")
def slow() -> Iterator[Stack]:
    """A stack whose platforms answer after ten seconds, and whose instances may stay deferred for a minute."""
    with running_stack(
        latency_ms=10_000,
        environment={
            "BLOGGER_TRACKING_LEASE_MINUTES": "1",
            "BLOGGER_TRACKING_DEFERRAL_LEASES": "1",
            "BLOGGER_TRACKING_FETCH_RETRY_DELAY_SECONDS": "1",
            "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "5",
        },
    ) as stack:
        yield stack


def instances(stack: Stack, dag_run_id: str) -> set[tuple[str | None, int]]:
    """Return state and number of the try of the fetch instances."""
    listed = stack.client().task_instances(DAG_ID, dag_run_id)
    return {(each.state, each.try_number) for each in listed if each.task_id == "fetch_tiktok"}


def test_instances_of_a_frozen_triggerer_are_retried_and_saved_once_it_goes_on(slow: Stack) -> None:
    with psycopg.connect(slow.admin_dsn, autocommit=True) as connection:
        fleet = Fleet(connection)
        fleet.track(Platform.TIKTOK, BLOGGERS)
        dag_run_id = slow.client().trigger(DAG_ID, fleet.scope()).dag_run_id
        wait_until(lambda: fleet.value("select count(*) from fetches where state = 'running'") == BLOGGERS)
        group = os.getpgid(slow.pid("triggerer"))
        os.killpg(group, signal.SIGSTOP)
        try:
            # The second try: the first one ended in a worker, by the bound of the deferral.
            wait_until(lambda: instances(slow, dag_run_id) == {("deferred", 2)})
        finally:
            os.killpg(group, signal.SIGCONT)
        assert slow.client().wait_for_run(DAG_ID, dag_run_id, TIMEOUT_SECONDS).state == "success"
        assert fleet.charged() == BLOGGERS * 10
        assert fleet.violations() == {}
