"""Use case: consume a queue and say what became of it, see how the queues stand, let parked messages be tried again."""

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
    list_parked,
    requeue_parked,
)
from blogger_tracking.domain.queues import Queue

logger = logging.getLogger(__name__)

MOST_PARKED = 100
"""How many parked messages of a queue are shown."""


@dataclass(frozen=True, slots=True)
class QueueState:
    """One queue: its counts, and its parked messages, the newest first."""

    queue: Queue
    counts: QueueCounts
    parked: list[ParkedMessage]


def consume(pool: ConnectionPool, queue: Queue, run: Callable[[], Counter[str]]) -> dict[str, int]:
    """Let a consumer run; log a summary with every message that was parked, and give it, small enough for an XCom."""
    started = datetime.now(UTC)
    done = run()
    if not done:
        logger.info("Nothing waits in %s.", queue)
        return {}
    with pool.connection() as connection:
        parked = list_parked(connection, queue, MOST_PARKED, since=started)
    for message in parked:
        logger.warning("Message %s of %s is parked: %s.", message.id, queue, message.last_error)
    summary = {**done, "parked": len(parked)}
    logger.info("%s: %s.", queue, ", ".join(f"{count} {name}" for name, count in summary.items()))
    return summary


def read_queues(connection: Connection) -> list[QueueState]:
    """How each queue stands."""
    return [
        QueueState(queue, count_messages(connection, queue), list_parked(connection, queue, MOST_PARKED))
        for queue in Queue
    ]


def requeue(connection: Connection, queue: Queue, message_ids: Collection[int] | None = None) -> list[int]:
    """Let parked messages (None: all of the queue) be tried again at once; return the ids of those that wait now."""
    return requeue_parked(connection, queue, datetime.now(UTC), message_ids)
