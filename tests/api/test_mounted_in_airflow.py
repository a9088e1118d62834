"""The HTTP API inside Airflow's API server, which it calls itself to trigger runs."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from uuid import UUID

import pytest
import requests
from anyio import CapacityLimiter, from_thread
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from blogger_tracking.airflow_api import AirflowApi
from blogger_tracking.api.app import create_app
from blogger_tracking.api.dependencies import ApiServices
from blogger_tracking.domain.models import Platform
from devtools.platform_sandbox import CreatorKind, SandboxServer
from tests.support.airflow_stand_in import LOGIN, PASSWORD, AirflowStandIn
from tests.support.app_server import AppServer
from tests.support.database_builder import DatabaseBuilder
from tests.support.people import People
from tests.support.silent_server import SilentServer
from tests.support.waiting import wait_until

ADDITIONS = 50


def airflow_routes(airflow: AirflowStandIn) -> list[Route]:
    """Return Airflow's routes that the API calls, as plain functions, which run in the server's shared threads."""

    def log_in(request: Request) -> JSONResponse:
        status, body = airflow.log_in(json.loads(from_thread.run(request.body)))
        return JSONResponse(body, status)

    def trigger(request: Request) -> JSONResponse:
        status, body = airflow.trigger(json.loads(from_thread.run(request.body)))
        return JSONResponse(body, status)

    return [
        Route("/auth/token", log_in, methods=["POST"]),
        Route("/api/v2/dags/{dag_id}/dagRuns", trigger, methods=["POST"]),
    ]


@pytest.fixture
def mounted_url(services: ApiServices, airflow: AirflowStandIn) -> Iterator[str]:
    """The address of a server that has Airflow's routes and the HTTP API."""
    late: list[ApiServices] = []
    with AppServer(create_app(lambda: late[0], []), airflow_routes(airflow)) as server:
        late.append(replace(services, airflow_api=AirflowApi(server.url, LOGIN, PASSWORD, timeout_seconds=15)))
        yield server.url


def test_fifty_additions_at_once_all_start_their_initial_fetch(
    build: DatabaseBuilder, sandbox: SandboxServer, mounted_url: str
) -> None:
    creators = list(islice(sandbox.world.creators(Platform.TIKTOK, kind=CreatorKind.NORMAL), ADDITIONS))
    with requests.Session() as http:
        people = People(build, http, mounted_url)
        person = people.person(blogger_limit=ADDITIONS)
        together = threading.Barrier(ADDITIONS)

        def add(username: str) -> tuple[int, str]:
            together.wait()
            answer = person.add(username)
            return answer.status_code, answer.json().get("initialFetch", {}).get("state")

        with ThreadPoolExecutor(ADDITIONS) as executor:
            answers = list(executor.map(add, [creator.username for creator in creators]))
    assert answers == [(200, "started")] * ADDITIONS


def test_fifty_additions_of_known_bloggers_at_once_all_start_their_initial_fetch(
    build: DatabaseBuilder, mounted_url: str
) -> None:
    with requests.Session() as http:
        person = People(build, http, mounted_url).person("owner", blogger_limit=ADDITIONS)
        organization = person.organization_id
        paused = [build.track(organization, is_active=False, pending_initial_fetch=True) for _ in range(ADDITIONS)]
        together = threading.Barrier(ADDITIONS)

        def add(blogger: UUID) -> tuple[int, str]:
            together.wait()
            answer = person.add_from_tracking(blogger)
            return answer.status_code, answer.json().get("initialFetch", {}).get("state")

        with ThreadPoolExecutor(ADDITIONS) as executor:
            answers = list(executor.map(add, [tracked.blogger_id for tracked in paused]))
    assert answers == [(200, "started")] * ADDITIONS


def test_additions_that_wait_for_airflow_take_none_of_the_threads_of_the_api(
    build: DatabaseBuilder, services: ApiServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = CapacityLimiter(2)
    monkeypatch.setattr("blogger_tracking.api.authentication._own_threads", lambda: threads)
    with AppServer() as server, ThreadPoolExecutor(2) as executor, requests.Session() as http:
        people = People(build, http, server.url)
        adding, reading = people.person("owner"), people.person()
        organization = adding.organization_id
        paused = [build.track(organization, is_active=False, pending_initial_fetch=True) for _ in range(2)]
        tracked = build.track(reading.organization_id)
        with SilentServer() as airflow:
            hanging = replace(services, airflow_api=AirflowApi(airflow.url, LOGIN, PASSWORD, timeout_seconds=20))
            server.app = create_app(lambda: hanging, [])
            sent = [executor.submit(adding.add_from_tracking, one.blogger_id) for one in paused]
            wait_until(lambda: build.value("select count(*) from tracked_accounts where is_active") == 3, 20)
            assert reading.read(tracked.tracking_id).status_code == 200
            assert not any(each.done() for each in sent)
        assert [each.result().json()["initialFetch"]["state"] for each in sent] == ["waiting"] * 2
