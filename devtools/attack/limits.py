"""Limits of requests and look-ups: who sends too many is refused, and takes nothing from other organizations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from uuid import uuid4

from blogger_tracking.domain.models import Role
from devtools.attack.target import Target, Tenant
from devtools.attack.tries import Try

_THREADS = 8
_BEYOND = 40
"""Requests beyond the limit."""

_LOOK_UPS_BEYOND = 5


def limits(target: Target) -> Iterator[Try]:
    """Send more requests than one person may, and then one request as a member of another organization."""
    tenant, other = target.tenant(), target.tenant()
    token = target.token(target.member(tenant, Role.OWNER))
    victim = target.token(target.member(other, Role.OWNER))
    total = target.person_limit + _BEYOND
    with ThreadPoolExecutor(_THREADS) as executor:
        sent = executor.map(lambda _: target.send("GET", f"/{tenant.tracking_id}", token).status_code, range(total))
        statuses = Counter(sent)
    served, refused = statuses[HTTPStatus.OK], statuses[HTTPStatus.TOO_MANY_REQUESTS]
    # The flood may last longer than the minute that the limit is about: then a few more are served.
    yield Try("requests beyond the limit are refused", refused > 0 and served + refused == total, str(dict(statuses)))
    status = target.send("GET", f"/{other.tracking_id}", victim).status_code
    yield Try("another organization is served", status == HTTPStatus.OK, str(status))
    yield from _look_ups(target, tenant, other)


def _look_ups(target: Target, tenant: Tenant, other: Tenant) -> Iterator[Try]:
    """Look up more names than one person may, and then one name as a member of another organization."""
    token, victim = (target.token(target.member(each, Role.OWNER)) for each in (tenant, other))
    with ThreadPoolExecutor(_THREADS) as executor:
        sent = executor.map(lambda _: _look_up(target, tenant, token), range(target.look_up_limit + _LOOK_UPS_BEYOND))
        found = Counter(sent)
    expected = {"404 blogger_not_found": target.look_up_limit, "429 look_up_budget_spent": _LOOK_UPS_BEYOND}
    yield Try("look-ups beyond the budget are refused", found == expected, str(dict(found)))
    answer = _look_up(target, other, victim)
    yield Try("another organization looks a name up", answer.startswith("404"), answer)


def _look_up(target: Target, tenant: Tenant, token: str) -> str:
    name = f"nobody_{uuid4().hex[:12]}"
    body = {"username": name, "platform": "TikTok", "organizationId": str(tenant.organization_id)}
    answer = target.send("POST", "/add", token, json=body)
    return f"{answer.status_code} {answer.json()['error']['code']}"
