"""Limit on the time that a connection outside a pool waits for the answer to a statement.

BoundedPool limits how long a connection is held. A command for operators holds its connection for as long as its
statements take, so each of its statements has the limit instead.
"""

from __future__ import annotations

import time
from typing import TypeVar

import psycopg
from psycopg import Connection
from psycopg.abc import PQGen

from blogger_tracking.domain.errors import DatabaseStateError

R = TypeVar("R")


def bound_answers(connection: Connection, seconds: float) -> None:
    """Limit each wait for an answer on the connection, instead of an earlier limit.

    A wait that reaches the limit closes the connection and raises DatabaseStateError.
    """

    def wait(generator: PQGen[R], *_arguments: object, **_options: object) -> R:
        begin = time.monotonic()
        try:
            return Connection.wait(connection, generator, timeout=seconds)
        except psycopg.OperationalError as error:
            if time.monotonic() - begin < seconds:
                raise
            connection.close()
            raise DatabaseStateError(
                f"The database accepted the login, and then gave no answer for {seconds:.0f} s. The transaction in "
                "progress is lost; transactions before it are kept. Check the server, and the pooler or proxy before "
                "it, and try again."
            ) from error

    # On the instance, because Airflow's PostgresHook opens a connection of psycopg's own class. psycopg passes no other
    # arguments for statements, so mypy's complaint about their types does not matter.
    connection.wait = wait  # type: ignore[method-assign, assignment]
