"""Access to the HTTP API: tokens, web pages of other origins, and errors without details."""

from __future__ import annotations

from dataclasses import replace

import pytest
import requests
from fastapi.routing import APIRoute
from psycopg_pool import ConnectionPool

from blogger_tracking.api.app import create_app
from blogger_tracking.api.dependencies import ApiServices
from tests.support.access_tokens import SECRET, token_for
from tests.support.app_server import AppServer
from tests.support.database_builder import DatabaseBuilder
from tests.support.people import ALLOWED_ORIGIN, People


@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer x", "Basic eDp5", f"Bearer {SECRET}"])
def test_no_route_answers_without_a_valid_token(
    services: ApiServices, url: str, http: requests.Session, authorization: str | None
) -> None:
    routes = [route for route in create_app(lambda: services, []).routes if isinstance(route, APIRoute)]
    assert {(method, route.path) for route in routes for method in route.methods} == {
        ("POST", "/add"),
        ("POST", "/add-from-tracking"),
        ("GET", "/{trackingId}"),
        ("PATCH", "/{trackingId}"),
    }
    headers = {} if authorization is None else {"Authorization": authorization}
    for route in routes:
        for method in route.methods:
            # The body is not JSON: the token is verified before the body is parsed.
            answer = http.request(method, f"{url}/blogger{route.path}", data="{", headers=headers, timeout=10)
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "not_authenticated")
            assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_an_api_key_is_401_and_the_response_says_what_to_send_instead(url: str, http: requests.Session) -> None:
    headers = {"Authorization": "Bearer sb_secret_AbCdEf0123456789"}
    answer = http.post(f"{url}/blogger/add", headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "not_authenticated")
    assert "Send the access token of the signed-in user" in answer.json()["error"]["message"]
    assert "sb_secret" not in answer.text


def test_documentation_is_not_served_and_an_unknown_path_is_404(people: People) -> None:
    person = people.person()
    for path in ("/blogger/docs", "/blogger/openapi.json", "/blogger/redoc"):
        assert person.call("GET", path).status_code == 400
    assert person.call("GET", "/blogger/add/x").json()["error"]["code"] == "not_found"
    assert person.call("DELETE", "/blogger/add").json()["error"]["code"] == "method_not_allowed"


def test_a_preflight_from_an_allowed_origin_needs_no_token(url: str, http: requests.Session) -> None:
    asked = {
        "Origin": ALLOWED_ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
    }
    answer = http.options(f"{url}/blogger/add", headers=asked, timeout=10)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == ALLOWED_ORIGIN


def test_another_origin_gets_no_cors_headers(people: People, url: str, http: requests.Session) -> None:
    foreign = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    preflight = http.options(f"{url}/blogger/add", headers=foreign, timeout=10)
    token = token_for(people.person().user_id)
    answer = http.post(f"{url}/blogger/add", headers={**foreign, "Authorization": f"Bearer {token}"}, timeout=10)
    assert preflight.status_code == 400
    assert "Access-Control-Allow-Origin" not in preflight.headers
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_an_allowed_origin_may_read_errors(url: str, http: requests.Session) -> None:
    answer = http.post(f"{url}/blogger/add", headers={"Origin": ALLOWED_ORIGIN}, timeout=10)
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (401, ALLOWED_ORIGIN)


def test_an_unreachable_database_is_503_without_details(
    services: ApiServices, build: DatabaseBuilder, http: requests.Session
) -> None:
    with ConnectionPool("host=/nowhere dbname=secret_name", min_size=0, max_size=1, timeout=0.2, open=True) as nowhere:
        fetches = replace(services.fetch_services, pool=nowhere)
        broken = replace(services, make_fetch_services=lambda: fetches)
        with AppServer(create_app(lambda: broken, [])) as server:
            people = People(build, http, server.url)
            answer = people.person().add("somebody")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
    assert "secret_name" not in answer.text


def test_an_unexpected_error_is_500_without_details(build: DatabaseBuilder, http: requests.Session) -> None:
    def fail() -> ApiServices:
        raise RuntimeError("secret detail")

    with AppServer(create_app(fail, [])) as server:
        answer = People(build, http, server.url).person().add("somebody")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert "secret detail" not in answer.text


def test_a_user_without_any_organization_is_403(people: People, build: DatabaseBuilder) -> None:
    person = people.person()
    stranger = people.calling(build.user(), person.organization_id)
    assert stranger.add("somebody").status_code == 403
