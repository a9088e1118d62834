"""The first videos of a new blogger in a real Airflow, also if a process is killed in the middle."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import airflow_client.client as official
import psutil
import pytest
import requests
from airflow_client.client.api.dag_run_api import DagRunApi
from airflow_client.client.models.trigger_dag_run_post_body import TriggerDAGRunPostBody

from blogger_tracking.domain.models import Platform
from devtools.local_stack.adding_over_http import access_token
from devtools.local_stack.stack import Stack
from devtools.platform_sandbox import Creator
from tests.support.fleet import Fleet
from tests.support.people import Person
from tests.support.waiting import wait_until

DAG_ID = "blogger_initial_fetch"
TIMEOUT_SECONDS = 150
FIRST_VIDEOS = 30


@pytest.fixture
def person(stack: Stack, fleet: Fleet) -> Person:
    """An owner of the fleet's organization, with a token that the stack accepts."""
    user = fleet.build.member(fleet.organization, "owner")
    return Person(requests.Session(), stack.api_url, user, fleet.organization, access_token(stack, user))


@pytest.fixture(autouse=True)
def without_faults(stack: Stack) -> None:
    requests.delete(f"{stack.sandbox_url}/_sandbox/faults", timeout=10).raise_for_status()


def has_first_videos(fleet: Fleet) -> bool:
    granted = "select bool_and(initial_videos_fetched) from tracked_accounts where organization_id = %(organization)s"
    return fleet.value(granted) is True


def hang_once(stack: Stack, creator: Creator, seconds: float) -> None:
    fault = {"kind": "hang", "path": "user/posts", "creator": creator.sec_id, "seconds": seconds, "times": 1}
    requests.post(f"{stack.sandbox_url}/_sandbox/faults", json=fault, timeout=10).raise_for_status()


def add_until_started(person: Person, creator: Creator) -> str:
    """Add a blogger and return the DAG run id of its initial fetch.

    The request is repeated until Airflow, which may be starting again, has accepted the run.
    """
    answers: list[dict[str, Any]] = []

    def is_started() -> bool:
        answers.append(person.add(creator.username).json())
        return bool(answers[-1]["initialFetch"]["state"] == "started")

    wait_until(is_started)
    return str(answers[-1]["initialFetch"]["dagRunId"])


def message_for(fleet: Fleet, person: Person, creator: Creator) -> dict[str, Any]:
    return {
        "type": "blogger_initial_fetch",
        "bloggerId": str(next(blogger for blogger, each in fleet.creators.items() if each == creator)),
        "secUid": creator.sec_id,
        "externalId": creator.external_id,
        "platform": str(creator.platform),
        "videoCount": 25,
        "organizationId": str(fleet.organization),
        "userId": str(person.user_id),
        "requestId": "request-1",
        "videoStatus": "tracking",
        "timestamp": datetime.now(UTC).isoformat(),
    }


def test_an_added_blogger_has_its_first_videos_and_is_charged_once(fleet: Fleet, person: Person) -> None:
    answers = [person.add(fleet.untracked(platform).username, platform).json() for platform in Platform]
    assert [answer["initialFetch"]["state"] for answer in answers] == ["started"] * 3
    wait_until(lambda: has_first_videos(fleet))
    assert fleet.charged() == 3 * FIRST_VIDEOS
    for answer in answers:
        state = person.read(answer["blogger"]["trackingId"]).json()
        assert (state["initialFetch"]["state"], state["videosSaved"]) == ("fetched", FIRST_VIDEOS)
    assert fleet.violations() == {}


def test_the_official_client_triggers_an_initial_fetch_and_is_refused_an_invalid_message(
    stack: Stack, fleet: Fleet, person: Person
) -> None:
    (blogger,) = fleet.track(Platform.TIKTOK)
    creator = fleet.creators[blogger]
    fleet.build.run("update tracked_accounts set initial_videos_fetched = false where blogger_id = %(id)s", id=blogger)
    conf = message_for(fleet, person, creator)
    login = {"username": stack.login, "password": stack.password}
    token = requests.post(f"{stack.api_url}/auth/token", json=login, timeout=10).json()["access_token"]
    with official.ApiClient(official.Configuration(host=stack.api_url, access_token=token)) as api_client:
        runs = DagRunApi(api_client)

        def trigger(conf: dict[str, Any]) -> str:
            return runs.trigger_dag_run(DAG_ID, TriggerDAGRunPostBody(logical_date=None, conf=conf)).dag_run_id

        for key in conf:
            with pytest.raises(official.ApiException) as refused:
                trigger({name: value for name, value in conf.items() if name != key})
            assert refused.value.status == requests.codes.bad_request
        with pytest.raises(official.ApiException) as refused:
            trigger({**conf, "videoCount": 501})
        assert refused.value.status == requests.codes.bad_request
        unknown, mismatch = trigger({**conf, "unknown": 1}), trigger({**conf, "externalId": "somebody-else"})
        client = stack.client()
        for dag_run_id in (unknown, mismatch):
            assert client.wait_for_run(DAG_ID, dag_run_id, TIMEOUT_SECONDS).state == "failed"
        assert "externalId is not this blogger's" in client.log(DAG_ID, mismatch, "fetch")
        granted = trigger(conf)
        assert client.wait_for_run(DAG_ID, granted, TIMEOUT_SECONDS).state == "success"
        assert fleet.charged() == conf["videoCount"]
        duplicate = trigger(conf)
        client.wait_for_run(DAG_ID, duplicate, TIMEOUT_SECONDS)
    (instance,) = client.task_instances(DAG_ID, duplicate)
    assert instance.state == "skipped"
    assert "duplicate" in client.log(DAG_ID, duplicate, "fetch")
    assert fleet.charged() == conf["videoCount"]
    assert fleet.violations() == {}


@pytest.mark.parametrize("process", ["api-server", "scheduler"])
def test_killing_a_process_of_airflow_loses_no_initial_fetch(
    stack: Stack, fleet: Fleet, person: Person, process: str
) -> None:
    creator = fleet.untracked(Platform.TIKTOK)
    answer = person.add(creator.username)
    stack.kill(process)
    assert answer.status_code == requests.codes.ok
    require_fetched_and_charged_once(stack, fleet)


def test_killing_the_worker_in_the_middle_of_the_fetch_loses_no_initial_fetch(
    stack: Stack, fleet: Fleet, person: Person
) -> None:
    creator = fleet.untracked(Platform.TIKTOK)
    hang_once(stack, creator, seconds=10)
    dag_run_id = add_until_started(person, creator)
    running = """
        select count(*)
        from fetches
        join runs on runs.id = run_id
        where dag_run_id = %(run)s and state = 'running'
    """
    wait_until(lambda: fleet.build.value(running, run=dag_run_id) == 1)
    killed = busy_workers(stack)
    for worker in killed:
        worker.kill()
    assert killed
    require_fetched_and_charged_once(stack, fleet)


@pytest.mark.usefixtures("person")
def test_a_pending_initial_fetch_that_was_never_dispatched_is_dispatched_by_the_batch(
    stack: Stack, fleet: Fleet
) -> None:
    (blogger,) = fleet.track(Platform.TIKTOK)
    fleet.build.run(
        """
        update tracked_accounts
        set initial_videos_fetched = false, pending_initial_fetch = true, initial_fetch_attempt = 1
        where blogger_id = %(id)s
        """,
        id=blogger,
    )
    run_batch(stack, fleet)
    wait_until(lambda: has_first_videos(fleet))
    assert fleet.charged() == FIRST_VIDEOS
    assert fleet.violations() == {}


def require_fetched_and_charged_once(stack: Stack, fleet: Fleet) -> None:
    """Check that the blogger has its videos by the next batch run, and was charged for them once."""
    wait_until(lambda: all(state.pid for state in stack.states().values()) and is_healthy(stack))
    run_batch(stack, fleet)
    wait_until(lambda: has_first_videos(fleet))
    charged = """
        select array_agg(charged)
        from fetch_allocations
        join fetches on fetches.id = fetch_id
        join runs on runs.id = run_id
        where organization_id = %(organization)s and dag_id = 'blogger_initial_fetch' and charged > 0
    """
    assert fleet.value(charged) == [FIRST_VIDEOS]
    assert fleet.violations() == {}


def run_batch(stack: Stack, fleet: Fleet) -> None:
    client = stack.client()
    dag_run_id = client.trigger("blogger_batch_fetch", fleet.scope()).dag_run_id
    client.wait_for_run("blogger_batch_fetch", dag_run_id, TIMEOUT_SECONDS)


def is_healthy(stack: Stack) -> bool:
    try:
        health = requests.get(f"{stack.api_url}/api/v2/monitor/health", timeout=5).json()
    except requests.RequestException:
        return False
    return bool(health["scheduler"]["status"] == "healthy")


def busy_workers(stack: Stack) -> list[psutil.Process]:
    """Return the scheduler's workers that run a task, and the processes of those tasks."""
    workers = psutil.Process(stack.pid("scheduler")).children()
    busy = [worker for worker in workers if "<idle>" not in " ".join(worker.cmdline())]
    return [process for worker in busy for process in (*worker.children(recursive=True), worker)]
