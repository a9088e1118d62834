"""A line to the database that goes silent holds up its own work for a bounded time, and nobody else's for longer."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg_pool import ConnectionPool

from blogger_tracking.database import migrate
from blogger_tracking.database.connections import LONG_ANSWER_SECONDS, bounded_transaction, connect, open_pool
from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.database.migrate import Migration, apply_migrations, known_migrations
from blogger_tracking.database.rate_limits import reserve_slots
from blogger_tracking.domain.errors import BloggerTrackingError, DatabaseStateError
from blogger_tracking.domain.models import Platform
from blogger_tracking.settings import get_settings
from tests.support.database_builder import DatabaseBuilder
from tests.support.database_server import DatabaseServer
from tests.support.ledger_steps import claim, fetch_ids, plan, succeed
from tests.support.pgbouncer import PgBouncer, needs_pgbouncer
from tests.support.silent_proxy import SilentProxy
from tests.support.waiting import wait_until

TIMEOUT_SECONDS = 1.2
"""A session that is idle within a transaction is ended after a quarter, a lock is waited for half as long."""

CLIENT_SECONDS = 1.25 * TIMEOUT_SECONDS
"""Time after which a client whose line is silent gives up, as docs/contracts.md states."""

PATIENCE_SECONDS = 6 * CLIENT_SECONDS
"""The stated times, with time for a slow machine."""


@pytest.fixture(autouse=True)
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOGGER_TRACKING_DATABASE_TIMEOUT_SECONDS", str(TIMEOUT_SECONDS))
    get_settings.cache_clear()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for the proxy's socket, which the pooler's user may enter, with a short path."""
    with tempfile.TemporaryDirectory(prefix="bt-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def direct_line(server: DatabaseServer, folder: Path) -> Generator[tuple[SilentProxy, str]]:
    with SilentProxy(folder, server.socket) as proxy:
        yield proxy, f"host={folder}"


@contextmanager
def line_before_the_pooler(server: DatabaseServer, folder: Path) -> Generator[tuple[SilentProxy, str]]:
    with PgBouncer(server, "transaction") as pooler, SilentProxy(folder, pooler.socket) as proxy:
        yield proxy, f"host={folder} port={pooler.socket.name.rpartition('.')[2]}"


@contextmanager
def line_behind_the_pooler(server: DatabaseServer, folder: Path) -> Generator[tuple[SilentProxy, str]]:
    with SilentProxy(folder, server.socket) as proxy:
        (folder / server.socket.name).chmod(0o777)
        with PgBouncer(server, "transaction", behind=folder) as pooler:
            yield proxy, pooler.conninfo("postgres")


@pytest.fixture(
    params=[
        pytest.param(direct_line, id="direct"),
        pytest.param(line_before_the_pooler, id="before the pooler", marks=needs_pgbouncer),
        pytest.param(line_behind_the_pooler, id="behind the pooler", marks=needs_pgbouncer),
    ]
)
def line(
    request: pytest.FixtureRequest, server: DatabaseServer, database: str, folder: Path
) -> Iterator[tuple[SilentProxy, ConnectionPool]]:
    """Yield a proxy that can be cut, and a pool of connections that leads through the proxy."""
    with request.param(server, folder) as (proxy, conninfo):
        pool = open_pool(make_conninfo(conninfo, user="pipeline_login", dbname=database), connections=2)
        yield proxy, pool
        pool.close()


@pytest.fixture
def others(server: DatabaseServer, database: str) -> Iterator[ConnectionPool]:
    """A pool whose connections do not lead through the proxy."""
    with open_pool(server.conninfo(database, user="pipeline_login")) as pool:
        yield pool


def in_background(work: Callable[[], object]) -> Future[object]:
    """Run work in a thread of its own."""
    future: Future[object] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except (psycopg.Error, BloggerTrackingError) as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def go_on(work: Callable[[], object]) -> None:
    """Do work that waits for the locks of the lost session; like an instance in Airflow, it may fail once.

    Fails if the work takes longer than stated.
    """
    begin = time.monotonic()
    try:
        work()
    except psycopg.OperationalError:
        work()
    assert time.monotonic() - begin < PATIENCE_SECONDS


def gives_up(future: Future[object]) -> bool:
    """Return True if the work ended with the error of a lost connection."""
    return isinstance(future.exception(PATIENCE_SECONDS), psycopg.OperationalError)


def test_a_line_cut_in_the_middle_of_planning_holds_up_other_work_for_a_bounded_time(
    admin: psycopg.Connection, build: DatabaseBuilder, others: ConnectionPool, line: tuple[SilentProxy, ConnectionPool]
) -> None:
    build.track(build.organization())
    proxy, cut_pool = line
    # The lock of all usages is held by then.
    reached = proxy.cut_at(b"insert into blogger_tracking.runs")
    cut = in_background(lambda: plan(cut_pool))
    assert reached.wait(PATIENCE_SECONDS)
    go_on(lambda: succeed_first(others))
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
    others: ConnectionPool,
    line: tuple[SilentProxy, ConnectionPool],
    statement: bytes,
) -> None:
    build.track(build.organization())
    (fetch_id,) = fetch_ids(others, plan(others))
    proxy, cut_pool = line
    reached = proxy.cut_at(statement)
    cut = in_background(lambda: claim(cut_pool, fetch_id))
    assert reached.wait(PATIENCE_SECONDS)
    go_on(lambda: succeed(others, claim(others, fetch_id), returned=5))
    assert gives_up(cut)
    assert not any(check_invariants(admin).values())


def test_a_line_cut_in_the_middle_of_saving_saves_all_or_nothing_and_the_next_attempt_saves_once(
    admin: psycopg.Connection, build: DatabaseBuilder, others: ConnectionPool, line: tuple[SilentProxy, ConnectionPool]
) -> None:
    build.track(build.organization())
    (fetch_id,) = fetch_ids(others, plan(others))
    proxy, cut_pool = line
    claimed = claim(cut_pool, fetch_id)
    reached = proxy.cut_at(b"insert into blogger_tracking.video_statistics")
    cut = in_background(lambda: succeed(cut_pool, claimed, returned=5))
    assert reached.wait(PATIENCE_SECONDS)
    go_on(lambda: succeed(others, claim(others, fetch_id), returned=5))
    assert gives_up(cut)
    assert build.value("select sum(charged) from fetch_allocations") == 5
    assert not any(check_invariants(admin).values())


def test_a_held_connection_that_is_already_closed_does_not_end_the_watch_over_the_others(
    line: tuple[SilentProxy, ConnectionPool],
) -> None:
    def work() -> None:
        with cut_pool.connection() as connection:
            connection.execute("select 2")

    proxy, cut_pool = line
    proxy.cut_at(b"select 2")
    with cut_pool.connection() as held:
        held.close()
        # Held later, so that the time of the closed connection is over first.
        assert gives_up(in_background(work))


@pytest.mark.parametrize("statement", [b"select 1", b"to_regnamespace"])
def test_a_line_that_is_silent_after_the_login_opens_no_pool_and_ends_with_an_error_that_threads_share(
    server: DatabaseServer, database: str, folder: Path, statement: bytes
) -> None:
    with direct_line(server, folder) as (proxy, conninfo):
        proxy.cut_at(statement)
        opened = in_background(lambda: open_pool(make_conninfo(conninfo, user="pipeline_login", dbname=database)))
        # A cache of the process keeps this error for the threads that wait for the pool, too.
        assert isinstance(opened.exception(PATIENCE_SECONDS), DatabaseStateError)


@pytest.mark.parametrize("statement", [b"begin", b"lock_timeout", b"select 2", b"commit"])
def test_each_statement_of_a_connection_outside_a_pool_waits_for_a_bounded_time(
    server: DatabaseServer, database: str, folder: Path, statement: bytes
) -> None:
    def work(conninfo: str) -> None:
        address = make_conninfo(conninfo, user="pipeline_login", dbname=database)
        with connect(address) as connection, bounded_transaction(connection):
            connection.execute("select 2")

    with direct_line(server, folder) as (proxy, conninfo):
        reached = proxy.cut_at(statement)
        done = in_background(lambda: work(conninfo))
        assert isinstance(done.exception(PATIENCE_SECONDS), DatabaseStateError)
        assert reached.is_set()


def test_a_connection_for_long_statements_waits_for_its_first_answer_only_as_long_as_others(
    server: DatabaseServer, database: str, folder: Path
) -> None:
    def work(address: str) -> None:
        with connect(address, answer_seconds=LONG_ANSWER_SECONDS) as connection:
            connection.execute("select pg_sleep(%s)", (1.5 * CLIENT_SECONDS,))

    with direct_line(server, folder) as (proxy, conninfo):
        address = make_conninfo(conninfo, user="pipeline_login", dbname=database)
        work(address)
        proxy.cut_at(b"select 1")
        done = in_background(lambda: work(address))
        assert isinstance(done.exception(PATIENCE_SECONDS), DatabaseStateError)


def test_a_statement_outside_of_a_transaction_is_given_up_by_its_process_and_may_still_be_executed(
    admin: psycopg.Connection, others: ConnectionPool
) -> None:
    with admin.transaction():
        admin.execute("lock table rate_limits in exclusive mode")
        done = in_background(lambda: reserve_slots(others, Platform.TIKTOK, timedelta(seconds=1)))
        assert gives_up(done)
    wait_until(lambda: bool(admin.execute("select from rate_limits").rowcount), PATIENCE_SECONDS)


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(b"pg_advisory_xact_lock", id="before the lock"),
        pytest.param(b"to_regclass('blogger_tracking.schema_migrations')", id="with the lock"),
        pytest.param(b"insert into blogger_tracking.schema_migrations", id="in the middle of a migration"),
    ],
)
def test_a_migration_whose_line_is_cut_lets_the_next_one_migrate(
    server: DatabaseServer,
    database: str,
    admin: psycopg.Connection,
    folder: Path,
    statement: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    later = Migration("29990101000000", "later", "create table blogger_tracking.later ()")
    known = (*known_migrations(), later)
    monkeypatch.setattr(migrate, "known_migrations", lambda: known)

    def work(address: str) -> None:
        with connect(address) as connection:
            apply_migrations(connection)

    with direct_line(server, folder) as (proxy, conninfo):
        reached = proxy.cut_at(statement)
        cut = in_background(lambda: work(make_conninfo(conninfo, user="postgres", dbname=database)))
        assert reached.wait(PATIENCE_SECONDS)
        wait_until(lambda: not has_other_transactions(admin), PATIENCE_SECONDS)
        assert apply_migrations(admin) == [str(later)]
        assert isinstance(cut.exception(PATIENCE_SECONDS), DatabaseStateError)


def has_other_transactions(connection: psycopg.Connection) -> bool:
    """Return True if another session of the database is in a transaction."""
    others = """
        select
        from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
          and xact_start is not null
    """
    return bool(connection.execute(others).rowcount)


def test_a_connection_that_the_server_ended_while_idle_is_replaced_before_it_is_used(
    build: DatabaseBuilder, pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blogger_tracking.database.bounded_pool._UNCHECKED_IDLE_SECONDS", 0.0)
    with pool.connection() as connection:
        connection.execute("select 1")
    build.run("select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = 'pipeline_login'")
    with pool.connection() as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_the_operating_system_watches_each_connection_with_limits_of_a_minute(pool: ConnectionPool) -> None:
    with pool.connection() as connection:
        options = connection.info.get_parameters()
    idle, interval, count = (int(options[f"keepalives_{name}"]) for name in ("idle", "interval", "count"))
    assert options.get("keepalives", "1") == "1"
    assert idle + interval * count <= 60
    assert int(options["tcp_user_timeout"]) <= 60_000
    assert int(options["connect_timeout"]) <= 60
