"""A line to the database that goes silent holds up its own work for a bounded time, and nobody else's for longer."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from blogger_tracking.database.connections import open_pool
from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.settings import get_settings
from tests.support.database_builder import DatabaseBuilder
from tests.support.database_server import DatabaseServer
from tests.support.ledger_steps import claim, fetch_ids, plan, succeed
from tests.support.silent_proxy import SilentProxy

TIMEOUT_SECONDS = 1.2
"""A session that is idle within a transaction is ended after a quarter, a lock is waited for half as long."""

PATIENCE_SECONDS = 60.0
"""Time after which a thread that should have given up counts as waiting for ever."""


@pytest.fixture(autouse=True)
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("BLOGGER_TRACKING_DATABASE_TIMEOUT_SECONDS", str(TIMEOUT_SECONDS))
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture
def line(server: DatabaseServer, database: str) -> Iterator[tuple[SilentProxy, ConnectionPool]]:
    """Yield a proxy that can be cut, and a pool of connections that leads through the proxy."""
    with tempfile.TemporaryDirectory(prefix="bt-") as folder, SilentProxy(Path(folder), server.socket) as proxy:
        pool = open_pool(f"host={folder} user=pipeline_login dbname={database}", connections=2)
        yield proxy, pool
        pool.close()


def in_background(work: Callable[[], object]) -> Future[object]:
    """Run work in a thread of its own."""
    future: Future[object] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except psycopg.Error as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def cut_at(proxy: SilentProxy, statement: bytes) -> threading.Event:
    """Cut the line when the client sends a statement, which the server does not get; return an event of the cut."""
    reached = threading.Event()

    def is_cut(data: bytes) -> bool:
        if statement not in data or reached.is_set():
            return False
        reached.set()
        return True

    proxy.is_cut = is_cut
    return reached


def go_on(work: Callable[[], object]) -> None:
    """Do work that waits for the locks of the lost session; like an instance in Airflow, it may fail once."""
    try:
        work()
    except psycopg.OperationalError:
        work()


def gives_up(future: Future[object]) -> bool:
    """Return True if the work ended with the error of a lost connection."""
    return isinstance(future.exception(PATIENCE_SECONDS), psycopg.OperationalError)


def test_a_line_cut_in_the_middle_of_planning_holds_up_other_work_for_a_bounded_time(
    admin: psycopg.Connection, build: DatabaseBuilder, pool: ConnectionPool, line: tuple[SilentProxy, ConnectionPool]
) -> None:
    build.track(build.organization())
    proxy, cut_pool = line
    # The lock of all usages is held by then.
    reached = cut_at(proxy, b"insert into blogger_tracking.runs")
    cut = in_background(lambda: plan(cut_pool))
    assert reached.wait(PATIENCE_SECONDS)
    go_on(lambda: succeed_first(pool))
    assert gives_up(cut)
    assert not any(check_invariants(admin).values())


def succeed_first(pool: ConnectionPool) -> None:
    """Plan a run, and claim and settle its fetch."""
    (fetch_id,) = fetch_ids(pool, plan(pool))
    succeed(pool, claim(pool, fetch_id), returned=5)


@pytest.mark.parametrize("statement", [b"for no key update", b"commit"])
def test_a_line_cut_in_the_middle_of_claiming_lets_another_attempt_claim(
    admin: psycopg.Connection,
    build: DatabaseBuilder,
    pool: ConnectionPool,
    line: tuple[SilentProxy, ConnectionPool],
    statement: bytes,
) -> None:
    build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool))
    proxy, cut_pool = line
    reached = cut_at(proxy, statement)
    cut = in_background(lambda: claim(cut_pool, fetch_id))
    assert reached.wait(PATIENCE_SECONDS)
    go_on(lambda: succeed(pool, claim(pool, fetch_id), returned=5))
    assert gives_up(cut)
    assert not any(check_invariants(admin).values())


def test_a_line_cut_in_the_middle_of_saving_saves_all_or_nothing_and_the_next_attempt_saves_once(
    admin: psycopg.Connection, build: DatabaseBuilder, pool: ConnectionPool, line: tuple[SilentProxy, ConnectionPool]
) -> None:
    build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool))
    proxy, cut_pool = line
    claimed = claim(cut_pool, fetch_id)
    reached = cut_at(proxy, b"insert into blogger_tracking.video_statistics")
    cut = in_background(lambda: succeed(cut_pool, claimed, returned=5))
    assert reached.wait(PATIENCE_SECONDS)
    go_on(lambda: succeed(pool, claim(pool, fetch_id), returned=5))
    assert gives_up(cut)
    assert build.value("select sum(charged) from fetch_allocations") == 5
    assert not any(check_invariants(admin).values())


def test_a_connection_that_the_server_ended_while_idle_is_replaced_before_it_is_used(
    build: DatabaseBuilder, pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blogger_tracking.database.bounded_pool._UNCHECKED_IDLE_SECONDS", 0.0)
    with pool.connection() as connection:
        connection.execute("select 1")
    build.run("select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = 'pipeline_login'")
    with pool.connection() as connection:
        assert connection.execute("select 1").fetchone() == (1,)
