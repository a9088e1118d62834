"""The queues as a person sees them: their counts, what is parked and why, and waiting for them to empty."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from psycopg import Connection
from rich.console import Group
from rich.table import Table

from blogger_tracking.services.usecases.manage_queues import QueueState, read_queues

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


def queue_tables(states: Sequence[QueueState], table: Callable[[str, str], Table]) -> Group:
    """A table of counts, and one of parked messages where there are any. `table` takes a title and a first column."""
    counts = table("Queues", "queue")
    for column in ("waiting", "done", "parked"):
        counts.add_column(column, justify="right")
    parked = table("Parked messages", "queue")
    for column in ("message", "tries", "reason"):
        parked.add_column(column)
    for state in states:
        counts.add_row(
            state.queue,
            *(f"{count:,}" for count in (state.counts.waiting, state.counts.done)),
            f"{state.counts.parked:,}",
        )
        for message in state.parked:
            parked.add_row(state.queue, str(message.id), str(message.attempts), message.last_error)
    return Group(counts, parked) if parked.row_count else Group(counts)
