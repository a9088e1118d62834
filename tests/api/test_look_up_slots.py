"""Slots of look-ups over real HTTP, while a platform hangs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import pytest
import requests
from psycopg_pool import ConnectionPool

from blogger_tracking.api.app import create_app
from blogger_tracking.api.dependencies import ApiServices
from blogger_tracking.api.look_up_slots import LookUpSlots
from blogger_tracking.domain.models import Platform
from devtools.platform_sandbox import Fault, FaultKind, SandboxServer
from tests.support.app_server import AppServer
from tests.support.database_builder import DatabaseBuilder
from tests.support.people import People, Person
from tests.support.waiting import wait_until

_HANG_SECONDS = 3
_DEADLINE_SECONDS = 20


@pytest.fixture
def requests_of_one_member() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(24) as executor:
        yield executor


def name(sandbox: SandboxServer, platform: Platform, number: int = 0) -> str:
    return sandbox.world.creator(platform, number).username


def occupy(
    executor: ThreadPoolExecutor, sandbox: SandboxServer, person: Person, slots: int
) -> list[Future[requests.Response]]:
    """Send sixteen look-ups to TikTok, and wait until as many as there are slots have arrived there."""
    sent = [executor.submit(person.add, name(sandbox, Platform.TIKTOK, number)) for number in range(16)]
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while sandbox.request_count() < slots:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return sent


def test_a_platform_that_hangs_leaves_the_other_platforms_to_another_organization(
    build: DatabaseBuilder,
    services: ApiServices,
    sandbox: SandboxServer,
    http: requests.Session,
    requests_of_one_member: ThreadPoolExecutor,
) -> None:
    sandbox.add_fault(Fault(FaultKind.HANG, Platform.TIKTOK, seconds=_HANG_SECONDS))
    # One member can take all slots of the platform, as two members of two organizations otherwise can.
    all_slots = replace(services, look_up_slots=LookUpSlots(8, 8))
    with AppServer(create_app(lambda: all_slots, [])) as server:
        people = People(build, http, server.url)
        sent = occupy(requests_of_one_member, sandbox, people.person(), 8)
        other = people.person()
        for platform in (Platform.INSTAGRAM, Platform.YOUTUBE):
            assert other.add(name(sandbox, platform), platform).status_code == 200
        assert not any(each.done() for each in sent)
        for each in sent:
            each.result()


def test_an_organization_leaves_slots_of_the_same_platform_to_another_organization(
    people: People, sandbox: SandboxServer, requests_of_one_member: ThreadPoolExecutor
) -> None:
    sandbox.add_fault(Fault(FaultKind.HANG, Platform.TIKTOK, seconds=_HANG_SECONDS, times=8))
    sent = occupy(requests_of_one_member, sandbox, people.person(), 8)
    assert people.person().add(name(sandbox, Platform.TIKTOK, 20)).status_code == 200
    assert not any(each.done() for each in sent)


def test_look_ups_that_hang_hold_no_connection_to_the_database(
    people: People, pool: ConnectionPool, sandbox: SandboxServer, requests_of_one_member: ThreadPoolExecutor
) -> None:
    def connections_in_use() -> int:
        stats = pool.get_stats()
        return stats["pool_size"] - stats["pool_available"]

    sandbox.add_fault(Fault(FaultKind.HANG, Platform.TIKTOK, seconds=_HANG_SECONDS, times=8))
    sent = occupy(requests_of_one_member, sandbox, people.person(), 8)
    wait_until(lambda: connections_in_use() == 0, _HANG_SECONDS / 2, pool.get_stats)
    assert pool.get_stats()["pool_size"] > 0
    assert not any(each.done() for each in sent)


def test_a_look_up_without_a_slot_for_a_while_is_503(
    build: DatabaseBuilder,
    services: ApiServices,
    sandbox: SandboxServer,
    http: requests.Session,
    requests_of_one_member: ThreadPoolExecutor,
) -> None:
    sandbox.add_fault(Fault(FaultKind.HANG, Platform.TIKTOK, seconds=_HANG_SECONDS))
    few = replace(services, look_up_slots=LookUpSlots(2, 2, wait_seconds=0.1))
    with AppServer(create_app(lambda: few, [])) as server:
        people = People(build, http, server.url)
        sent = occupy(requests_of_one_member, sandbox, people.person(), 2)
        answer = people.person().add(name(sandbox, Platform.TIKTOK, 20))
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "busy")
        assert answer.headers["Retry-After"] == "5"
        assert sum(each.result().json().get("error", {}).get("code") == "busy" for each in sent) == 14
