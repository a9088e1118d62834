"""Random methods, paths, headers and bodies, the same ones in every attack: none gets a 5xx or changes anything."""

from __future__ import annotations

import random
from collections.abc import Iterator
from http import HTTPStatus

from blogger_tracking.database.rows import fetch_value
from blogger_tracking.domain.models import Role
from devtools.attack.target import Target, Tenant
from devtools.attack.tries import Try

_SEED = 7
_PEOPLE = 3
_REQUESTS_OF_PERSON = 50
_METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "X")
_HEADERS = (
    "Content-Type",
    "Content-Encoding",
    "Accept",
    "Idempotency-Key",
    "X-HTTP-Method-Override",
    "X-Forwarded-For",
    "X-Original-URL",
    "Origin",
    "Range",
    "Cookie",
)
_PIECES = (
    "",
    "add",
    "add-from-tracking",
    "docs",
    "..",
    "%2e%2e",
    "{trackingId}",
    "%00",
    "'",
    "api",
    "v2",
    "dags",
    "auth",
)
_TEXTS = ("application/json", "gzip", "DELETE", "127.0.0.1", "/api/v2/connections", "bytes=0-", "*/*", "a" * 3_000, "")

_ACCOUNTS = """
select array_agg(id || ' ' || is_active || ' ' || coalesce(daily_videos_count, 0) order by id)
from blogger_tracking.tracked_accounts
"""


def random_requests(target: Target) -> Iterator[Try]:
    """Send random requests as viewers of an organization."""
    chance = random.Random(_SEED)  # noqa: S311 - repeatable, and no secret
    tenant = target.tenant()
    before = fetch_value(target.connection, _ACCOUNTS)
    for _ in range(_PEOPLE):
        token = target.token(target.member(tenant, Role.VIEWER))
        for _ in range(_REQUESTS_OF_PERSON):
            yield _sent(target, chance, tenant, token)
    after = fetch_value(target.connection, _ACCOUNTS)
    yield Try("no account has changed", before == after, "compared")


def _sent(target: Target, chance: random.Random, tenant: Tenant, token: str) -> Try:
    method = chance.choice(_METHODS)
    pieces = chance.choices((*_PIECES, str(tenant.tracking_id), str(tenant.organization_id)), k=chance.randint(1, 4))
    path = "/" + "/".join(pieces) + chance.choice(("", "?", "?a[]=1&a=2", "?" + "x=" * 500))
    headers = {name: chance.choice(_TEXTS) for name in chance.sample(_HEADERS, chance.randint(0, 4))}
    body = chance.choice((b"", b"{}", b"[]", b"null", chance.randbytes(chance.randint(1, 500)), b'{"isActive": false}'))
    status = target.send(method, path, token, data=body, headers=headers).status_code
    return Try(f"{method} {path[:60]}", status < HTTPStatus.INTERNAL_SERVER_ERROR, str(status))
