"""Transactions of migrations, imports, comparisons and the removal: limited waits, and statements without a limit."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager

import psycopg
from psycopg import Connection, sql

from blogger_tracking.domain.errors import DatabaseStateError
from blogger_tracking.settings import get_settings

WAIT_LIMITS: Mapping[str, float] = {"idle_in_transaction_session_timeout": 0.25, "lock_timeout": 0.5}
"""Limits of the waits in a transaction, as shares of `database_timeout_seconds`.

A session that holds locks and vanishes is ended before those who wait for its locks give up.
"""

_SHOW_TRANSACTIONS = (
    "The oldest transactions come first in: select pid, usename, state, xact_start, query from pg_stat_activity "
    "where xact_start is not null order by xact_start"
)


@contextmanager
def long_transaction(connection: Connection, kept: str, *, force_rollback: bool = False) -> Generator[None]:
    """Begin a transaction that the server ends if the transaction waits for too long, or its client vanishes.

    The limits follow from the setting `database_timeout_seconds`. A statement that waits for nothing is not limited.
    Raises DatabaseStateError for a lock that is not granted in time; `kept` is the sentence of that error that says
    what was kept.
    """
    try:
        with connection.transaction(force_rollback=force_rollback):
            # Not in a pipeline, which psycopg ends with a flush request: Postgres would not count the session as idle
            # until the answer to the next statement.
            limit_transaction(connection, WAIT_LIMITS)
            yield
    except psycopg.errors.LockNotAvailable as error:
        seconds = get_settings().database_timeout_seconds * WAIT_LIMITS["lock_timeout"]
        raise DatabaseStateError(
            f"A lock in the database was not granted within {seconds:g} s: another session uses a table that this "
            f"command needs, or another migration or import is in progress. {kept} Wait until the transaction of that "
            f"session has ended, or end the session, and run the command again. {_SHOW_TRANSACTIONS}"
        ) from error


def limit_transaction(connection: Connection, limits: Mapping[str, float]) -> None:
    """Set limits of the current transaction: each is a setting of Postgres, in shares of `database_timeout_seconds`.

    The limits are local to the transaction, because a transaction-mode pooler keeps no setting of a session, and
    refuses most settings at the start of a session.
    """
    # `set local` and no query, after which the isolation level of the transaction could not be chosen any more.
    seconds = get_settings().database_timeout_seconds
    for name, share in limits.items():
        milliseconds = round(seconds * share * 1000)
        connection.execute(sql.SQL("set local {} = {}").format(sql.Identifier(name), sql.Literal(milliseconds)))
