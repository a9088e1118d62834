"""Pool of connections of which none is waited for without end.

Time-outs of the server end a statement or a transaction there, and keepalives of the operating system notice a dead
network. Neither helps a client whose server, pooler or proxy accepts data and never answers: its thread would wait
for ever. This pool closes the connection instead, and the waiting thread gets an OperationalError.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from psycopg import Connection
from psycopg_pool import ConnectionPool

logger = logging.getLogger(__name__)

_LONGEST_CHECK_SECONDS = 10.0
"""Time after which a check of an idle connection is given up."""

_UNCHECKED_IDLE_SECONDS = 30.0
"""Idle time after which a connection is checked before use: a check costs a round trip."""


class BoundedPool(ConnectionPool):
    """Pool that closes a connection which a caller has held for longer than `longest_seconds`.

    A connection that was idle for a while is checked before use, so that a server that was restarted is not noticed by
    failing work.
    """

    def __init__(self, *, longest_seconds: float, **options: Any) -> None:  # noqa: ANN401 - psycopg_pool declares them
        self._longest_seconds = longest_seconds
        self._deadlines: dict[Connection, float] = {}
        self._returned_at: WeakKeyDictionary[Connection, float] = WeakKeyDictionary()
        self._deadlines_lock = threading.Lock()
        self._closed_pool = threading.Event()
        super().__init__(check=self._check_if_idle, **options)
        threading.Thread(target=self._watch, name="bounded-pool", daemon=True).start()

    def getconn(self, timeout: float | None = None) -> Connection:
        """Return a connection, which the caller has to return within `longest_seconds`."""
        connection: Connection = super().getconn(timeout)
        self._set_deadline(connection, self._longest_seconds)
        return connection

    def putconn(self, conn: Connection) -> None:
        """Take a connection back."""
        with self._deadlines_lock:
            self._deadlines.pop(conn, None)
        self._returned_at[conn] = time.monotonic()
        super().putconn(conn)

    def close(self, timeout: float = 5.0) -> None:
        """Close the pool and stop watching its connections."""
        self._closed_pool.set()
        super().close(timeout)

    def _set_deadline(self, connection: Connection, seconds: float) -> None:
        with self._deadlines_lock:
            self._deadlines[connection] = time.monotonic() + seconds

    def _check_if_idle(self, connection: Connection) -> None:
        now = time.monotonic()
        if now - self._returned_at.get(connection, now) < _UNCHECKED_IDLE_SECONDS:
            return
        self._set_deadline(connection, min(_LONGEST_CHECK_SECONDS, self._longest_seconds))
        try:
            self.check_connection(connection)
        finally:
            with self._deadlines_lock:
                self._deadlines.pop(connection, None)

    def _watch(self) -> None:
        while not self._closed_pool.wait(min(1.0, self._longest_seconds / 4)):
            self._close_overdue()

    def _close_overdue(self) -> None:
        now = time.monotonic()
        # Under the lock, so that a connection that is returned at this moment is not closed under its next caller.
        with self._deadlines_lock:
            for connection in [held for held, deadline in self._deadlines.items() if deadline < now]:
                del self._deadlines[connection]
                # The waiting thread gets the error, and reports it if no retry follows.
                logger.warning(
                    "Closed a connection to the database that had no answer or was held for too long. Nothing of its "
                    "transaction was saved; the work is tried again later."
                )
                _shut_down(connection)


def _shut_down(connection: Connection) -> None:
    """End the connection under the thread that waits for its answer."""
    try:
        with socket.socket(fileno=os.dup(connection.fileno())) as duplicate:
            duplicate.shutdown(socket.SHUT_RDWR)
    except (OSError, psycopg.Error):
        # The connection was closed meanwhile. psycopg reports that with an error of its own.
        return
