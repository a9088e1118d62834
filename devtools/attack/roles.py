"""Every route with every role, of the own and of a foreign organization."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from uuid import UUID, uuid4

from blogger_tracking.database.rows import fetch_value
from blogger_tracking.domain.models import Role
from devtools.attack.target import Target, Tenant
from devtools.attack.tries import Try

_REFUSED = frozenset({HTTPStatus.FORBIDDEN})
_NOT_FOUND = frozenset({HTTPStatus.NOT_FOUND})
_BAD_REQUEST = frozenset({HTTPStatus.BAD_REQUEST})
# A name that no creator has: an addition that is allowed ends with a 404 of the platform.
_ALLOWED = frozenset({HTTPStatus.OK, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT})
_MANAGERS = (Role.OWNER, Role.ADMIN)
_ADDING = (*_MANAGERS, Role.MEMBER)

_ACCOUNTS = """
select array_agg(id || ' ' || is_active || ' ' || coalesce(daily_videos_count, 0) order by id)
from blogger_tracking.tracked_accounts
where organization_id = %s
"""


@dataclass(frozen=True, slots=True)
class _Request:
    """A request for one organization, and the roles of the organization that may send the request."""

    name: str
    method: str
    path: str
    body: Mapping[str, object] | None
    roles: tuple[Role, ...]


def _requests(tenant: Tenant) -> list[_Request]:
    organization = str(tenant.organization_id)
    addition = {"username": "nobody_has_this_name", "platform": "TikTok", "organizationId": organization}
    known = {"bloggerId": str(tenant.blogger_id), "organizationId": organization}
    return [
        _Request("reads an account", "GET", f"/{tenant.tracking_id}", None, tuple(Role)),
        _Request("pauses an account", "PATCH", f"/{tenant.tracking_id}", {"isActive": False}, _MANAGERS),
        _Request("changes a count", "PATCH", f"/{tenant.tracking_id}", {"dailyVideosCount": 7}, _MANAGERS),
        _Request("adds a name", "POST", "/add", addition, _ADDING),
        _Request("adds a known blogger", "POST", "/add-from-tracking", known, _ADDING),
    ]


def roles(target: Target) -> Iterator[Try]:
    """Send every request as every member of the organization, of another organization, and of none."""
    own, foreign = target.tenant(), target.tenant()
    members = {role: target.member(own, role) for role in Role}
    outsider = target.user()
    before = fetch_value(target.connection, _ACCOUNTS, (foreign.organization_id,))
    for request in _requests(own):
        for role, user in members.items():
            expected = _ALLOWED if role in request.roles else _REFUSED
            yield _sent(target, request, user, f"a {role} of the own organization", expected)
        yield _sent(target, request, outsider, "a user without an organization", _REFUSED)
    for request in _requests(foreign):
        for role, user in members.items():
            yield _sent(target, request, user, f"a {role} of another organization", _REFUSED)
    yield from _mixed(target, own, foreign, members[Role.OWNER])
    after = fetch_value(target.connection, _ACCOUNTS, (foreign.organization_id,))
    yield Try("the foreign organization is unchanged", before == after, f"{before} and {after}")


def _mixed(target: Target, own: Tenant, foreign: Tenant, owner: UUID) -> Iterator[Try]:
    """Name what belongs to another organization in requests for the own organization."""
    organization = str(own.organization_id)
    addition = {"username": "nobody_has_this_name", "platform": "TikTok", "organizationId": organization}
    known = {"bloggerId": str(own.blogger_id), "organizationId": organization}
    requests: list[tuple[str, str, str, Mapping[str, object], frozenset[HTTPStatus]]] = [
        ("a foreign campaign", "POST", "/add", {**addition, "campaignId": str(foreign.campaign_id)}, _NOT_FOUND),
        (
            "a foreign campaign for a known blogger",
            "POST",
            "/add-from-tracking",
            {**known, "campaignId": str(foreign.campaign_id)},
            _NOT_FOUND,
        ),
        (
            "a blogger that only a foreign organization knows",
            "POST",
            "/add-from-tracking",
            {**known, "bloggerId": str(foreign.blogger_id)},
            _NOT_FOUND,
        ),
        ("an organization in a change", "PATCH", f"/{own.tracking_id}", {"organizationId": organization}, _BAD_REQUEST),
        ("a role in an addition", "POST", "/add", {**addition, "role": "owner"}, _BAD_REQUEST),
        ("a user in an addition", "POST", "/add", {**addition, "userId": str(uuid4())}, _BAD_REQUEST),
        ("an unknown account", "PATCH", f"/{uuid4()}", {"isActive": False}, _NOT_FOUND),
        (
            "an account by path",
            "PATCH",
            f"/{own.tracking_id}%2F..%2F{foreign.tracking_id}",
            {},
            _BAD_REQUEST | _NOT_FOUND,
        ),
    ]
    for name, method, path, body, expected in requests:
        status = target.send(method, path, target.token(owner), json=body).status_code
        yield Try(f"an owner names {name}", status in expected, str(status))


def _sent(target: Target, request: _Request, user: UUID, sender: str, expected: frozenset[HTTPStatus]) -> Try:
    headers = {"Idempotency-Key": str(uuid4())} if request.method == "POST" else None
    answer = target.send(request.method, request.path, target.token(user), json=request.body, headers=headers)
    return Try(f"{sender} {request.name}", answer.status_code in expected, str(answer.status_code))
