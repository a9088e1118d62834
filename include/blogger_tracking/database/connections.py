"""Connections to the application's database, checked once before they are used."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import psycopg
from psycopg import Connection, Pipeline
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool

from blogger_tracking.database.migrate import missing_versions, unknown_versions
from blogger_tracking.domain.errors import DatabaseStateError
from blogger_tracking.settings import get_settings

_CONNECT_TIMEOUT_SECONDS = 10

_STATE = """
select
    to_regclass('public.pipeline_canary') is not null,
    to_regclass('supabase_migrations.schema_migrations') is not null
"""

_RECORDED = "select version from supabase_migrations.schema_migrations"

_CANARY = "select count(*) from pipeline_canary"


def open_pool(conninfo: str, connections: int | None = None) -> ConnectionPool:
    """A pool of connections in autocommit mode that suits a transaction-mode pooler: nothing is prepared on the server.

    The database has been checked: see `require_ready`. Raises DatabaseStateError.
    """
    with connect(conninfo) as connection:
        require_ready(connection)
    return ConnectionPool(
        conninfo,
        kwargs={"autocommit": True, "prepare_threshold": None, "connect_timeout": _CONNECT_TIMEOUT_SECONDS},
        min_size=0,
        max_size=connections or get_settings().database_connections,
        name="blogger_db",
        open=True,
    )


@contextmanager
def connect(conninfo: str) -> Generator[Connection]:
    """One connection in autocommit mode. Raises DatabaseStateError when the server cannot be reached."""
    try:
        connection = psycopg.connect(
            conninfo, autocommit=True, prepare_threshold=None, connect_timeout=_CONNECT_TIMEOUT_SECONDS
        )
    except psycopg.OperationalError as error:
        raise DatabaseStateError(
            f"The database at {_place(conninfo)} cannot be reached: {_without_password(error, conninfo)}. "
            "Nothing was changed. Check the Connection blogger_db."
        ) from None
    with connection:
        yield connection


@contextmanager
def pipelined_transaction(connection: Connection) -> Generator[Pipeline]:
    """A transaction whose BEGIN and COMMIT travel with the statements around them.

    A round trip is made where the caller asks the pipeline to `sync`, and one at the end. psycopg's own
    `transaction()` makes one of its own for each of BEGIN and COMMIT, also in a pipeline (measured with 3.3).
    """
    try:
        with connection.pipeline() as pipeline:
            connection.execute("begin")
            yield pipeline
            connection.execute("commit")
    except BaseException:
        connection.rollback()
        raise


def require_ready(connection: Connection) -> None:
    """Raise DatabaseStateError unless the schema is this code's and the pipeline sees all rows."""
    row = connection.execute(_STATE).fetchone()
    if row != (True, True):
        raise DatabaseStateError("The database is not migrated. Run `make migrate`.")
    _require_same_schema({version for (version,) in connection.execute(_RECORDED)})
    if connection.execute(_CANARY).fetchone() != (1,):
        raise DatabaseStateError(
            "This login cannot see the pipeline's rows: row level security hides them, and it would find no bloggers. "
            "Nothing was changed. Grant it the role blogger_pipeline."
        )


def _require_same_schema(recorded: set[str]) -> None:
    newer = unknown_versions(recorded)
    if newer:
        raise DatabaseStateError(
            f"The database is newer than this code: it has {', '.join(newer)}. Nothing was changed. Update the code."
        )
    missing = missing_versions(recorded)
    if missing:
        raise DatabaseStateError(f"The database lacks the migrations {', '.join(missing)}. Run `make migrate`.")


def _place(conninfo: str) -> str:
    parts = conninfo_to_dict(conninfo)
    return f"{parts.get('host', 'localhost')}/{parts.get('dbname', '')}"


def _without_password(error: psycopg.Error, conninfo: str) -> str:
    password = conninfo_to_dict(conninfo).get("password")
    text = str(error).strip()
    return text.replace(str(password), "***") if password else text
