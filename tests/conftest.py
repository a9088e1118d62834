"""A real Postgres for every test that asks for one: one server a session, one fresh migrated database a test."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings
from psycopg_pool import ConnectionPool

from blogger_tracking.database.connections import open_pool
from tests.support.database_builder import DatabaseBuilder
from tests.support.database_server import DatabaseServer

_numbers = itertools.count()

# Before anything imports Airflow, which writes its configuration to the home of whoever runs the tests.
_airflow_home = tempfile.mkdtemp(prefix="bt-airflow-")
os.environ["AIRFLOW_HOME"] = _airflow_home
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"


TESTS = Path(__file__).parent

STACK_TESTS = (
    TESTS / "end_to_end",
    TESTS / "devtools" / "local_stack",
    TESTS / "devtools" / "bench" / "test_quick_bench.py",
)
"""Tests that start the processes of a local stack, most of them Airflow's: `make test-fast` leaves them out."""


# The same examples every time, however slow the machine is.
settings.register_profile("reproducible", derandomize=True, deadline=None)
settings.load_profile("reproducible")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that start processes of Airflow."""
    for item in items:
        if any(item.path.is_relative_to(path) for path in STACK_TESTS):
            item.add_marker("airflow")


def pytest_unconfigure() -> None:
    """Leave nothing behind."""
    shutil.rmtree(_airflow_home, ignore_errors=True)


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
