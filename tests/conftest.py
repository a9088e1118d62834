"""Fixtures with a real Postgres: one server per session, and for each test a migrated database without other rows."""

from __future__ import annotations

import gc
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
from blogger_tracking.settings import get_settings
from tests.support.database_builder import DatabaseBuilder
from tests.support.database_server import DatabaseServer, RecycledDatabases
from tests.support.pgbouncer import PgBouncer, needs_pgbouncer

# Set before any import of Airflow, which otherwise writes its configuration to the home of the user.
_airflow_home = tempfile.mkdtemp(prefix="bt-airflow-")
os.environ["AIRFLOW_HOME"] = _airflow_home
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"


TESTS = Path(__file__).parent

STACK_TESTS = (
    TESTS / "end_to_end",
    TESTS / "devtools" / "bench" / "test_quick_bench.py",
)
"""Tests that start the processes of Airflow: `make test-fast` leaves them out. Single tests elsewhere, such as those of
`make up`, have the marker themselves."""


POOLED_TESTS = (TESTS / "database", TESTS / "usecases")
"""Tests whose pipeline connects directly, and a second time through a transaction-mode pooler."""

# The same examples every time, without a deadline that a slow machine could miss.
settings.register_profile("reproducible", derandomize=True, deadline=None)
settings.load_profile("reproducible")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that start processes of Airflow."""
    for item in items:
        if any(item.path.is_relative_to(path) for path in STACK_TESTS):
            item.add_marker("airflow")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Repeat the tests of the database with a pipeline behind a transaction-mode pooler."""
    path = Path(metafunc.definition.path)
    if "pipeline_conninfo" in metafunc.fixturenames and any(path.is_relative_to(folder) for folder in POOLED_TESTS):
        pooled = pytest.param("pooled", marks=(pytest.mark.pooled, needs_pgbouncer))
        metafunc.parametrize("pipeline_conninfo", ["direct", pooled], indirect=True)


def pytest_unconfigure() -> None:
    """Remove the session's AIRFLOW_HOME."""
    shutil.rmtree(_airflow_home, ignore_errors=True)


@pytest.fixture(autouse=True)
def _settings_of_the_test() -> Iterator[None]:
    """Keep the settings that a test reads from an environment of its own from later tests."""
    yield
    get_settings.cache_clear()


@pytest.fixture
def no_garbage_collection() -> Iterator[None]:
    """Collect no garbage where a test reaches the limit of the recursion, at which finalizers would fail."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(scope="session")
def server() -> Iterator[DatabaseServer]:
    # A short path, because the path of a Unix socket is limited to 107 bytes.
    with tempfile.TemporaryDirectory(prefix="bt-") as folder:
        started = DatabaseServer(Path(folder) / "data")
        yield started
        started.stop()


@pytest.fixture(scope="session")
def recycled_databases(server: DatabaseServer) -> Iterator[RecycledDatabases]:
    databases = RecycledDatabases(server)
    yield databases
    databases.close()


@pytest.fixture
def database(recycled_databases: RecycledDatabases, request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield the name of a migrated database without rows of other tests."""
    name = recycled_databases.take()
    yield name
    # A pooler keeps connections to a database, and may give a connection that was ended to the next test.
    if "transaction_pooler" in request.fixturenames or _is_pooled(request):
        recycled_databases.drop(name)
    else:
        recycled_databases.give_back(name)


def _is_pooled(request: pytest.FixtureRequest) -> bool:
    return request.node.get_closest_marker("pooled") is not None


@pytest.fixture
def admin(recycled_databases: RecycledDatabases, database: str) -> psycopg.Connection:
    """Return a connection that owns the schema and sees every row."""
    connection = recycled_databases.connection(database)
    # Statements of tests name tables without their schema; those of the project name the schema.
    connection.execute("set search_path = blogger_tracking")
    return connection


@pytest.fixture(scope="session")
def transaction_pooler(server: DatabaseServer) -> Iterator[PgBouncer]:
    with PgBouncer(server, "transaction") as pooler:
        yield pooler


@pytest.fixture
def pipeline_conninfo(request: pytest.FixtureRequest, server: DatabaseServer, database: str) -> str:
    """The connection string of the pipeline's login, through the pooler if the test's parameter is "pooled"."""
    if getattr(request, "param", "direct") == "direct":
        return server.conninfo(database, user="pipeline_login")
    pooler: PgBouncer = request.getfixturevalue("transaction_pooler")
    return pooler.conninfo(database, user="pipeline_login")


@pytest.fixture
def pool(pipeline_conninfo: str) -> Iterator[ConnectionPool]:
    """Yield a pool of connections with the pipeline's role, to which row level security applies."""
    opened = open_pool(pipeline_conninfo, connections=8)
    yield opened
    opened.close()


@pytest.fixture
def build(admin: psycopg.Connection) -> DatabaseBuilder:
    """Return a builder that inserts organizations, bloggers and tracked accounts."""
    return DatabaseBuilder(admin)
