"""A flood of requests without a valid token: strangers are refused, and members at the same address are served."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from http import HTTPStatus

from blogger_tracking.database.rows import fetch_value
from blogger_tracking.domain.models import Role
from devtools.attack.target import Target, Tenant
from devtools.attack.tries import Try

_THREADS = 8
_BEYOND = 200
"""Requests beyond the limit."""

_BODY = b" " * 60_000
_LONGEST_SECONDS = 5.0

_COUNT_ROWS = """
select (select count(*) from blogger_tracking.idempotency_keys)
    + (select count(*) from blogger_tracking.request_budgets)
"""


def strangers(target: Target) -> Iterator[Try]:
    """Flood the API with invalid tokens, bodies and idempotency keys, and meanwhile send requests as a member."""
    tenant = target.tenant()
    token = target.token(target.member(tenant, Role.VIEWER))
    _read(target, tenant, token)
    rows = fetch_value(target.connection, _COUNT_ROWS)
    with ThreadPoolExecutor(_THREADS) as executor:
        sent = [executor.submit(_intrude, target, number) for number in range(target.stranger_limit + _BEYOND)]
        served = _member_during(target, tenant, token, sent)
        statuses = Counter(each.result() for each in sent)
    expected = {HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS}
    found = str({int(status): number for status, number in statuses.items()})
    yield Try("strangers are refused", set(statuses) == expected, found)
    yield from served
    kept = fetch_value(target.connection, _COUNT_ROWS)
    yield Try("strangers leave no row", kept == rows, f"{kept} rows instead of {rows}")


def _intrude(target: Target, number: int) -> HTTPStatus:
    headers = {"Idempotency-Key": f"of-a-stranger-{number}"}
    return HTTPStatus(target.send("POST", "/add", "no.valid.token", data=_BODY, headers=headers).status_code)


def _member_during(target: Target, tenant: Tenant, token: str, sent: list[Future[HTTPStatus]]) -> list[Try]:
    """Read as a member once a second while strangers are answered, and once more afterwards."""
    tries = []
    while not all(each.done() for each in sent):
        tries.append(_read(target, tenant, token))
        time.sleep(1)
    return [*tries, _read(target, tenant, token)]


def _read(target: Target, tenant: Tenant, token: str) -> Try:
    begin = time.monotonic()
    status = target.send("GET", f"/{tenant.tracking_id}", token).status_code
    seconds = time.monotonic() - begin
    held = status == HTTPStatus.OK and seconds < _LONGEST_SECONDS
    return Try("a member is served during the flood", held, f"{status} after {seconds:.1f} s")
