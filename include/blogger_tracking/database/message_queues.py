"""All statements on the two queue tables, `high_priority_queue` and `thumbnail_queue`.

Any number of consumers may take messages at once. A taken message is invisible to other consumers until its visibility
timeout is over. The consumer that took a message has its receipt, and needs the receipt to finish, fail or release the
message; messages of a consumer that died become visible again when the timeout is over. `moment` is the current time
(aware) in every function.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from psycopg import Connection, sql

from blogger_tracking.database.connections import bounded_transaction
from blogger_tracking.database.rows import fetch_all, fetch_one, fetch_value, fetch_values
from blogger_tracking.domain.health import QueueHealth
from blogger_tracking.domain.models import Platform, storable
from blogger_tracking.domain.queues import LOST_BEFORE_ALONE, MAX_ATTEMPTS, RETRY_DELAYS, Backlog, Queue, QueuedVideo

VIDEOS_PER_MESSAGE = 50
"""Number of video ids in a full message of the high priority queue (contract of the queue)."""


@dataclass(frozen=True, slots=True)
class Message:
    """A taken message. `row` is the whole row, with the columns that only its queue has."""

    id: int
    fetch_id: int
    attempts: int
    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Delivery:
    """Messages that were taken together, and their receipt."""

    receipt: UUID
    messages: Sequence[Message]


@dataclass(frozen=True, slots=True)
class FailedMessage:
    """A failed message with its reason. `final` parks the message at once, without further attempts."""

    message_id: int
    reason: str
    final: bool = False


@dataclass(frozen=True, slots=True)
class ParkedMessage:
    """A dead letter: a message that is not tried again unless an operator requeues the message."""

    id: int
    fetch_id: int
    attempts: int
    parked_at: datetime
    last_error: str


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """Number of messages by state. `waiting` includes messages that a consumer has taken and not finished."""

    waiting: int
    done: int
    parked: int


_ENQUEUE_VIDEO_BATCHES = """
insert into blogger_tracking.high_priority_queue (fetch_id, videos)
select %(fetch_id)s, array_agg(external_video_id order by rank)
from unnest(%(ids)s::text[]) with ordinality as found (external_video_id, rank)
group by (rank - 1) / %(videos_per_message)s
"""

# A URL whose message was parked is not enqueued again; a new URL of the same video's thumbnail is. In a message that
# waits or is in flight, a new URL starts with no attempts, and failures of the old URL no longer match its receipt.
_ENQUEUE_THUMBNAILS = """
insert into blogger_tracking.thumbnail_queue (fetch_id, video_id, thumbnail_url)
select %(fetch_id)s, videos.id, videos.thumbnail_url
from blogger_tracking.videos
where videos.platform = %(platform)s
  and videos.external_video_id = any(%(ids)s)
  and videos.thumbnail_url is not null
  and videos.thumbnail_path is null
  and not exists (
      select
      from blogger_tracking.thumbnail_queue
      where thumbnail_queue.video_id = videos.id
        and thumbnail_queue.thumbnail_url = videos.thumbnail_url
        and thumbnail_queue.parked_at is not null
  )
order by videos.id
on conflict (video_id) where done_at is null and parked_at is null do update
set
    thumbnail_url = excluded.thumbnail_url,
    attempts = 0,
    failed_attempts = 0,
    visible_at = now(),
    due_at = least(thumbnail_queue.due_at, now()),
    receipt = null
where thumbnail_queue.thumbnail_url <> excluded.thumbnail_url
"""

# A fetch whose run has ended or expired, or whose lease has run out, enqueues nothing more.
_LIVE_FETCHES = sql.SQL("""
    select fetches.platform
    from blogger_tracking.fetches
    join blogger_tracking.runs on runs.id = fetches.run_id
    where (fetches.state = 'planned' and runs.ended_at is null and runs.expires_at > %(moment)s)
       or (fetches.state = 'running' and fetches.lease_expires_at > %(moment)s)
""")

# Messages in flight count as more to come in the queue of video batches only: a consumer may release videos that did
# not fill a call, but never releases thumbnails.
_BACKLOG = {
    Queue.VIDEO_BATCHES: """
with live_fetches as ({live_fetches})
select
    coalesce(sum(cardinality(videos) - cardinality(acknowledged)) filter (where visible_at <= %(moment)s), 0)::integer
        as items,
    min(created_at) filter (where visible_at <= %(moment)s) as oldest,
    coalesce(bool_or(visible_at > %(moment)s and receipt is not null), false)
    or exists (select from live_fetches where platform = 'YouTube') as more_to_come
from blogger_tracking.high_priority_queue
where done_at is null and parked_at is null
""",
    Queue.THUMBNAILS: """
with live_fetches as ({live_fetches})
select
    count(*) filter (where visible_at <= %(moment)s) as items,
    min(created_at) filter (where visible_at <= %(moment)s) as oldest,
    exists (select from live_fetches) as more_to_come
from blogger_tracking.thumbnail_queue
where done_at is null and parked_at is null
""",
}

WAITING_VIDEOS = sql.SQL("""
    select coalesce(sum(cardinality(videos) - cardinality(acknowledged)), 0)
    from blogger_tracking.high_priority_queue
    where done_at is null and parked_at is null
""")
"""Subquery: number of queued videos that are not acknowledged yet, in visible and invisible messages."""

# A visible message with a receipt was lost: its consumer vanished. The consumer may have been killed by one message of
# its delivery (a poison message), so a message that was lost repeatedly is taken alone, and its companions are spared.
# A message at the attempt limit is visible again only if the message was lost, and is parked if it was lost alone.
_TAKE = """
with waiting as (
    select
        id,
        visible_at,
        lost_attempts + (receipt is not null)::integer as lost_attempts,
        attempts >= %(max_attempts)s and lost_attempts >= %(lost_before_alone)s as is_poison
    from {queue}
    where done_at is null and parked_at is null and visible_at <= %(moment)s
    order by visible_at, id
    limit %(limit)s
    for update skip locked
),
suspected as (
    select id
    from waiting
    where lost_attempts >= %(lost_before_alone)s and not is_poison
    order by visible_at, id
    limit 1
),
taken as (
    update {queue} as message
    set
        attempts = least(message.attempts + 1, %(max_attempts)s),
        lost_attempts = waiting.lost_attempts,
        visible_at = %(moment)s + %(visibility)s,
        receipt = %(receipt)s,
        parked_at = case when waiting.is_poison then %(moment)s end,
        last_error = case
            when waiting.is_poison then 'not finished within the visibility timeout: its consumers vanished'
            else message.last_error
        end
    from waiting
    where message.id = waiting.id
      and (waiting.is_poison or waiting.id in (select id from suspected) or not exists (select from suspected))
    returning message.*
)
select id, fetch_id, attempts, to_jsonb(taken) as row
from taken
where parked_at is null
order by id
"""

_LOCK_TAKEN = """
select id
from {queue}
where id = any(%(ids)s) and receipt = %(receipt)s and done_at is null and parked_at is null
order by id
for update
"""

_ACKNOWLEDGE_VIDEOS = """
update blogger_tracking.high_priority_queue as message
set
    acknowledged = message.acknowledged || finished.videos,
    done_at = case when message.videos <@ (message.acknowledged || finished.videos) then %(moment)s end
from (
    select message_id, array_agg(distinct external_video_id) as videos
    from unnest(%(messages)s::bigint[], %(videos)s::text[]) as queued (message_id, external_video_id)
    group by message_id
) as finished
where message.id = finished.message_id
"""

_FINISH = """
update {queue}
set done_at = %(moment)s
where id = any(%(ids)s) and receipt = %(receipt)s and done_at is null and parked_at is null
"""

_FAIL = """
update {queue} as message
set
    parked_at = case when failure.final or message.failed_attempts + 1 >= %(max_attempts)s then %(moment)s end,
    visible_at = coalesce(
        %(moment)s + (%(retry_delays)s::interval[])[message.failed_attempts + 1], message.visible_at
    ),
    due_at = coalesce(%(moment)s + (%(retry_delays)s::interval[])[message.failed_attempts + 1], message.due_at),
    last_error = failure.reason,
    failed_attempts = message.failed_attempts + 1,
    lost_attempts = 0,
    receipt = null
from unnest(%(ids)s::bigint[], %(reasons)s::text[], %(finals)s::boolean[]) as failure (id, reason, final)
where message.id = failure.id
  and message.receipt = %(receipt)s
  and message.done_at is null
  and message.parked_at is null
"""

_RELEASE = """
update {queue}
set
    attempts = attempts - 1,
    visible_at = %(visible_at)s,
    last_error = coalesce(%(reason)s, last_error),
    lost_attempts = 0,
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

# Of several parked messages about one thumbnail only the newest is requeued, and none if another message waits.
_REQUEUE = {
    Queue.VIDEO_BATCHES: """
update blogger_tracking.high_priority_queue
set
    parked_at = null,
    attempts = 0,
    failed_attempts = 0,
    lost_attempts = 0,
    visible_at = %(moment)s,
    due_at = %(moment)s,
    receipt = null
where parked_at is not null and (%(ids)s::bigint[] is null or id = any(%(ids)s))
returning id
""",
    Queue.THUMBNAILS: """
update blogger_tracking.thumbnail_queue
set
    parked_at = null,
    attempts = 0,
    failed_attempts = 0,
    lost_attempts = 0,
    visible_at = %(moment)s,
    due_at = %(moment)s,
    receipt = null
where id in (
    select distinct on (parked.video_id) parked.id
    from blogger_tracking.thumbnail_queue as parked
    join blogger_tracking.videos on videos.id = parked.video_id
    where parked.parked_at is not null
      and (%(ids)s::bigint[] is null or parked.id = any(%(ids)s))
      and videos.thumbnail_path is null
      and not exists (
          select
          from blogger_tracking.thumbnail_queue as waiting
          where waiting.video_id = parked.video_id and waiting.done_at is null and waiting.parked_at is null
      )
    order by parked.video_id, parked.id desc
)
returning id
""",
}

_IS_DUE = """
select
    exists (
        select from {queue} where done_at is null and parked_at is null and visible_at <= %(moment)s
    )
    and not exists (
        select
        from blogger_tracking.platform_suspensions
        where platform = %(platform)s and suspended_until > %(moment)s
    )
"""

_PLATFORM = {Queue.VIDEO_BATCHES: Platform.YOUTUBE}
"""The platform that a queue's consumer calls; thumbnails come from servers that no suspension is about."""

# In the order of the primary key, at whose beginning the oldest messages are.
_REMOVE = """
delete from {queue}
where id in (
    select id
    from {queue}
    where done_at < %(done_before)s or parked_at < %(parked_before)s
    order by id
    limit %(limit)s
    for update skip locked
)
"""

_COUNT = """
select
    count(*) filter (where done_at is null and parked_at is null) as waiting,
    count(*) filter (where done_at is not null) as done,
    count(*) filter (where parked_at is not null) as parked
from {queue}
"""

_COUNT_PARKED = "select count(*) from {queue} where parked_at >= %(since)s"

# By `due_at`: a consumer that takes and releases the same messages again and again would move `visible_at` each time.
# `count(*)` of parked messages reads their partial index alone.
_HEALTH = """
select
    %(queue)s as queue,
    count(*) filter (where due_at <= %(moment)s) as waiting,
    (select count(*) from {queue} as message where message.parked_at is not null) as parked,
    min(due_at) filter (where due_at <= %(moment)s) as waiting_since
from {queue}
where done_at is null and parked_at is null
"""


def enqueue_video_batches(connection: Connection, fetch_id: int, video_ids: Sequence[str]) -> None:
    """Enqueue messages that ask for the statistics of a fetch's YouTube videos."""
    parameters = {"fetch_id": fetch_id, "ids": list(video_ids), "videos_per_message": VIDEOS_PER_MESSAGE}
    connection.execute(_ENQUEUE_VIDEO_BATCHES, parameters)


def enqueue_thumbnails(connection: Connection, fetch_id: int, platform: Platform, video_ids: Sequence[str]) -> None:
    """Enqueue a message for each of these saved videos that has a thumbnail URL and no stored thumbnail.

    A video whose message still waits or is in flight gets no second one: a new URL replaces the message's URL, with no
    attempts counted.
    """
    parameters = {"fetch_id": fetch_id, "platform": platform, "ids": list(video_ids)}
    connection.execute(_ENQUEUE_THUMBNAILS, parameters)


def read_backlog(connection: Connection, queue: Queue, moment: datetime) -> Backlog:
    """Return the work that waits in a queue."""
    statement = sql.SQL(_BACKLOG[queue]).format(live_fetches=_LIVE_FETCHES)
    return fetch_one(connection, Backlog, statement, {"moment": moment})


def has_due_messages(connection: Connection, queue: Queue, moment: datetime) -> bool:
    """Return True if a consumer has something to do now: a visible message, and no suspension of its platform."""
    parameters = {"moment": moment, "platform": _PLATFORM.get(queue)}
    return bool(fetch_value(connection, _for_queue(queue, _IS_DUE), parameters))


def take_messages(
    connection: Connection, queue: Queue, moment: datetime, *, limit: int, visibility: timedelta
) -> Delivery:
    """Take up to `limit` messages, the longest visible first, and hide the messages for the time `visibility`.

    Each message counts one attempt more. A message that was lost LOST_BEFORE_ALONE times in a row is taken alone, and
    parked instead of returned once its attempts are MAX_ATTEMPTS and the last one was lost, too.
    """
    receipt = uuid4()
    parameters = {
        "moment": moment,
        "limit": limit,
        "visibility": visibility,
        "receipt": receipt,
        "max_attempts": MAX_ATTEMPTS,
        "lost_before_alone": LOST_BEFORE_ALONE,
    }
    return Delivery(receipt, fetch_all(connection, Message, _for_queue(queue, _TAKE), parameters))


def lock_taken_messages(connection: Connection, queue: Queue, receipt: UUID, message_ids: Collection[int]) -> set[int]:
    """Lock the messages that still belong to this receipt, until the end of the transaction; return their ids."""
    parameters = {"ids": list(message_ids), "receipt": receipt}
    return set(fetch_values(connection, _for_queue(queue, _LOCK_TAKEN), parameters))


def acknowledge_videos(connection: Connection, videos: Sequence[QueuedVideo], moment: datetime) -> None:
    """Acknowledge videos in their messages, and finish the messages of which no video is left.

    The caller has locked the messages: see `lock_taken_messages`.
    """
    parameters = {
        "messages": [video.message_id for video in videos],
        "videos": [video.external_video_id for video in videos],
        "moment": moment,
    }
    connection.execute(_ACKNOWLEDGE_VIDEOS, parameters)


def acknowledge_taken_videos(
    connection: Connection, receipt: UUID, videos: Sequence[QueuedVideo], moment: datetime
) -> None:
    """Acknowledge videos in their messages, except messages that another consumer has taken meanwhile."""
    with bounded_transaction(connection):
        locked = lock_taken_messages(connection, Queue.VIDEO_BATCHES, receipt, {video.message_id for video in videos})
        acknowledge_videos(connection, [video for video in videos if video.message_id in locked], moment)


def finish_messages(
    connection: Connection, queue: Queue, receipt: UUID, message_ids: Collection[int], moment: datetime
) -> None:
    """Mark messages as done, except those that another consumer has taken meanwhile."""
    parameters = {"ids": list(message_ids), "receipt": receipt, "moment": moment}
    connection.execute(_for_queue(queue, _FINISH), parameters)


def fail_messages(
    connection: Connection, queue: Queue, receipt: UUID, failures: Sequence[FailedMessage], moment: datetime
) -> None:
    """Hide failed messages for their retry delay, or park them (RETRY_DELAYS, MAX_ATTEMPTS).

    Only failed attempts count, and none that was lost with its consumer. Messages that another consumer has taken
    meanwhile do not change.
    """
    parameters = {
        "ids": [failure.message_id for failure in failures],
        # A reason may quote a header or a host name from outside.
        "reasons": [storable(failure.reason) for failure in failures],
        "finals": [failure.final for failure in failures],
        "retry_delays": list(RETRY_DELAYS),
        "max_attempts": MAX_ATTEMPTS,
        "receipt": receipt,
        "moment": moment,
    }
    connection.execute(_for_queue(queue, _FAIL), parameters)


def release_messages(
    connection: Connection, queue: Queue, delivery: Delivery, visible_at: datetime, reason: str | None = None
) -> int:
    """Release the unfinished messages of a delivery, to be visible from `visible_at`; return the number of messages.

    The attempt of a released message is not counted, and the message waits since the same time as before.
    """
    parameters = {
        "ids": [message.id for message in delivery.messages],
        "receipt": delivery.receipt,
        "visible_at": visible_at,
        "reason": reason,
    }
    return connection.execute(_for_queue(queue, _RELEASE), parameters).rowcount


def list_parked_messages(
    connection: Connection, queue: Queue, limit: int, since: datetime | None = None
) -> list[ParkedMessage]:
    """Return up to `limit` messages parked since a moment (None: ever), newest first."""
    return fetch_all(connection, ParkedMessage, _for_queue(queue, _PARKED), {"limit": limit, "since": since})


def count_parked_messages(connection: Connection, queue: Queue, since: datetime) -> int:
    """Return the number of messages parked since a moment."""
    return int(fetch_value(connection, _for_queue(queue, _COUNT_PARKED), {"since": since}))


def requeue_parked_messages(
    connection: Connection, queue: Queue, moment: datetime, message_ids: Collection[int] | None = None
) -> list[int]:
    """Make parked messages (None: all) visible with no attempts counted; return the ids of the requeued messages."""
    parameters = {"moment": moment, "ids": None if message_ids is None else list(message_ids)}
    return sorted(fetch_values(connection, _REQUEUE[queue].encode(), parameters))


def remove_messages(
    connection: Connection, queue: Queue, *, done_before: datetime, parked_before: datetime, limit: int
) -> int:
    """Remove up to `limit` messages that were finished or parked before these moments; return their number."""
    parameters = {"done_before": done_before, "parked_before": parked_before, "limit": limit}
    with bounded_transaction(connection):
        return connection.execute(_for_queue(queue, _REMOVE), parameters).rowcount


def count_messages(connection: Connection, queue: Queue) -> QueueCounts:
    """Return the number of messages by state."""
    return fetch_one(connection, QueueCounts, _for_queue(queue, _COUNT))


def read_queue_health(connection: Connection, queue: Queue, moment: datetime) -> QueueHealth:
    """Return the number of waiting and parked messages, and the time since which the oldest waiting one waits."""
    return fetch_one(connection, QueueHealth, _for_queue(queue, _HEALTH), {"queue": queue, "moment": moment})


def _for_queue(queue: Queue, statement: str) -> sql.Composed:
    return sql.SQL(statement).format(queue=sql.Identifier("blogger_tracking", queue))
