"""The first videos of a new blogger in a real Airflow, and what is left after a process was killed on the way."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import airflow_client.client as official
import jwt
import psutil
import pytest
import requests
from airflow_client.client.api.dag_run_api import DagRunApi
from airflow_client.client.models.trigger_dag_run_post_body import TriggerDAGRunPostBody

from blogger_tracking.domain.models import Platform
from devtools.local_stack.stack import Stack
from devtools.platform_sandbox import Creator
from tests.support.fleet import Fleet
from tests.support.people import Person

DAG_ID = "blogger_initial_fetch"
PATIENCE_SECONDS = 150
FIRST_VIDEOS = 30


@pytest.fixture
def person(stack: Stack, fleet: Fleet) -> Person:
    """An owner of the fleet's organization, with a token that the stack accepts."""
    auth = json.loads(stack.environment()["AIRFLOW_CONN_SUPABASE_AUTH"])
    user = fleet.build.member(fleet.organization, "owner")
    claims = {"sub": str(user), "aud": "authenticated", "iss": auth["host"], "exp": int(time.time()) + 3600}
    token = jwt.encode(claims, auth["password"], algorithm="HS256")
    return Person(requests.Session(), stack.api_url, user, fleet.organization, token)


@pytest.fixture(autouse=True)
def no_faults_left(stack: Stack) -> None:
    requests.delete(f"{stack.sandbox_url}/_sandbox/faults", timeout=10).raise_for_status()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen in time")
        time.sleep(0.1)


def has_first_videos(fleet: Fleet) -> bool:
    granted = "select bool_and(initial_videos_fetched) from tracked_accounts where organization_id = %(organization)s"
    return fleet.value(granted) is True


def hang_once(stack: Stack, creator: Creator, seconds: float) -> None:
    fault = {"kind": "hang", "path": "user/posts", "creator": creator.sec_id, "seconds": seconds, "times": 1}
    requests.post(f"{stack.sandbox_url}/_sandbox/faults", json=fault, timeout=10).raise_for_status()


def added(person: Person, creator: Creator) -> str:
    """The run that fetches the first videos; adding again asks an Airflow that was busy again."""
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


def test_an_added_blogger_has_its_videos_and_is_charged_once(fleet: Fleet, person: Person) -> None:
    answers = [person.add(fleet.untracked(platform).username, platform).json() for platform in Platform]
    assert [answer["initialFetch"]["state"] for answer in answers] == ["started"] * 3
    wait_until(lambda: has_first_videos(fleet))
    assert fleet.charged() == 3 * FIRST_VIDEOS
    for answer in answers:
        state = person.read(answer["blogger"]["trackingId"]).json()
        assert (state["initialFetch"]["state"], state["videosSaved"]) == ("fetched", FIRST_VIDEOS)
    assert fleet.violations() == {}


def test_the_official_client_triggers_it_and_is_refused_what_is_no_message(
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
        for run_id in (unknown, mismatch):
            assert client.wait_for_run(DAG_ID, run_id, PATIENCE_SECONDS)["state"] == "failed"
        assert "externalId is not this blogger's" in client.log(DAG_ID, mismatch, "fetch")
        granted = trigger(conf)
        assert client.wait_for_run(DAG_ID, granted, PATIENCE_SECONDS)["state"] == "success"
        assert fleet.charged() == conf["videoCount"]
        duplicate = trigger(conf)
        client.wait_for_run(DAG_ID, duplicate, PATIENCE_SECONDS)
    (instance,) = client.task_instances(DAG_ID, duplicate)
    assert instance["state"] == "skipped"
    assert "duplicate" in client.log(DAG_ID, duplicate, "fetch")
    assert fleet.charged() == conf["videoCount"]
    assert fleet.violations() == {}


@pytest.mark.parametrize("process", ["api-server", "scheduler"])
def test_a_process_that_is_killed_on_the_way_loses_nothing(
    stack: Stack, fleet: Fleet, person: Person, process: str
) -> None:
    creator = fleet.untracked(Platform.TIKTOK)
    answer = person.add(creator.username)
    stack.kill(process)
    assert answer.status_code == requests.codes.ok
    ends_well(stack, fleet)


def test_a_worker_that_is_killed_in_the_middle_of_the_fetch_loses_nothing(
    stack: Stack, fleet: Fleet, person: Person
) -> None:
    creator = fleet.untracked(Platform.TIKTOK)
    hang_once(stack, creator, seconds=10)
    run_id = added(person, creator)
    running = """
        select count(*) from fetches join runs on runs.id = run_id where dag_run_id = %(run)s and state = 'running'
    """
    wait_until(lambda: fleet.build.value(running, run=run_id) == 1)
    killed = busy_workers(stack)
    for worker in killed:
        worker.kill()
    assert killed
    ends_well(stack, fleet)


@pytest.mark.usefixtures("person")
def test_a_wish_that_nobody_handed_over_is_picked_up_by_the_batch(stack: Stack, fleet: Fleet) -> None:
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


def ends_well(stack: Stack, fleet: Fleet) -> None:
    """At the latest by the next batch run, the blogger has its videos and was charged for them once."""
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
    run_id = client.trigger("blogger_batch_fetch", fleet.scope())["dag_run_id"]
    client.wait_for_run("blogger_batch_fetch", run_id, PATIENCE_SECONDS)


def is_healthy(stack: Stack) -> bool:
    try:
        health = requests.get(f"{stack.api_url}/api/v2/monitor/health", timeout=5).json()
    except requests.RequestException:
        return False
    return bool(health["scheduler"]["status"] == "healthy")


def busy_workers(stack: Stack) -> list[psutil.Process]:
    """The scheduler's workers that have a task, and the tasks' own processes."""
    workers = psutil.Process(stack.pid("scheduler")).children()
    busy = [worker for worker in workers if "<idle>" not in " ".join(worker.cmdline())]
    return [process for worker in busy for process in (*worker.children(recursive=True), worker)]
