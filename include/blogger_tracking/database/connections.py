"""Connections to the application's database, with a check of the database before first use."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

import psycopg
from psycopg import Connection, Pipeline
from psycopg_pool import ConnectionPool

from blogger_tracking.database.bounded_answers import bound_answers
from blogger_tracking.database.bounded_pool import BoundedPool
from blogger_tracking.database.long_transactions import WAIT_LIMITS, limit_transaction
from blogger_tracking.database.migrate import missing_versions, recorded_versions, unknown_versions
from blogger_tracking.database.rows import fetch_value
from blogger_tracking.domain.errors import DatabaseStateError
from blogger_tracking.redaction import redact
from blogger_tracking.settings import get_settings

OpenConnection: TypeAlias = Callable[..., Connection]
"""A function that opens one connection, given options of `psycopg.connect` by name.

Each call can use another password: tokens of IAM and Entra expire within an hour.
"""

DatabaseAddress: TypeAlias = str | OpenConnection
"""A libpq connection string, or a function that opens one connection."""

_OPTIONS: dict[str, Any] = {
    "autocommit": True,
    # A transaction-mode pooler gives each transaction another server process: nothing may be prepared on the server.
    "prepare_threshold": None,
    "connect_timeout": 10,
    # A network that loses every packet is noticed within a minute: an idle connection by three probes, and data that
    # nobody acknowledges by the time-out.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}

_CLIENT_GRACE = 1.25
"""Factor on `database_timeout_seconds` for the client, so that a server that works reports its time-out first."""

LONG_ANSWER_SECONDS = 4 * 3600.0
"""Longest wait for an answer to a statement that reads or writes whole tables: of migrations, imports and checks."""

# Limits of a transaction, as shares of `database_timeout_seconds`.
_LIMITS = {**WAIT_LIMITS, "statement_timeout": 1.0}

# Within a pipeline a session that waits for its client does not count as idle: only the limit of the whole transaction
# ends the session. Postgres has that limit from version 17 on.
_PIPELINE_LIMITS = {"transaction_timeout": 0.5, "lock_timeout": 0.5}
_TRANSACTION_TIMEOUT_SINCE = 170_000

_FIRST_CONTACT = "select 1"

_STATE = """
select
    to_regnamespace('blogger_tracking') is not null as installed,
    coalesce(has_schema_privilege(to_regnamespace('blogger_tracking'), 'usage'), false) as usable,
    quote_ident(session_user) as login
"""

_HAS_TABLES = "select to_regclass('blogger_tracking.pipeline_canary') is not null"

_CANARY = "select count(*) from blogger_tracking.pipeline_canary"

_URL = re.compile(r"postgres(ql)?://")

_UNESCAPED = (
    "Cannot connect to the database: the connection string cannot be read. Nothing was changed. Percent-encode the "
    "password, with %40 for @ and %3F for ?, in the Airflow Connection blogger_db; for migrations, imports and the "
    "removal, blogger_db_admin."
)

_NO_ROLE = (
    "This login does not have the role blogger_pipeline. Nothing was changed. Run, as the owner of the schema: "
    "grant blogger_pipeline to {login}"
)

_RUN_MIGRATIONS = "Run `make migrate`, or `python -m blogger_tracking.cli migrate` in a container."


def open_pool(address: DatabaseAddress, connections: int | None = None) -> ConnectionPool:
    """Return a pool of connections in autocommit mode, after a check of the database.

    `connections` is the size of the pool; by default the setting `database_connections`.
    Raises DatabaseStateError as `connect` and `require_ready` do.
    """
    with connect(address) as connection:
        require_ready(connection)
    return BoundedPool(
        longest_seconds=_answer_seconds(),
        connection_class=_connection_class(address),
        kwargs=_OPTIONS,
        min_size=0,
        max_size=connections or get_settings().database_connections,
        name="blogger_db",
        open=True,
    )


def is_connection_lost(error: psycopg.Error) -> bool:
    """Return True for an error of the connection and False for one of a statement.

    Without a SQL state, the network or a pooler ended the connection; a server that is shut down names itself.
    """
    if isinstance(error, psycopg.errors.AdminShutdown | psycopg.errors.CrashShutdown):
        return True
    return isinstance(error, psycopg.OperationalError) and error.sqlstate is None


@contextmanager
def connect(address: DatabaseAddress, *, answer_seconds: float | None = None) -> Generator[Connection]:
    """Open one connection in autocommit mode and close it at the end.

    `answer_seconds` is the longest wait for the answer to a statement; by default 1.25 times the setting
    `database_timeout_seconds`. The first answer has the default in any case: a pooler that accepts logins by itself,
    and whose server does not answer, is noticed before a long statement begins.

    Raises DatabaseStateError, without any part of a password, if the server cannot be reached or refuses the login. A
    statement on the connection raises DatabaseStateError if its answer takes too long.
    """
    if isinstance(address, str) and _URL.match(address) and address.count("@") > 1:
        # libpq would take a part of the password for the host, and quote that part in its errors.
        raise DatabaseStateError(_UNESCAPED)
    try:
        connection = _open(address, **_OPTIONS)
    except psycopg.Error as error:
        if isinstance(error, psycopg.ProgrammingError) and isinstance(address, str):
            # libpq quotes the part of the connection string that it cannot parse.
            raise DatabaseStateError(_UNESCAPED) from None
        # libpq breaks its text into lines, and ends some of them with a question.
        reason = redact(" ".join(str(error).split()).rstrip(".?"))
        raise DatabaseStateError(
            f"Cannot connect to the database{_server_and_database(error)}: {reason}. Nothing was changed. Check the "
            "Airflow Connection blogger_db; for migrations, imports and the removal, blogger_db_admin."
        ) from None
    with connection:
        bound_answers(connection, _answer_seconds())
        connection.execute(_FIRST_CONTACT)
        bound_answers(connection, answer_seconds or _answer_seconds())
        yield connection


@contextmanager
def bounded_transaction(connection: Connection) -> Generator[None]:
    """Begin a transaction that the server ends if the transaction waits or works for too long, or its client vanishes.

    The limits follow from the setting `database_timeout_seconds`.
    """
    with connection.transaction():
        with connection.pipeline():
            limit_transaction(connection, _LIMITS)
        yield


@contextmanager
def pipelined_transaction(connection: Connection) -> Generator[Pipeline]:
    """Send the statements of a transaction together, with its BEGIN and COMMIT.

    A round trip is made where the caller calls `sync` of the pipeline, and one at the end. psycopg's own
    `transaction()` adds a round trip for each of BEGIN and COMMIT, also in a pipeline (measured with 3.3).

    The transaction is bounded as a `bounded_transaction` is. The isolation level does not depend on the database's
    default: a statement after a lock sees what was committed before the lock was granted.
    """
    try:
        with connection.pipeline() as pipeline:
            connection.execute("begin isolation level read committed")
            limit_transaction(connection, _pipeline_limits(connection))
            yield pipeline
            connection.execute("commit")
    except BaseException:
        connection.rollback()
        raise


def require_ready(connection: Connection) -> None:
    """Raise DatabaseStateError unless the schema is the one of this code and the login sees all rows."""
    # A pooler may know the login by another name than the server does: `login.project` on Supabase.
    installed, usable, login = connection.execute(_STATE).fetchall()[0]
    if installed and not usable:
        raise DatabaseStateError(_NO_ROLE.format(login=login))
    if not installed or not fetch_value(connection, _HAS_TABLES):
        raise DatabaseStateError(f"The database is not migrated. Nothing was changed. {_RUN_MIGRATIONS}")
    if not sees_canary(connection):
        raise DatabaseStateError(
            "This login cannot see the pipeline's rows, because row level security hides them: no blogger would be "
            "found. " + _NO_ROLE.format(login=login)
        )
    _require_same_schema(recorded_versions(connection))


def sees_canary(connection: Connection) -> bool:
    """Return True if the login sees the row that row level security hides from any other role."""
    try:
        return bool(fetch_value(connection, _CANARY) == 1)
    except psycopg.errors.InsufficientPrivilege:
        return False


def _answer_seconds() -> float:
    return get_settings().database_timeout_seconds * _CLIENT_GRACE


def _pipeline_limits(connection: Connection) -> Mapping[str, float]:
    has_transaction_timeout = connection.info.server_version >= _TRANSACTION_TIMEOUT_SINCE
    return _PIPELINE_LIMITS if has_transaction_timeout else _LIMITS


def _require_same_schema(recorded: set[str]) -> None:
    newer = unknown_versions(recorded)
    if newer:
        raise DatabaseStateError(
            f"The database is newer than this code: it has {', '.join(newer)}. Nothing was changed. "
            "Deploy a version of the code that has these migrations."
        )
    missing = missing_versions(recorded)
    if missing:
        raise DatabaseStateError(
            f"The database lacks the migrations {', '.join(missing)}. Nothing was changed. {_RUN_MIGRATIONS}"
        )


def _open(address: DatabaseAddress, **options: Any) -> Connection:  # noqa: ANN401 - psycopg declares them
    return Connection.connect(address, **options) if isinstance(address, str) else address(**options)


def _connection_class(address: DatabaseAddress) -> type[Connection]:
    """Return a class whose `connect` opens the address, because the pool cannot call a function for a connection."""

    class PooledConnection(Connection):
        @classmethod
        def connect(cls, conninfo: str = "", **options: Any) -> Connection:  # type: ignore[override] # noqa: ANN401 - the pool's options
            del conninfo  # Empty: the pool was created without a connection string.
            return _open(address, **options)

    return PooledConnection


def _server_and_database(error: psycopg.Error) -> str:
    """Return " HOST/DATABASE" of a failed attempt to connect; libpq's text names no database."""
    if error.pgconn is None:
        return ""
    return f" {error.pgconn.host.decode()}/{error.pgconn.db.decode()}"
