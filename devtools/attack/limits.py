"""Limits of requests: a person who sends too many is refused, and takes nothing from other organizations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

from blogger_tracking.domain.models import Role
from devtools.attack.target import Target
from devtools.attack.tries import Try

_THREADS = 8
_BEYOND = 40
"""Requests beyond the limit."""


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
