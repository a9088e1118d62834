"""Idempotency keys: the response to the first request with a key, kept for the repetitions of the request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from psycopg import Connection
from psycopg.types.json import Jsonb

from blogger_tracking.database.rows import fetch_optional
from blogger_tracking.domain.request_errors import InProgressError, KeyReusedError

KEPT_FOR = timedelta(hours=24)
"""Lifetime of a key, as promised in the contract of the HTTP API."""

ABANDONED_AFTER = timedelta(minutes=15)
"""Age of a request in progress whose process is presumed dead; a repetition may then take its place.

Longer than the slowest addition that is still at work, so that a repetition does not pay for a second look-up. With the
default settings, a request to a platform takes at most 3 tries of 15 s to connect and 15 s to respond, and 2 waits for
a Retry-After of 60 s: 210 s. A look-up on YouTube may need two such requests: 7 minutes. The rest is for the turn in
the rate limit, the database and the calls of Airflow's REST API.
"""


@dataclass(frozen=True, slots=True)
class RequestKey:
    """Identity of a request: user, route and key. A repetition must have the same `body_digest` (SHA-256)."""

    user_id: UUID
    route: str
    key: str
    body_digest: bytes

    def parameters(self) -> dict[str, object]:
        """Return the key as parameters of a statement."""
        return {"user_id": self.user_id, "route": self.route, "key": self.key, "body_digest": self.body_digest}


@dataclass(frozen=True, slots=True)
class KeptResponse:
    """HTTP status and JSON body of the response to the first request."""

    status: int
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Entry:
    body_digest: bytes
    status: int | None
    body: dict[str, Any] | None


_REMOVE_EXPIRED = "delete from blogger_tracking.idempotency_keys where started_at < clock_timestamp() - %(kept_for)s"

# A concurrent request with the same key makes this statement wait until the other one has inserted its row.
_BEGIN = """
insert into blogger_tracking.idempotency_keys (user_id, route, key, body_digest, receipt, started_at)
values (%(user_id)s, %(route)s, %(key)s, %(body_digest)s, %(receipt)s, clock_timestamp())
on conflict (user_id, route, key) do update
set receipt = excluded.receipt, started_at = excluded.started_at
where idempotency_keys.status is null
  and idempotency_keys.body_digest = excluded.body_digest
  and idempotency_keys.started_at < clock_timestamp() - %(abandoned_after)s
returning 1
"""

_READ = """
select body_digest, status, body
from blogger_tracking.idempotency_keys
where user_id = %(user_id)s and route = %(route)s and key = %(key)s
"""

_SAVE_RESPONSE = """
update blogger_tracking.idempotency_keys
set status = %(status)s, body = %(body)s
where user_id = %(user_id)s and route = %(route)s and key = %(key)s and receipt = %(receipt)s and status is null
"""

_FORGET = """
delete from blogger_tracking.idempotency_keys
where user_id = %(user_id)s and route = %(route)s and key = %(key)s and receipt = %(receipt)s and status is null
"""


def begin_request(connection: Connection, key: RequestKey) -> KeptResponse | UUID:
    """Return the response to the first request with this key, or a receipt if this request is the first one.

    With the receipt the caller ends the request, by `save_response` or `forget_request`.
    Raises KeyReusedError if the first request had another body, InProgressError if it has no response yet.
    """
    receipt = uuid4()
    times = {"receipt": receipt, "abandoned_after": ABANDONED_AFTER}
    remove_expired_keys(connection)
    if connection.execute(_BEGIN, {**key.parameters(), **times}).fetchone():
        return receipt
    entry = fetch_optional(connection, _Entry, _READ, key.parameters())
    if entry is None:
        raise InProgressError("The first request with this key failed just now. Send the request again.")
    if bytes(entry.body_digest) != key.body_digest:
        raise KeyReusedError("This Idempotency-Key was used with another body. Use a new key for a new request.")
    if entry.status is None or entry.body is None:
        raise InProgressError("The first request with this key is in progress. Send the request again in a moment.")
    return KeptResponse(entry.status, entry.body)


def save_response(connection: Connection, key: RequestKey, receipt: UUID, response: KeptResponse) -> None:
    """Save the response for repetitions. Changes nothing if another request has got the key meanwhile."""
    parameters = {"receipt": receipt, "status": response.status, "body": Jsonb(response.body)}
    connection.execute(_SAVE_RESPONSE, {**key.parameters(), **parameters})


def forget_request(connection: Connection, key: RequestKey, receipt: UUID) -> None:
    """Delete the key, so that a repetition is processed as a new request."""
    connection.execute(_FORGET, {**key.parameters(), "receipt": receipt})


def remove_expired_keys(connection: Connection) -> int:
    """Delete the keys whose lifetime is over; return their number. Each first request with a key does so, too."""
    return connection.execute(_REMOVE_EXPIRED, {"kept_for": KEPT_FOR}).rowcount
