"""Loss of a connection to the database, as by a failure of the network."""

from __future__ import annotations

import os
import socket

from psycopg import Connection


def cut(connection: Connection) -> None:
    """End the connection below libpq, which notices the loss with its next statement."""
    with socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)
