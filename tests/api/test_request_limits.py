"""Limits of requests over real HTTP: of a person, of an organization, of strangers, and of a body's size."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec

from blogger_tracking.api.access_tokens import SupabaseAuthConfig, TokenVerifier
from blogger_tracking.api.app import create_app
from blogger_tracking.api.authentication import BODY_BYTES_LIMIT
from blogger_tracking.api.dependencies import ApiServices
from blogger_tracking.database.request_budgets import BudgetPurpose, Budgets
from blogger_tracking.rate_limit import RequestRateLimiter, StrangerRateLimiter
from devtools.platform_sandbox import SandboxServer
from tests.support.access_tokens import ISSUER, claims_of, key_set, token_for
from tests.support.app_server import AppServer
from tests.support.database_builder import DatabaseBuilder
from tests.support.people import People
from tests.support.scripted_server import Scripted, ScriptedServer
from tests.support.waiting import wait_until

Serve = Callable[[ApiServices], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start one more API server process in all but name, and return its address."""
    with ExitStack() as servers:
        yield lambda services: servers.enter_context(AppServer(create_app(lambda: services, []))).url


def limited(services: ApiServices, *, person: int, organization: int) -> ApiServices:
    """Return the services as a new process has them: counts in memory begin again."""
    return replace(
        services,
        person_rate_limiter=RequestRateLimiter("This person", person),
        request_budgets=Budgets(
            BudgetPurpose.REQUESTS, timedelta(minutes=1), of_person=person, of_organization=organization
        ),
    )


def test_one_person_cannot_use_up_the_share_of_the_organization(
    build: DatabaseBuilder, services: ApiServices, http: requests.Session, serve: Serve
) -> None:
    people = People(build, http, serve(limited(services, person=2, organization=4)))
    greedy = people.person()
    colleague = people.person(organization=greedy.organization_id)
    third = people.person(organization=greedy.organization_id)
    tracked = build.track(greedy.organization_id).tracking_id
    answers = [greedy.read(tracked) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429, 429, 429]
    assert answers[2].json()["error"]["message"].startswith("This person sends too many requests.")
    assert [colleague.read(tracked).status_code for _ in range(2)] == [200, 200]
    over = third.read(tracked)
    assert over.status_code == 429
    assert over.json()["error"]["message"].startswith("This organization sends too many requests.")
    assert 1 <= int(over.headers["Retry-After"]) <= 60


def test_the_requests_of_a_person_beyond_the_limit_of_a_process_cost_no_row_and_no_statement(
    build: DatabaseBuilder, services: ApiServices, http: requests.Session, serve: Serve
) -> None:
    of_process = replace(services, person_rate_limiter=RequestRateLimiter("This person", 2))
    person = People(build, http, serve(of_process)).person()
    tracked = build.track(person.organization_id).tracking_id
    answers = [person.read(tracked) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert build.value("select max(cardinality(used_at)) from request_budgets") == 2


def test_the_rate_limits_hold_across_processes_and_restarts(
    build: DatabaseBuilder, services: ApiServices, http: requests.Session, serve: Serve
) -> None:
    urls = [serve(limited(services, person=2, organization=3)) for _ in range(3)]
    greedy = People(build, http, urls[0]).person()
    colleague = People(build, http, urls[0]).person(organization=greedy.organization_id)
    tracked = build.track(greedy.organization_id).tracking_id
    assert [replace(greedy, url=url).read(tracked).status_code for url in urls] == [200, 200, 429]
    assert [replace(colleague, url=url).read(tracked).status_code for url in urls] == [200, 429, 429]


def test_requests_of_users_who_are_no_members_do_not_count_and_leave_no_row(
    build: DatabaseBuilder, services: ApiServices, http: requests.Session, serve: Serve
) -> None:
    people = People(build, http, serve(limited(services, person=9, organization=2)))
    person = people.person()
    stranger = people.calling(people.person().user_id, person.organization_id)
    tracked = build.track(person.organization_id).tracking_id
    assert {stranger.read(tracked).status_code for _ in range(3)} == {403}
    assert {stranger.add("somebody", key=f"k{number}").status_code for number in range(3)} == {403}
    assert build.value("select count(*) from idempotency_keys") == 0
    assert build.value("select count(*) from request_budgets") == 0
    assert [person.read(tracked).status_code for _ in range(2)] == [200, 200]


@pytest.mark.parametrize("authorization", [None, "Bearer x", f"Bearer {token_for.__name__}.x.y"])
def test_strangers_are_429_over_their_limit_and_a_member_at_their_address_is_served(
    build: DatabaseBuilder, services: ApiServices, http: requests.Session, authorization: str | None
) -> None:
    app = create_app(lambda: services, [])
    app.state.strangers = StrangerRateLimiter(3, 100)
    headers = {} if authorization is None else {"Authorization": authorization}
    with AppServer(app) as server:
        answers = [http.get(f"{server.url}/blogger/x", headers=headers, timeout=10) for _ in range(5)]
        person = People(build, http, server.url).person()
        served = person.read(build.track(person.organization_id).tracking_id)
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert 1 <= int(answers[4].headers["Retry-After"]) <= 60
    assert served.status_code == 200


def signed_with_unknown_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return jwt.encode(claims_of(uuid4()), key, algorithm="ES256", headers={"kid": "unknown"})


def test_strangers_are_429_over_their_limit_while_the_published_keys_are_unavailable_which_is_logged_once(
    services: ApiServices, http: requests.Session, caplog: pytest.LogCaptureFixture
) -> None:
    with ScriptedServer() as keys:
        keys.play(Scripted(status=500))
        config = SupabaseAuthConfig(issuer=ISSUER, jwks_url=f"{keys.url}/jwks.json")
        verifier = TokenVerifier(config, timeout_seconds=5, cooldown_seconds=600)
        app = create_app(lambda: replace(services, token_verifier=verifier), [])
        app.state.strangers = StrangerRateLimiter(3, 100)
        headers = {"Authorization": f"Bearer {signed_with_unknown_key()}"}
        with AppServer(app) as server:
            answers = [http.get(f"{server.url}/blogger/x", headers=headers, timeout=10) for _ in range(5)]
    codes = ["unavailable"] * 3 + ["rate_limited"] * 2
    assert [answer.json()["error"]["code"] for answer in answers] == codes
    errors = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == 1
    assert "JWKS" in errors[0]


def test_strangers_are_429_over_their_limit_while_too_many_wait_for_the_published_keys(
    services: ApiServices, http: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blogger_tracking.api.authentication._WAITING_FOR_KEYS", 0)
    app = create_app(lambda: services, [])
    app.state.services = services
    app.state.strangers = StrangerRateLimiter(3, 100)
    headers = {"Authorization": f"Bearer {signed_with_unknown_key()}"}
    with AppServer(app) as server:
        answers = [http.get(f"{server.url}/blogger/x", headers=headers, timeout=10) for _ in range(5)]
    assert [answer.json()["error"]["code"] for answer in answers] == ["busy"] * 3 + ["rate_limited"] * 2


def test_strangers_take_none_of_the_threads_of_the_api(
    people: People, url: str, http: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise AssertionError("a thread of the API was taken")

    monkeypatch.setattr("blogger_tracking.api.authentication._own_threads", fail)
    for authorization in ("Bearer", "Bearer x", f"Bearer {token_for(people.person().user_id)}x"):
        answer = http.post(f"{url}/blogger/add", headers={"Authorization": authorization}, timeout=10)
        assert answer.status_code == 401


@pytest.mark.parametrize(
    ("lifespan_seconds", "status"), [pytest.param(300, 401, id="current keys"), pytest.param(1e-9, 503, id="in grace")]
)
def test_a_member_does_not_wait_for_the_published_keys_that_a_strangers_token_needs(
    build: DatabaseBuilder,
    services: ApiServices,
    http: requests.Session,
    serve: Serve,
    lifespan_seconds: float,
    status: int,
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())

    def signed(user: UUID, key_id: str) -> str:
        return jwt.encode(claims_of(user), key, algorithm="ES256", headers={"kid": key_id})

    with ScriptedServer() as keys, ThreadPoolExecutor(2) as strangers:
        keys.play(Scripted(key_set(known=key)), Scripted(hang=True))
        config = SupabaseAuthConfig(issuer=ISSUER, jwks_url=f"{keys.url}/jwks.json")
        verifier = TokenVerifier(config, timeout_seconds=2, cooldown_seconds=0, lifespan_seconds=lifespan_seconds)
        people = People(build, http, serve(replace(services, token_verifier=verifier)))
        person = people.person()
        tracked = build.track(person.organization_id).tracking_id
        member = replace(person, token=signed(person.user_id, "known"))
        assert member.read(tracked).status_code == 200
        stranger = replace(person, token=signed(person.user_id, "unknown"), session=requests.Session())
        waiting = [strangers.submit(stranger.read, tracked) for _ in range(2)]
        wait_until(lambda: len(keys.asked) > 1)
        assert member.read(tracked).status_code == 200
        assert not any(each.done() for each in waiting)
        assert {each.result().status_code for each in waiting} == {status}


@pytest.mark.parametrize(
    ("authorize", "status"),
    [
        pytest.param(lambda user: f"Authorization: Bearer {token_for(user)}\r\n", 413, id="member"),
        pytest.param(lambda user: f"Authorization: Bearer {token_for(user)}x\r\n", 401, id="forged token"),
        pytest.param(lambda _: "", 401, id="no token"),
    ],
)
def test_a_body_over_the_limit_is_refused_before_its_end_is_sent(
    people: People, url: str, authorize: Callable[[UUID], str], status: int
) -> None:
    head = f"POST /blogger/add HTTP/1.1\r\nHost: x\r\n{authorize(people.person().user_id)}"
    piece = b"%x\r\n%s\r\n" % (4096, b" " * 4096)
    # Neither body ever ends: whoever waits for its end gets no answer.
    for rest in (
        f"Content-Length: {BODY_BYTES_LIMIT + 1}\r\n\r\n".encode(),
        b"Transfer-Encoding: chunked\r\n\r\n" + piece * (BODY_BYTES_LIMIT // 4096 + 1),
    ):
        parts = urlsplit(url)
        with socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=10) as connection:
            connection.sendall(head.encode() + rest)
            assert connection.recv(64).startswith(f"HTTP/1.1 {status} ".encode())


def test_a_body_of_the_limit_is_read(people: People, url: str, http: requests.Session, sandbox: SandboxServer) -> None:
    person = people.person()
    name = sandbox.world.creator("TikTok", 0).username
    body = f'{{"username": "{name}", "platform": "TikTok", "organizationId": "{person.organization_id}"}}'
    headers = {"Authorization": f"Bearer {token_for(person.user_id)}", "Content-Type": "application/json"}
    padded = body.ljust(BODY_BYTES_LIMIT)
    assert http.post(f"{url}/blogger/add", data=padded, headers=headers, timeout=10).status_code == 200


def test_an_idempotency_key_leaves_a_row_only_for_a_member(people: People, build: DatabaseBuilder) -> None:
    person = people.person("viewer")
    stranger = people.calling(build.user(), person.organization_id)
    stranger.add("somebody", key="k")
    assert build.value("select count(*) from idempotency_keys") == 0
    person.add("somebody", key="k")
    assert build.value("select count(*) from idempotency_keys") == 1


def test_a_kept_response_is_not_repeated_to_a_former_member(
    people: People, build: DatabaseBuilder, sandbox: SandboxServer
) -> None:
    person = people.person()
    name = sandbox.world.creator("TikTok", 0).username
    added = person.add(name, key="k")
    again = partial(person.add_from_tracking, UUID(added.json()["blogger"]["bloggerId"]), key="k")
    assert (added.status_code, again().status_code) == (200, 409)
    build.run("delete from organization_members where user_id = %(user)s", user=person.user_id)
    for answer in (person.add(name, key="k"), again()):
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_a_member")
