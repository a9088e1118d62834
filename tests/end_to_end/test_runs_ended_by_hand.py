"""Runs that people or a time-out end in the middle, and instances that people clear while they are at work."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
import requests
from airflow_client.client.models.dag_run_mutable_states import DagRunMutableStates

from blogger_tracking.domain.models import Platform
from devtools.local_stack.adding_over_http import access_token
from devtools.local_stack.airflow_client import AirflowClient
from devtools.local_stack.batch_run import wait_for_dag
from devtools.local_stack.config import StackError
from devtools.local_stack.stack import Stack
from devtools.platform_sandbox import Creator
from tests.support.fleet import Fleet
from tests.support.people import Person
from tests.support.running_stack import running_stack
from tests.support.waiting import wait_until

DAG_ID = "blogger_batch_fetch"
INITIAL_DAG_ID = "blogger_initial_fetch"
TIMEOUT_SECONDS = 150
BLOGGERS = 40
THREADS = 4


@pytest.fixture(scope="module")
def slow() -> Iterator[Stack]:
    """A stack that fetches four bloggers at once, each in more than a second."""
    with running_stack(
        latency_ms=1500,
        environment={
            "BLOGGER_TRACKING_FETCH_THREADS": str(THREADS),
            "BLOGGER_TRACKING_INITIAL_FETCH_TIMEOUT_MINUTES": "1",
            "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
        },
    ) as stack:
        yield stack


@pytest.fixture
def fleet(slow: Stack) -> Iterator[Fleet]:
    with psycopg.connect(slow.admin_dsn, autocommit=True) as connection:
        yield Fleet(connection)


@pytest.fixture
def at_work(slow: Stack, fleet: Fleet) -> str:
    """A run of which some fetches are saved and most are not begun; its DAG run id."""
    fleet.track(Platform.TIKTOK, BLOGGERS)
    dag_run_id = slow.client().trigger(DAG_ID, fleet.scope()).dag_run_id
    wait_until(lambda: fetched(fleet) >= THREADS)
    return dag_run_id


def fetched(fleet: Fleet) -> int:
    """Return the number of the organization's fetches with an answer."""
    return int(
        str(
            fleet.value("""
                select count(*) from fetches
                join fetch_allocations on fetch_id = fetches.id
                where organization_id = %(organization)s and conclusive_state is not null
            """)
        )
    )


def most_attempts_of_an_odd_instance(fleet: Fleet) -> object:
    return fleet.value("""
        select max(attempts)
        from (
            select count(*) as attempts from fetch_attempts
            join fetches on fetches.id = fetch_attempts.fetch_id
            join fetch_allocations on fetch_allocations.fetch_id = fetches.id
            where organization_id = %(organization)s and mod(map_index, 2) = 1
            group by fetches.id
        ) as counted
    """)


def count_attempts(fleet: Fleet) -> object:
    return fleet.value("""
        select count(*) from fetch_attempts
        join fetch_allocations using (fetch_id)
        where organization_id = %(organization)s
    """)


def held(fleet: Fleet) -> object:
    """Return the videos that the organization's subscription has reserved."""
    return fleet.value("select reserved from subscription_usage where organization_id = %(organization)s")


def delete_at_work(client: AirflowClient, dag_run_id: str) -> None:
    """Delete a run that is at work. Airflow refuses to delete a running run, but not a queued one."""

    def delete() -> bool:
        client.mark_run(DAG_ID, dag_run_id, DagRunMutableStates.QUEUED)
        try:
            client.delete_run(DAG_ID, dag_run_id)
        except StackError:
            # The scheduler has started the run again.
            return False
        return True

    wait_until(delete)


@pytest.mark.parametrize("state", [DagRunMutableStates.FAILED, DagRunMutableStates.SUCCESS])
def test_a_marked_run_frees_what_it_holds_at_once_and_fetches_no_further(
    slow: Stack, fleet: Fleet, at_work: str, state: DagRunMutableStates
) -> None:
    assert int(str(held(fleet))) > 0

    slow.client().mark_run(DAG_ID, at_work, state)

    assert held(fleet) == 0
    after = count_attempts(fleet)
    assert fleet.violations() == {}
    run = slow.client().trigger(DAG_ID, fleet.scope()).dag_run_id
    assert slow.client().wait_for_run(DAG_ID, run, TIMEOUT_SECONDS).state == "success"
    # All attempts since are those of the new run.
    assert count_attempts(fleet) == int(str(after)) + BLOGGERS
    assert (
        fleet.value("""
        select count(distinct fetches.blogger_id) from fetches
        join fetch_allocations on fetch_id = fetches.id
        where organization_id = %(organization)s and state = 'succeeded'
    """)
        == BLOGGERS
    )
    assert fleet.violations() == {}


def test_the_next_run_frees_what_a_deleted_run_holds_and_fetches_everybody(
    slow: Stack, fleet: Fleet, at_work: str
) -> None:
    delete_at_work(slow.client(), at_work)

    run = slow.client().trigger(DAG_ID, fleet.scope()).dag_run_id
    assert slow.client().wait_for_run(DAG_ID, run, TIMEOUT_SECONDS).state == "success"
    assert fleet.build.rows(
        """
        select decision, reason, count(*)::integer from run_accounts
        join runs on runs.id = run_accounts.run_id
        where dag_run_id = %(run)s group by decision, reason
        """,
        run=run,
    ) == [("planned", None, BLOGGERS)]
    assert held(fleet) == 0
    assert fleet.violations() == {}


def test_clearing_instances_that_are_at_work_leaves_the_triggerer_running(
    slow: Stack, fleet: Fleet, at_work: str
) -> None:
    client, triggerer = slow.client(), slow.pid("triggerer")
    clears = 0
    while client.run(DAG_ID, at_work).state not in {"success", "failed"} and fetched(fleet) < BLOGGERS - THREADS:
        for map_index in range(0, BLOGGERS, 2):
            client.clear(DAG_ID, at_work, "fetch_tiktok", map_index)
            clears += 1

    assert clears > 0
    assert client.wait_for_run(DAG_ID, at_work, TIMEOUT_SECONDS).state == "success"
    assert slow.pid("triggerer") == triggerer
    # Nobody cleared the odd instances.
    assert most_attempts_of_an_odd_instance(fleet) == 1
    assert fleet.charged() == BLOGGERS * 10
    assert held(fleet) == 0
    assert fleet.violations() == {}


def test_a_killed_triggerer_does_not_ask_again_for_what_it_has_saved(slow: Stack, fleet: Fleet, at_work: str) -> None:
    slow.kill("triggerer")
    answered = fetched(fleet)

    assert slow.client().wait_for_run(DAG_ID, at_work, TIMEOUT_SECONDS).state == "success"
    # Only what was at work at that moment is asked again.
    assert answered < BLOGGERS - THREADS
    assert int(str(count_attempts(fleet))) <= BLOGGERS + THREADS
    assert fleet.charged() == BLOGGERS * 10
    assert fleet.violations() == {}


@pytest.fixture
def hanging(slow: Stack, fleet: Fleet) -> Iterator[str]:
    """The DAG run id of the initial fetch of a blogger whose platform does not answer, which holds its reservation."""
    fleet.track(Platform.TIKTOK)
    creator = fleet.untracked(Platform.TIKTOK)
    let_hang(slow, creator)
    wait_for_dag(slow.client(), INITIAL_DAG_ID)
    user = fleet.build.member(fleet.organization, "owner")
    person = Person(requests.Session(), slow.api_url, user, fleet.organization, access_token(slow, user))
    answer = person.add(creator.username).json()
    wait_until(lambda: int(str(held(fleet) or 0)) > 0)
    yield str(answer["initialFetch"]["dagRunId"])
    answer_again(slow)


def let_hang(stack: Stack, creator: Creator) -> None:
    fault = {"kind": "hang", "path": "user/posts", "creator": creator.sec_id, "seconds": 300}
    requests.post(f"{stack.sandbox_url}/_sandbox/faults", json=fault, timeout=10).raise_for_status()


def answer_again(stack: Stack) -> None:
    requests.delete(f"{stack.sandbox_url}/_sandbox/faults", timeout=10).raise_for_status()


def require_that_the_next_batch_fetches(stack: Stack, fleet: Fleet) -> None:
    run = stack.client().trigger(DAG_ID, fleet.scope()).dag_run_id
    assert stack.client().wait_for_run(DAG_ID, run, TIMEOUT_SECONDS).state == "success"
    wait_until(
        lambda: (
            fleet.value(
                "select bool_and(initial_videos_fetched) from tracked_accounts where organization_id = %(organization)s"
            )
            is True
        )
    )
    assert held(fleet) == 0
    assert fleet.charged() == fleet.value(
        "select count(*) from organization_videos where organization_id = %(organization)s"
    )
    assert fleet.violations() == {}


def test_a_marked_initial_fetch_frees_what_it_holds_at_once(slow: Stack, fleet: Fleet, hanging: str) -> None:
    slow.client().mark_run(INITIAL_DAG_ID, hanging, DagRunMutableStates.FAILED)

    assert held(fleet) == 0
    answer_again(slow)
    require_that_the_next_batch_fetches(slow, fleet)


def test_a_timed_out_initial_fetch_frees_what_it_holds_with_the_next_run(
    slow: Stack, fleet: Fleet, hanging: str
) -> None:
    assert slow.client().wait_for_run(INITIAL_DAG_ID, hanging, TIMEOUT_SECONDS).state == "failed"

    answer_again(slow)
    require_that_the_next_batch_fetches(slow, fleet)
