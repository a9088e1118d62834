"""Log lines of the triggerer's threads, held back for a moment and written together.

Airflow's triggerer looks for new, finished and orphaned triggers in the metadata database whenever its runner says
anything at all, a log line included. With dozens of fetches at once that was half of what it did (docs/performance.md).
For the same reason the three lines are dropped in which Airflow says of every trigger that it starts, fires and
completes: 1.3 KB for each instance, of which it reads 4 KB a round.
"""

from __future__ import annotations

import contextvars
import logging
import re
import threading
from collections.abc import MutableMapping
from typing import Any

import structlog


class LogBuffer:
    """The lines below WARNING of one task instance, whichever of its threads logs them; safe to share among them."""

    def __init__(self) -> None:
        _filter_handlers()
        _drop_announcements()
        self._lock = threading.Lock()
        self._records: list[logging.LogRecord] = []

    def context(self) -> contextvars.Context:
        """A copy of the current context in which lines are held. Threads that copy it in their turn hold them too."""
        context = contextvars.copy_context()
        context.run(_buffer.set, self)
        return context

    def append(self, record: logging.LogRecord) -> None:
        """Keep a line for later, once, however many handlers it comes from."""
        with self._lock:
            if record not in self._records:
                self._records.append(record)

    def flush(self) -> None:
        """Write what is held, which may block. Call it in a context that does not hold lines itself."""
        with self._lock:
            records, self._records = self._records, []
        for record in records:
            logging.getLogger(record.name).handle(record)


_ANNOUNCEMENT = re.compile(r"trigger .+ starting$|Trigger fired event$|trigger completed$")

_buffer: contextvars.ContextVar[LogBuffer | None] = contextvars.ContextVar("holder", default=None)


def _filter_handlers() -> None:
    for handler in logging.getLogger().handlers:
        handler.addFilter(_pass_or_buffer)


def _pass_or_buffer(record: logging.LogRecord) -> bool:
    holder = _buffer.get()
    if holder is None or record.levelno >= logging.WARNING:
        return True
    holder.append(record)
    return False


def _drop_announcements() -> None:
    # Airflow's logger for them has no name that a level could be set for, and may be in use already, with this very
    # list of processors.
    processors = structlog.get_config()["processors"]
    if _drop_announcement not in processors:
        processors.insert(0, _drop_announcement)


def _drop_announcement(logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    del logger
    if method == "info" and _ANNOUNCEMENT.match(str(event["event"])):
        raise structlog.DropEvent
    return event
