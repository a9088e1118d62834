"""Watcher of a queue: an event trigger that starts a consumer for due messages, and for nothing else.

The watcher is assigned to an asset (Airflow's event-driven scheduling), so it runs in the triggerer as long as the
consumer's DAG is not paused. Each event of the asset starts a run.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from blogger_tracking.domain.queues import Queue
from blogger_tracking.settings import get_settings

logger = logging.getLogger(__name__)


class QueueWatcher(BaseEventTrigger):
    """Trigger that yields an event while a queue has due messages; a look costs one query."""

    def __init__(self, queue: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # Airflow's signature has no types
        self._queue = Queue(queue)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the name of the queue."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {"queue": self._queue.value}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield events without end; an error of the database is logged, and the next look is made as usual."""
        settings = get_settings()
        next_event_at = 0.0
        while True:
            is_due = await asyncio.get_running_loop().run_in_executor(_threads(), self._is_due)
            now = time.monotonic()
            if is_due is False:
                # No consumer was started for the messages that become due after this look.
                next_event_at = now
            elif is_due and now >= next_event_at:
                next_event_at = now + settings.queue_event_seconds
                yield TriggerEvent({"queue": self._queue.value})  # type: ignore[no-untyped-call] # Airflow's signature has no types
            await asyncio.sleep(settings.queue_look_seconds)

    def _is_due(self) -> bool | None:
        """Return True if messages are due, None if the database cannot be asked."""
        # Imported here: DAG files import this module to declare the watchers.
        from blogger_tracking.database.message_queues import has_due_messages
        from blogger_tracking.orchestration.connected_services import database_pool

        try:
            with database_pool().connection() as connection:
                return has_due_messages(connection, self._queue, datetime.now(UTC))
        except Exception as error:  # noqa: BLE001 - a watcher that raises would end, and Airflow does not restart it
            logger.warning(
                "The queue %s cannot be looked at: %s. The next look is in %g seconds; the consumer also starts "
                "every hour.",
                self._queue,
                error,
                get_settings().queue_look_seconds,
            )
            return None


@cache
def _threads() -> ThreadPoolExecutor:
    """Return threads of the watchers' own: a database that does not answer must not hold the event loop's threads."""
    return ThreadPoolExecutor(len(Queue), thread_name_prefix="watcher")
