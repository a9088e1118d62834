"""Generated requests and the responses to them, checked against the OpenAPI document."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from schemathesis import BaseSchema, Case, GenerationMode

from blogger_tracking.api.app import create_app
from blogger_tracking.api.dependencies import ApiServices
from tests.support.access_tokens import token_for
from tests.support.database_builder import DatabaseBuilder
from tests.support.people import People

ROUTES = [("/add", "POST"), ("/add-from-tracking", "POST"), ("/{trackingId}", "GET"), ("/{trackingId}", "PATCH")]

bounded = settings(
    max_examples=40,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def document(services: ApiServices) -> BaseSchema:
    return schemathesis.openapi.from_dict(create_app(lambda: services, []).openapi())


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_response_conforms_to_the_document_and_none_is_a_server_error(
    people: People, build: DatabaseBuilder, document: BaseSchema, route: tuple[str, str], mode: GenerationMode
) -> None:
    person = people.person("owner")
    tracked = build.track(person.organization_id)
    path, method = route
    operation = document[path][method]

    @bounded
    @given(case=operation.as_strategy(generation_mode=mode), own=st.booleans())
    def fuzz(case: Case[Any], own: bool) -> None:  # noqa: FBT001 - hypothesis passes it by name
        # Starlette does not route a path with a line break to a mounted app.
        assume("\n" not in str(case.path_parameters))
        if mode is GenerationMode.POSITIVE:
            _avoid_errors_that_no_schema_declares(case)
            if own:
                _use_existing_rows(case, str(person.organization_id), str(tracked.tracking_id))
        headers = {"Authorization": f"Bearer {token_for(person.user_id)}"}
        case.call_and_validate(base_url=f"{person.url}/blogger", headers=headers)

    fuzz()


@pytest.mark.parametrize("route", ROUTES)
def test_every_request_without_a_token_is_401(document: BaseSchema, url: str, route: tuple[str, str]) -> None:
    path, method = route
    operation = document[path][method]

    @bounded
    @given(case=operation.as_strategy())
    def fuzz(case: Case[Any]) -> None:
        case.headers.pop("Authorization", None)
        assert case.call(base_url=f"{url}/blogger").status_code == requests.codes.unauthorized

    fuzz()


def _avoid_errors_that_no_schema_declares(case: Case[Any]) -> None:
    if isinstance(case.body, dict) and "username" in case.body:
        case.body["username"] = "somebody"
    if "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(uuid4())


def _use_existing_rows(case: Case[Any], organization_id: str, tracking_id: str) -> None:
    """Replace generated ids by ids of existing rows."""
    if isinstance(case.body, dict) and "organizationId" in case.body:
        case.body["organizationId"] = organization_id
    if "trackingId" in (case.path_parameters or {}):
        case.path_parameters["trackingId"] = tracking_id
