"""A platform that hangs: the look-ups of one organization there take nothing from other organizations elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from http import HTTPStatus
from uuid import uuid4

from blogger_tracking.domain.models import Platform, Role
from devtools.attack.target import Target, Tenant
from devtools.attack.tries import Try

_LOOK_UPS = 16
_HANG_SECONDS = 6.0
_ARRIVAL_SECONDS = 10.0
_LONGEST_SECONDS = 3.0
_EXPECTED = {HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE}


def hanging_platform(target: Target) -> Iterator[Try]:
    """Look sixteen names up at TikTok while TikTok hangs, and one at Instagram as another organization."""
    tenant, other = target.tenant(), target.tenant()
    token, victim = (target.token(target.member(each, Role.OWNER)) for each in (tenant, other))
    target.sandbox.inject({"kind": "hang", "platform": Platform.TIKTOK, "seconds": _HANG_SECONDS})
    try:
        with ThreadPoolExecutor(_LOOK_UPS) as executor:
            before = _requests(target)
            sent = [executor.submit(_look_up, target, tenant, token, Platform.TIKTOK) for _ in range(_LOOK_UPS)]
            yield _hang(target, before)
            yield from _served(target, other, victim, sent)
            statuses = Counter(each.result() for each in sent)
    finally:
        target.sandbox.heal()
    found = str({int(status): number for status, number in statuses.items()})
    yield Try("look-ups at the platform that hangs end", set(statuses) <= _EXPECTED, found)
    status = _look_up(target, other, victim, Platform.TIKTOK)
    yield Try("a look-up at the healed platform", status == HTTPStatus.NOT_FOUND, str(int(status)))


def _requests(target: Target) -> int:
    return sum(target.sandbox.counted_requests().values())


def _hang(target: Target, before: int) -> Try:
    """Wait until a look-up has arrived at the platform."""
    deadline = time.monotonic() + _ARRIVAL_SECONDS
    while (arrived := _requests(target) - before) == 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    return Try("look-ups arrive at the platform that hangs", arrived > 0, f"{arrived} requests")


def _served(target: Target, other: Tenant, victim: str, sent: list[Future[HTTPStatus]]) -> Iterator[Try]:
    begin = time.monotonic()
    status = _look_up(target, other, victim, Platform.INSTAGRAM)
    seconds = time.monotonic() - begin
    held = status == HTTPStatus.NOT_FOUND and seconds < _LONGEST_SECONDS
    yield Try("another organization looks a name up elsewhere", held, f"{int(status)} after {seconds:.1f} s")
    read = target.send("GET", f"/{other.tracking_id}", victim).status_code
    yield Try("another organization reads", read == HTTPStatus.OK, str(read))
    waiting = sum(not each.done() for each in sent)
    yield Try("the look-ups hang meanwhile", waiting > 0, f"{waiting} of {len(sent)}")


def _look_up(target: Target, tenant: Tenant, token: str, platform: Platform) -> HTTPStatus:
    body = {
        "username": f"nobody_{uuid4().hex[:12]}",
        "platform": platform,
        "organizationId": str(tenant.organization_id),
    }
    return HTTPStatus(target.send("POST", "/add", token, json=body).status_code)
