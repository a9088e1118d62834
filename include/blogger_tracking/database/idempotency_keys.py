"""Idempotency keys: the first answer to a request is kept for a day and given to its repetitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from blogger_tracking.domain.request_errors import InProgressError, KeyReusedError

KEPT_FOR = timedelta(hours=24)
"""How long an answer is kept (contract of the HTTP surface)."""

ABANDONED_AFTER = timedelta(minutes=2)
"""A request that has not been answered by then died with its process, and a repetition may take its place."""


@dataclass(frozen=True, slots=True)
class RequestKey:
    """One request of one person on one route. `body_digest` tells whether a repetition is the same request."""

    user_id: UUID
    route: str
    key: str
    body_digest: bytes

    def parameters(self) -> dict[str, object]:
        """The key as parameters of a statement."""
        return {"user_id": self.user_id, "route": self.route, "key": self.key, "body_digest": self.body_digest}


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What the first request was answered."""

    status: int
    answer: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Known:
    body_digest: bytes
    status: int | None
    answer: dict[str, Any] | None


_PURGE = "delete from idempotency_keys where started_at < clock_timestamp() - %(kept_for)s"

# Waits for another request that is just inserting the same key, and then finds it.
_BEGIN = """
insert into idempotency_keys (user_id, route, key, body_digest, receipt, started_at)
values (%(user_id)s, %(route)s, %(key)s, %(body_digest)s, %(receipt)s, clock_timestamp())
on conflict (user_id, route, key) do update
set receipt = excluded.receipt, started_at = excluded.started_at
where idempotency_keys.status is null
  and idempotency_keys.body_digest = excluded.body_digest
  and idempotency_keys.started_at < clock_timestamp() - %(abandoned_after)s
returning 1
"""

_READ = """
select body_digest, status, answer
from idempotency_keys
where user_id = %(user_id)s and route = %(route)s and key = %(key)s
"""

_KEEP = """
update idempotency_keys
set status = %(status)s, answer = %(answer)s
where user_id = %(user_id)s and route = %(route)s and key = %(key)s and receipt = %(receipt)s and status is null
"""

_FORGET = """
delete from idempotency_keys
where user_id = %(user_id)s and route = %(route)s and key = %(key)s and receipt = %(receipt)s and status is null
"""


def begin_request(connection: Connection, key: RequestKey) -> KeptAnswer | UUID:
    """The answer that this request got before, or the receipt with which the caller answers it now.

    Raises KeyReusedError when the key stands for another body, InProgressError when the first request is at work.
    """
    receipt = uuid4()
    times = {"receipt": receipt, "kept_for": KEPT_FOR, "abandoned_after": ABANDONED_AFTER}
    connection.execute(_PURGE, times)
    if connection.execute(_BEGIN, {**key.parameters(), **times}).fetchone():
        return receipt
    known = connection.cursor(row_factory=class_row(_Known)).execute(_READ, key.parameters()).fetchone()
    if known is None:
        raise InProgressError("The first request with this key failed just now. Send it again.")
    if bytes(known.body_digest) != key.body_digest:
        raise KeyReusedError("This Idempotency-Key was used with another body. Use a new key for a new request.")
    if known.status is None or known.answer is None:
        raise InProgressError("The first request with this key is still being answered. Ask again in a moment.")
    return KeptAnswer(known.status, known.answer)


def keep_answer(connection: Connection, key: RequestKey, receipt: UUID, answer: KeptAnswer) -> None:
    """Keep the answer for repetitions."""
    parameters = {"receipt": receipt, "status": answer.status, "answer": Jsonb(answer.answer)}
    connection.execute(_KEEP, {**key.parameters(), **parameters})


def forget_request(connection: Connection, key: RequestKey, receipt: UUID) -> None:
    """Let a repetition try again: this request came to nothing."""
    connection.execute(_FORGET, {**key.parameters(), "receipt": receipt})
