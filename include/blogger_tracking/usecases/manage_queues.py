"""Use cases of both queues: run a consumer and log a summary, read the queues' state, requeue parked messages."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.database.message_queues import (
    ParkedMessage,
    QueueCounts,
    count_messages,
    count_parked_messages,
    list_parked_messages,
    requeue_parked_messages,
)
from blogger_tracking.domain.queues import Queue

logger = logging.getLogger(__name__)

MAX_LISTED_PARKED = 100
"""Maximum number of parked messages that are listed per queue."""


@dataclass(frozen=True, slots=True)
class QueueState:
    """Counts of one queue, and its newest parked messages (at most MAX_LISTED_PARKED), newest first."""

    queue: Queue
    counts: QueueCounts
    parked: list[ParkedMessage]


def consume(pool: ConnectionPool, queue: Queue, run: Callable[[], Counter[str]]) -> dict[str, int]:
    """Run a consumer, and log a summary and the messages parked meanwhile; return the counts as an XCom.

    The log names the newest MAX_LISTED_PARKED of these messages and the number of the others.
    `run` returns the consumer's own counts, to which `parked` is added; empty if there was no work.
    """
    started = datetime.now(UTC)
    counts = run()
    if not counts:
        logger.info("No work in %s.", queue)
        return {}
    with pool.connection() as connection:
        parked = count_parked_messages(connection, queue, started)
        listed = list_parked_messages(connection, queue, MAX_LISTED_PARKED, since=started)
    for message in listed:
        logger.warning(
            "Message %s of %s is parked: %s. Remove the cause, then run `python -m blogger_tracking.cli requeue`.",
            message.id,
            queue,
            message.last_error,
        )
    if parked > len(listed):
        logger.warning(
            "And %s more messages of %s are parked. `python -m blogger_tracking.cli queues` has their number.",
            parked - len(listed),
            queue,
        )
    summary = {**counts, "parked": parked}
    logger.info("%s: %s.", queue, ", ".join(f"{count} {name}" for name, count in summary.items()))
    return summary


def read_queues(connection: Connection) -> list[QueueState]:
    """Return the state of each queue."""
    return [
        QueueState(queue, count_messages(connection, queue), list_parked_messages(connection, queue, MAX_LISTED_PARKED))
        for queue in Queue
    ]


def requeue(connection: Connection, queue: Queue, message_ids: Collection[int] | None = None) -> list[int]:
    """Requeue parked messages (None: all of the queue) to be tried at once; return the ids of the requeued messages."""
    return requeue_parked_messages(connection, queue, datetime.now(UTC), message_ids)
