"""Several triggerers, and the data of a run after some or all of them were killed."""

from __future__ import annotations

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
BLOGGERS = 30
TRIGGERERS = ("triggerer", "triggerer-2")


@pytest.fixture(scope="module")
def pair() -> Iterator[Stack]:
    """A stack of two triggerers with a small capacity, which notice within seconds that the other one has died."""
    with running_stack(
        latency_ms=1500,
        triggerers=len(TRIGGERERS),
        environment={
            "AIRFLOW__TRIGGERER__CAPACITY": "6",
            "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
        },
    ) as stack:
        yield stack


@pytest.fixture
def fleet(pair: Stack) -> Iterator[Fleet]:
    """A fleet on this stack instead of the shared one."""
    with psycopg.connect(pair.admin_dsn, autocommit=True) as connection:
        yield Fleet(connection)


def count_executors(fleet: Fleet) -> object:
    """Return the number of processes that have completed a fetch of the fleet."""
    return fleet.value("""
        select count(distinct executor) from fetch_attempts
        join fetch_allocations using (fetch_id)
        where organization_id = %(organization)s and outcome = 'succeeded'
    """)


@pytest.mark.parametrize("killed", [TRIGGERERS[1:], TRIGGERERS], ids=["one of two", "all"])
def test_a_run_whose_triggerers_are_killed_saves_and_charges_the_same_as_an_undisturbed_run(
    pair: Stack, fleet: Fleet, killed: tuple[str, ...]
) -> None:
    fleet.track(Platform.TIKTOK, BLOGGERS)
    client = pair.client()
    dag_run_id = client.trigger(DAG_ID, fleet.scope()).dag_run_id
    wait_until(lambda: count_executors(fleet) == len(TRIGGERERS))
    before = {name: pair.pid(name) for name in killed}
    for name in killed:
        pair.kill(name)
    unfinished = fleet.value("""
        select count(*) from fetches
        join fetch_allocations on fetch_id = fetches.id
        where organization_id = %(organization)s and conclusive_state is null
    """)
    assert unfinished, "the run had ended before a triggerer was killed"
    assert client.wait_for_run(DAG_ID, dag_run_id, TIMEOUT_SECONDS).state == "success"
    assert fleet.charged() == BLOGGERS * 10
    assert fleet.value("select count(*) from organization_videos where organization_id = %(organization)s") == (
        BLOGGERS * 10
    )
    assert fleet.violations() == {}
    assert all(pair.pid(name) != pid for name, pid in before.items())
