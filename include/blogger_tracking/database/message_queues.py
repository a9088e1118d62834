"""The two queues: tables that any number of consumers may take messages from at once.

A message that is taken is invisible to others for a while. Whoever took it shows the receipt to finish it, to report
that it failed, or to give it back; a consumer that died gives it back by letting that while pass. Every function is
one statement, and takes the moment that it treats as now.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from psycopg import Connection, sql
from psycopg.rows import class_row, scalar_row

from blogger_tracking.domain.queues import MAX_ATTEMPTS, PAUSES, Queue


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it was taken; `row` is its whole row, what is particular to its queue included."""

    id: int
    fetch_id: int
    attempts: int
    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Delivery:
    """Messages that were taken together, and the receipt to be shown for them."""

    receipt: UUID
    messages: Sequence[Message]


@dataclass(frozen=True, slots=True)
class FailedMessage:
    """A message that could not be done, and why. A final one is parked at once."""

    message_id: int
    reason: str
    final: bool = False


@dataclass(frozen=True, slots=True)
class ParkedMessage:
    """A message that waits for somebody to look at it."""

    id: int
    fetch_id: int
    attempts: int
    parked_at: datetime
    last_error: str


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """How many messages wait (taken ones included), are done, and are parked."""

    waiting: int
    done: int
    parked: int


# A message that was taken as often as allowed and never answered for has ended its consumers: it is not tried again.
_TAKE = """
with waiting as (
    select id
    from {queue}
    where done_at is null and parked_at is null and visible_at <= %(moment)s
    order by visible_at, id
    limit %(limit)s
    for update skip locked
),
taken as (
    update {queue} as message
    set
        attempts = least(message.attempts + 1, %(max_attempts)s),
        visible_at = %(moment)s + %(visibility)s,
        receipt = %(receipt)s,
        parked_at = case when message.attempts >= %(max_attempts)s then %(moment)s end,
        last_error = case
            when message.attempts >= %(max_attempts)s then 'no consumer that took it ever answered'
            else message.last_error
        end
    from waiting
    where message.id = waiting.id
    returning message.*
)
select id, fetch_id, attempts, to_jsonb(taken) as row
from taken
where parked_at is null
order by id
"""

_FINISH = """
update {queue}
set done_at = %(moment)s
where id = any(%(ids)s) and receipt = %(receipt)s and done_at is null and parked_at is null
"""

_FAIL = """
update {queue} as message
set
    parked_at = case when failure.final or message.attempts >= %(max_attempts)s then %(moment)s end,
    visible_at = coalesce(%(moment)s + (%(pauses)s::interval[])[message.attempts], message.visible_at),
    last_error = failure.reason,
    receipt = null
from unnest(%(ids)s::bigint[], %(reasons)s::text[], %(finals)s::boolean[]) as failure (id, reason, final)
where message.id = failure.id
  and message.receipt = %(receipt)s
  and message.done_at is null
  and message.parked_at is null
"""

_GIVE_BACK = """
update {queue}
set
    attempts = attempts - 1,
    visible_at = %(visible_at)s,
    last_error = coalesce(%(reason)s, last_error),
    receipt = null
where id = any(%(ids)s) and receipt = %(receipt)s and done_at is null and parked_at is null
"""

_PARKED = """
select id, fetch_id, attempts, parked_at, last_error
from {queue}
where parked_at is not null and (%(since)s::timestamptz is null or parked_at >= %(since)s)
order by parked_at desc, id desc
limit %(limit)s
"""

# Of several parked messages about one picture only the newest comes back, and none beside one that still waits.
_REQUEUE = {
    Queue.VIDEO_BATCHES: """
update high_priority_queue
set parked_at = null, attempts = 0, visible_at = %(moment)s, receipt = null
where parked_at is not null and (%(ids)s::bigint[] is null or id = any(%(ids)s))
returning id
""",
    Queue.THUMBNAILS: """
update thumbnail_queue
set parked_at = null, attempts = 0, visible_at = %(moment)s, receipt = null
where id in (
    select distinct on (parked.video_id) parked.id
    from thumbnail_queue as parked
    join videos on videos.id = parked.video_id
    where parked.parked_at is not null
      and (%(ids)s::bigint[] is null or parked.id = any(%(ids)s))
      and videos.thumbnail_path is null
      and not exists (
          select
          from thumbnail_queue as waiting
          where waiting.video_id = parked.video_id and waiting.done_at is null and waiting.parked_at is null
      )
    order by parked.video_id, parked.id desc
)
returning id
""",
}

_COUNT = """
select
    count(*) filter (where done_at is null and parked_at is null) as waiting,
    count(*) filter (where done_at is not null) as done,
    count(*) filter (where parked_at is not null) as parked
from {queue}
"""


def take(connection: Connection, queue: Queue, moment: datetime, *, limit: int, visibility: timedelta) -> Delivery:
    """Take up to `limit` messages, those that wait longest first. Others do not see them until `visibility` is over."""
    receipt = uuid4()
    parameters = {
        "moment": moment,
        "limit": limit,
        "visibility": visibility,
        "receipt": receipt,
        "max_attempts": MAX_ATTEMPTS,
    }
    cursor = connection.cursor(row_factory=class_row(Message))
    return Delivery(receipt, cursor.execute(_on(queue, _TAKE), parameters).fetchall())


def finish(connection: Connection, queue: Queue, receipt: UUID, message_ids: Collection[int], moment: datetime) -> None:
    """Note that messages are done; those that somebody else has taken meanwhile are left alone."""
    parameters = {"ids": list(message_ids), "receipt": receipt, "moment": moment}
    connection.execute(_on(queue, _FINISH), parameters)


def fail(
    connection: Connection, queue: Queue, receipt: UUID, failures: Sequence[FailedMessage], moment: datetime
) -> None:
    """Let messages rest after a failed attempt, or park them: see PAUSES and MAX_ATTEMPTS."""
    parameters = {
        "ids": [failure.message_id for failure in failures],
        "reasons": [failure.reason for failure in failures],
        "finals": [failure.final for failure in failures],
        "pauses": list(PAUSES),
        "max_attempts": MAX_ATTEMPTS,
        "receipt": receipt,
        "moment": moment,
    }
    connection.execute(_on(queue, _FAIL), parameters)


def give_back(
    connection: Connection, queue: Queue, delivery: Delivery, visible_at: datetime, reason: str | None = None
) -> int:
    """Return what is not finished of a delivery, to be seen again from `visible_at`. It counts as no attempt.

    Returns how many messages that are.
    """
    parameters = {
        "ids": [message.id for message in delivery.messages],
        "receipt": delivery.receipt,
        "visible_at": visible_at,
        "reason": reason,
    }
    return connection.execute(_on(queue, _GIVE_BACK), parameters).rowcount


def list_parked(connection: Connection, queue: Queue, limit: int, since: datetime | None = None) -> list[ParkedMessage]:
    """Messages parked since a moment (None: ever), the newest first."""
    cursor = connection.cursor(row_factory=class_row(ParkedMessage))
    return cursor.execute(_on(queue, _PARKED), {"limit": limit, "since": since}).fetchall()


def requeue_parked(
    connection: Connection, queue: Queue, moment: datetime, message_ids: Collection[int] | None = None
) -> list[int]:
    """Let parked messages (None: all) be tried again from the start; return the ids of those that wait now."""
    parameters = {"moment": moment, "ids": None if message_ids is None else list(message_ids)}
    cursor = connection.cursor(row_factory=scalar_row)
    return sorted(cursor.execute(_REQUEUE[queue].encode(), parameters).fetchall())


def count_messages(connection: Connection, queue: Queue) -> QueueCounts:
    """How a queue stands."""
    return connection.cursor(row_factory=class_row(QueueCounts)).execute(_on(queue, _COUNT)).fetchall()[0]


def _on(queue: Queue, statement: str) -> sql.Composed:
    return sql.SQL(statement).format(queue=sql.Identifier(queue))
