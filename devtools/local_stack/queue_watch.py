"""Waiting for the queues to empty."""

from __future__ import annotations

import time
from collections.abc import Callable

from psycopg import Connection

from blogger_tracking.usecases.manage_queues import QueueState, read_queues

_EMPTY_SECONDS = 300.0
_POLL_SECONDS = 2.0


def wait_for_queues(connection: Connection, progress: Callable[[str], None]) -> list[QueueState]:
    """The queues once nothing waits in them, or after five minutes as they are then."""
    deadline = time.monotonic() + _EMPTY_SECONDS
    said = ""
    states = read_queues(connection)
    while any(state.counts.waiting for state in states) and time.monotonic() < deadline:
        counts = "Queues: " + ", ".join(f"{state.counts.waiting} waiting in {state.queue}" for state in states)
        if counts != said:
            progress(counts)
            said = counts
        time.sleep(_POLL_SECONDS)
        states = read_queues(connection)
    return states
