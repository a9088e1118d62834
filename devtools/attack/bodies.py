"""Bodies and headers that a parser may not expect: each gets a 4xx within seconds, and members are served meanwhile."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from http import HTTPStatus

from blogger_tracking.domain.models import Role
from devtools.attack.target import Target, Tenant
from devtools.attack.tries import Try

_LONGEST_SECONDS = 5.0
_LIMIT = 64 * 1024
_CHUNKS = 100
_CHUNK = 1_000


def bodies(target: Target) -> Iterator[Try]:
    """Send malformed bodies as a member."""
    tenant, foreign = target.tenant(), target.tenant()
    token = target.token(target.member(tenant, Role.OWNER))
    for name, body in _malformed(tenant, foreign).items():
        yield _sent(target, name, "/add", token, body, {"Content-Type": "application/json"})
    valid = json.dumps(_addition(tenant)).encode()
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x" * 5_000, ""):
        headers = {"Content-Type": content_type}
        yield _sent(target, f"content type {content_type[:30]!r}", "/add", token, b"[" + valid, headers)
    for key in ("x" * 10_000, "ü".encode().decode("latin-1"), "' or true --"):
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        yield _sent(target, f"idempotency key {key[:30]!r}", "/add", token, b"{", headers)
    for path in ("/%00", "/..%2f..%2fetc%2fpasswd", "/" + "a" * 5_000, "/%ff", "/add/../add", "/';drop table runs--"):
        yield _sent(target, f"path {path[:40]!r}", path, token, valid, {"Content-Type": "application/json"})
    yield _sent(target, "a body in chunks of more than 64 KiB", "/add", token, _drip(), {})
    status = target.send("GET", f"/{tenant.tracking_id}", token).status_code
    yield Try("a member is served afterwards", status == HTTPStatus.OK, str(status))


def _addition(tenant: Tenant) -> dict[str, object]:
    return {
        "username": "nobody_has_this_name",
        "platform": "TikTok",
        "organizationId": str(tenant.organization_id),
    }


def _malformed(tenant: Tenant, foreign: Tenant) -> dict[str, bytes]:
    addition = _addition(tenant)
    text = json.dumps(addition)
    twice = text[:-1] + f', "organizationId": "{foreign.organization_id}"}}'
    changed: dict[str, dict[str, object]] = {
        "a NUL in a name": {"username": "a\0b"},
        "a line break in a name": {"username": "a\r\nX-Injected: 1"},
        "a lone surrogate in a name": {"username": "\ud800"},
        "a name of 60,000 characters": {"username": "a" * 60_000},
        "a name that is a list": {"username": ["a"]},
        "SQL in a name": {"username": "'; drop table blogger_tracking.runs; --"},
        "a URL of another host as a name": {"username": "https://169.254.169.254/@a"},
        "SQL in an organization": {"organizationId": "' or true --"},
        "a number of videos beyond every integer": {"dailyVideosCount": 10**400},
        "a negative number of videos": {"dailyVideosCount": -1},
        "a tag with a NUL": {"tags": ["\0"]},
        "5,000 tags": {"tags": ["a"] * 5_000},
        "a tag of 60,000 characters": {"tags": ["a" * 60_000]},
        "an unknown platform": {"platform": "Vidly"},
        "a key of an object's prototype": {"__proto__": {"role": "owner"}},
    }
    return {
        "no body": b"",
        "null": b"null",
        "a number": b"1e999",
        "a list": b"[]",
        "not JSON": b"{",
        "NaN": text.replace('"TikTok"', "NaN").encode(),
        "50,000 open brackets": b"[" * 50_000,
        "20,000 nested objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        "UTF-16": text.encode("utf-16"),
        "bytes that are no UTF-8": b'{"username": "\xff\xfe"}',
        "a byte order mark and no JSON": b"\xef\xbb\xbf{",
        "more than 64 KiB": b" " * (_LIMIT + 1),
        "the own organization and then a foreign one": twice.encode(),
        **{name: json.dumps({**addition, **each}).encode() for name, each in changed.items()},
    }


def _drip() -> Iterator[bytes]:
    for _ in range(_CHUNKS):
        yield b" " * _CHUNK


def _sent(
    target: Target, name: str, path: str, token: str, body: bytes | Iterator[bytes], headers: dict[str, str]
) -> Try:
    begin = time.monotonic()
    try:
        status = target.send("POST", path, token, data=body, headers=headers).status_code
    except OSError as error:
        # The server may close the connection of a body over the limit before the client has sent all of the body.
        closed = isinstance(body, Iterator) or len(body) > _LIMIT
        return Try(name, held=closed, found=type(error).__name__)
    seconds = time.monotonic() - begin
    if isinstance(body, Iterator) or len(body) > _LIMIT:
        refused = status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    else:
        refused = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    return Try(name, refused and seconds < _LONGEST_SECONDS, f"{status} after {seconds:.1f} s")
