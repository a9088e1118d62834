"""Access to the Bloggers page: who reads, who acts, and what is served at all."""

from __future__ import annotations

import re
import socket
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import requests
from fastapi.routing import APIRoute

from blogger_tracking.api.authentication import BODY_BYTES_LIMIT
from blogger_tracking.page.app import STATIC_FILES, create_app
from blogger_tracking.page.dependencies import PageServices
from tests.support.page_people import ACCESS, PagePerson

READING_ROUTES = {
    "/static/{name}",
    "/api/me",
    "/api/overview",
    "/api/live",
    "/api/organizations",
    "/api/organizations/{organization_id}/next-run",
    "/api/bloggers",
    "/api/bloggers/{blogger_id}",
    "/api/bloggers/{blogger_id}/videos",
    "/api/bloggers/{blogger_id}/statistics",
    "/api/bloggers/{blogger_id}/fetches",
    "/api/videos/{video_id}/statistics",
    "/api/videos/{video_id}/thumbnail",
}
ACTING_ROUTES = {"/api/organizations/{organization_id}/bloggers"}


def routes_of(services: PageServices) -> list[APIRoute]:
    return [route for route in create_app(ACCESS, lambda: services).routes if isinstance(route, APIRoute)]


def test_no_route_answers_a_person_without_the_right_to_read(services: PageServices, url: str) -> None:
    routes = routes_of(services)
    assert {route.path for route in routes} == READING_ROUTES | ACTING_ROUTES
    for route in routes:
        path = re.sub(r"\{\w+\}", str(uuid4()), route.path)
        for method in route.methods:
            answer = PagePerson(url, "").call(method, path, {})
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized"), path


def test_a_viewer_reads_and_does_not_act(services: PageServices, person: PagePerson, viewer: PagePerson) -> None:
    assert viewer.get("/api/me").json() == {"mayAct": False}
    assert person.get("/api/me").json() == {"mayAct": True}
    for route in routes_of(services):
        if route.methods != {"GET"}:
            answer = viewer.call("POST", re.sub(r"\{\w+\}", str(uuid4()), route.path), {})
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden"), route.path


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param("Content-Type: application/json\r\n", 401, id="nobody"),
        pytest.param("X-Person: viewer\r\nContent-Type: application/json\r\n", 403, id="viewer"),
        pytest.param("X-Person: operator\r\n", 415, id="another type"),
    ],
)
def test_the_body_of_a_request_without_the_right_to_act_is_not_read(url: str, headers: str, status: int) -> None:
    # The body never ends: whoever waits for its end gets no answer.
    assert begin_of_answer(url, f"{headers}Transfer-Encoding: chunked\r\n", b"1\r\n{\r\n") == status


def test_a_body_over_the_limit_is_refused_before_its_end_is_sent(url: str) -> None:
    headers = "X-Person: operator\r\nContent-Type: application/json\r\n"
    piece = b"%x\r\n%s\r\n" % (4096, b" " * 4096)
    pieces = piece * (BODY_BYTES_LIMIT // 4096 + 1)
    assert begin_of_answer(url, f"{headers}Transfer-Encoding: chunked\r\n", pieces) == 413
    assert begin_of_answer(url, f"{headers}Content-Length: {BODY_BYTES_LIMIT + 1}\r\n", b"") == 413


def test_no_route_declares_a_body_which_would_be_read_before_the_guards(services: PageServices) -> None:
    assert [route.path for route in routes_of(services) if route.body_field is not None] == []


def begin_of_answer(url: str, headers: str, begin_of_body: bytes) -> int:
    """Return the status of the response to an addition of which only the begin of the body is sent."""
    parts = urlsplit(url)
    head = f"POST {parts.path}/api/organizations/{uuid4()}/bloggers HTTP/1.1\r\nHost: x\r\n{headers}\r\n"
    with socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=10) as connection:
        connection.sendall(head.encode() + begin_of_body)
        return int(connection.recv(64).split()[1])


@pytest.mark.parametrize("body", [b"", b"{", b"7", b"{}", b'{"username": "x", "platform": "TikTok", "more": 1}'])
def test_a_body_that_is_no_addition_is_400_and_the_response_names_the_fault(url: str, body: bytes) -> None:
    answer = requests.post(
        f"{url}/api/organizations/{uuid4()}/bloggers",
        data=body,
        headers={"X-Person": "operator", "Content-Type": "application/json"},
        timeout=10,
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")
    assert answer.json()["error"]["message"].startswith("body")


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/redoc", "/static/app.py", "/static/..%2fapp.py"])
def test_nothing_but_the_built_files_and_the_api_is_served(person: PagePerson, path: str) -> None:
    assert person.get(path).status_code == 404


@pytest.mark.parametrize(("name", "media_type"), STATIC_FILES.items())
def test_a_built_file_is_served_with_its_type_and_may_load_nothing(
    person: PagePerson, name: str, media_type: str
) -> None:
    answer = person.get(f"/static/{name}")
    assert (answer.status_code, answer.text) == (200, f"contents of {name}")
    assert answer.headers["Content-Type"].partition(";")[0] == media_type
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"


def test_a_response_of_the_api_is_json_and_stays_in_no_cache(person: PagePerson) -> None:
    answer = person.get("/api/me")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_name_of_a_file_may_not_leave_the_folder(url: str) -> None:
    with requests.Session() as session:
        request = requests.Request("GET", f"{url}/static/x", headers={"X-Person": "operator"}).prepare()
        request.url = f"{url}/static/../app.py"
        assert session.send(request, timeout=30).status_code == 404
