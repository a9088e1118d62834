"""Postgres behind PgBouncer, in transaction mode and in session mode: the poolers of a Supabase project."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest
from psycopg import Connection

from blogger_tracking.database.connections import connect, open_pool, pipelined_transaction
from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.database.migrate import apply_migrations, known_migrations
from blogger_tracking.database.rate_limits import reserve_slots
from blogger_tracking.database.uninstall import read_contents, uninstall
from blogger_tracking.domain.errors import DatabaseStateError
from blogger_tracking.domain.models import Platform
from tests.support.database_builder import DatabaseBuilder
from tests.support.database_server import DatabaseServer
from tests.support.ledger_steps import claim, fetch_ids, plan, succeed
from tests.support.pgbouncer import MISSING, PROGRAM, PgBouncer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(PROGRAM is None, reason=MISSING)

_numbers = itertools.count()


@pytest.fixture(scope="module", params=["transaction", "session"])
def pooler(server: DatabaseServer, request: pytest.FixtureRequest) -> Iterator[PgBouncer]:
    with PgBouncer(server, request.param) as started:
        yield started


@pytest.fixture
def empty(server: DatabaseServer) -> Iterator[str]:
    """The name of an empty database."""
    name = f"pooled_{next(_numbers)}"
    server.execute(f"create database {name}")
    yield name
    server.execute(f"drop database {name} with (force)")


@pytest.fixture
def owner(pooler: PgBouncer, empty: str) -> Iterator[Connection]:
    """The owner's connection to an empty database, through the pooler."""
    with connect(pooler.conninfo(empty)) as connection:
        yield connection


def test_migrations_a_fetch_and_the_removal_work_through_the_pooler(
    server: DatabaseServer, pooler: PgBouncer, empty: str, owner: Connection
) -> None:
    assert apply_migrations(owner) == [str(migration) for migration in known_migrations()]
    assert apply_migrations(owner) == []

    with psycopg.connect(server.conninfo(empty), autocommit=True) as direct:
        build = DatabaseBuilder(direct)
        build.track(build.organization())
    with open_pool(pooler.conninfo(empty, user="pipeline_login"), connections=2) as pool:
        (fetch_id,) = fetch_ids(pool, plan(pool))
        succeed(pool, claim(pool, fetch_id), returned=5)
    assert not any(check_invariants(owner).values())

    owner.execute("update blogger_tracking.runs set ended_at = clock_timestamp()")
    wait_until(lambda: is_removed(owner), 20)
    assert read_contents(owner) is None


def is_removed(owner: Connection) -> bool:
    """Return True once the schema is removed, False while the pooler keeps a connection of the pipeline."""
    try:
        uninstall(owner)
    except DatabaseStateError as error:
        # The statement of the error ends the connections that the pooler has kept.
        statement = re.search(r"select pg_terminate_backend.*", str(error))
        assert statement
        owner.execute(statement[0].encode())
        return False
    return True


def test_two_migrations_at_once_apply_each_migration_once(pooler: PgBouncer, empty: str) -> None:
    def migrate() -> list[str]:
        with connect(pooler.conninfo(empty)) as connection:
            return apply_migrations(connection)

    with ThreadPoolExecutor(2) as threads:
        applied = [name for future in [threads.submit(migrate) for _ in range(2)] for name in future.result()]
    assert sorted(applied) == [str(migration) for migration in known_migrations()]


def test_slots_of_several_processes_do_not_overlap(pooler: PgBouncer, database: str) -> None:
    pools = [open_pool(pooler.conninfo(database, user="pipeline_login"), connections=2) for _ in range(2)]
    with ThreadPoolExecutor(8) as threads:
        futures = [
            threads.submit(reserve_slots, pools[number % 2], Platform.TIKTOK, timedelta(hours=1)) for number in range(8)
        ]
        starts = sorted(future.result() for future in futures)
    for pool in pools:
        pool.close()
    assert [round(start / 3600) for start in starts] == list(range(8))


def test_a_failed_pipelined_transaction_leaves_nothing_behind(pooler: PgBouncer, database: str) -> None:
    def insert_two(connection: Connection) -> None:
        with pipelined_transaction(connection):
            connection.execute("insert into blogger_tracking.rate_limits values ('TikTok', now())")
            connection.execute("insert into blogger_tracking.rate_limits values ('MySpace', now())")

    with connect(pooler.conninfo(database, user="pipeline_login")) as connection:
        with pytest.raises(psycopg.errors.CheckViolation):
            insert_two(connection)
        assert connection.execute("select count(*) from blogger_tracking.rate_limits").fetchone() == (0,)


def test_more_clients_than_server_processes_all_plan(pooler: PgBouncer, database: str, build: DatabaseBuilder) -> None:
    build.track(build.organization(daily=10))
    gate = threading.Barrier(12)

    def plan_at_once(_: int) -> int:
        with open_pool(pooler.conninfo(database, user="pipeline_login"), connections=1) as pool:
            gate.wait()
            return plan(pool).run_id

    with ThreadPoolExecutor(12) as threads:
        assert len(set(threads.map(plan_at_once, range(12)))) == 12
    assert build.value("select count(*) from fetches") == 1


def test_a_pooler_rejects_options_in_a_connection_string(pooler: PgBouncer, database: str) -> None:
    conninfo = f"{pooler.conninfo(database, user='pipeline_login')} options='-c statement_timeout=1000'"
    with pytest.raises(DatabaseStateError, match="options"):
        open_pool(conninfo)
