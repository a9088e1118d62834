"""Idempotency keys: nobody reads the kept response of another person, and no key is used for two requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus

import requests

from blogger_tracking.domain.models import Role
from devtools.attack.target import Target, Tenant
from devtools.attack.tries import Try

_KEY = "a-key-that-two-people-use"


def idempotency(target: Target) -> Iterator[Try]:
    """Repeat a request with its key as the same person, as a colleague, as a foreign member, and changed."""
    tenant, foreign = target.tenant(), target.tenant()
    person, colleague = (target.token(target.member(tenant, Role.OWNER)) for _ in range(2))
    viewer, outsider = target.token(target.member(tenant, Role.VIEWER)), target.token(target.user())
    stranger = target.token(target.member(foreign, Role.OWNER))
    first = _add(target, person, tenant)
    yield Try("the first request is served", first.status_code == HTTPStatus.CONFLICT, str(first.status_code))
    again = _add(target, person, tenant)
    yield Try("the repetition gets the kept response", again.json() == first.json(), str(again.status_code))
    changed = _add(target, person, tenant, tags=["other"])
    yield _status("the key with another body", changed, HTTPStatus.UNPROCESSABLE_ENTITY)
    other = _add(target, person, tenant, bloggerId=str(foreign.blogger_id))
    yield _status("the key for another blogger", other, HTTPStatus.UNPROCESSABLE_ENTITY)
    mine = _add(target, colleague, tenant, tags=["of the colleague"])
    yield _status("the key of a colleague is another key", mine, HTTPStatus.CONFLICT)
    for name, token in {"a foreign member": stranger, "a user without an organization": outsider}.items():
        yield _status(f"the key and body as {name}", _add(target, token, tenant), HTTPStatus.FORBIDDEN)
    yield _status("the key and body as a viewer", _add(target, viewer, tenant), HTTPStatus.FORBIDDEN)
    target.connection.execute(
        "delete from blogger_tracking.organization_members where organization_id = %s and role = 'owner'",
        (tenant.organization_id,),
    )
    yield _status("the key after the membership has ended", _add(target, person, tenant), HTTPStatus.FORBIDDEN)


def _add(target: Target, token: str, tenant: Tenant, **changed: object) -> requests.Response:
    body: Mapping[str, object] = {
        "bloggerId": str(tenant.blogger_id),
        "organizationId": str(tenant.organization_id),
        **changed,
    }
    return target.send("POST", "/add-from-tracking", token, json=body, headers={"Idempotency-Key": _KEY})


def _status(name: str, answer: requests.Response, expected: HTTPStatus) -> Try:
    return Try(name, answer.status_code == expected, str(answer.status_code))
