"""The migrations, and the constraints of the schema."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest
from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.database import migrate
from blogger_tracking.database.connections import connect, open_pool
from blogger_tracking.database.migrate import Migration, apply_migrations, known_migrations
from blogger_tracking.database.uninstall import read_contents, uninstall
from blogger_tracking.domain.errors import DatabaseStateError
from blogger_tracking.settings import get_settings
from tests.support.database_builder import DatabaseBuilder
from tests.support.database_server import DatabaseServer
from tests.support.ledger_steps import plan
from tests.support.waiting import wait_until

_numbers = itertools.count()


@pytest.fixture
def empty(server: DatabaseServer) -> Iterator[Connection]:
    """A connection to an empty database."""
    name = f"empty_{next(_numbers)}"
    server.execute(f"create database {name}")
    with connect(server.conninfo(name)) as connection:
        yield connection
    server.execute(f"drop database {name} with (force)")


@pytest.fixture
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a statement of the pipeline take 1.2 seconds, and a transaction wait 0.6 seconds for a lock."""
    monkeypatch.setenv("BLOGGER_TRACKING_DATABASE_TIMEOUT_SECONDS", "1.2")
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def test_files_are_named_as_the_supabase_cli_names_them() -> None:
    for migration in known_migrations():
        assert re.fullmatch(r"\d{14}", migration.version)
        assert re.fullmatch(r"[a-z_]+", migration.name)


def test_applying_the_migrations_again_changes_nothing(empty: Connection) -> None:
    first = apply_migrations(empty)
    assert len(first) == len(known_migrations())
    assert apply_migrations(empty) == []


def test_applied_migrations_are_recorded_with_their_checksums_in_the_projects_own_table(empty: Connection) -> None:
    apply_migrations(empty)
    recorded = empty.execute("select version, name, sha256 from blogger_tracking.schema_migrations order by version")
    assert recorded.fetchall() == [
        (migration.version, migration.name, migration.sha256) for migration in known_migrations()
    ]


def test_a_failed_migration_is_rolled_back_and_the_ones_before_it_stay(
    empty: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Migration("29990101000000", "broken", "create table half (); select no_such_function();")
    monkeypatch.setattr(migrate, "known_migrations", lambda: (*known_migrations(), broken))
    with pytest.raises(DatabaseStateError, match="29990101000000_broken failed and was rolled back"):
        apply_migrations(empty)
    tables = "select to_regclass('half'), to_regclass('blogger_tracking.organizations')"
    assert empty.execute(tables).fetchone() == (None, "blogger_tracking.organizations")


@pytest.mark.parametrize(
    "held",
    [
        pytest.param("lock table blogger_tracking.videos in access share mode", id="a table"),
        pytest.param(
            "select pg_advisory_xact_lock(hashtextextended('blogger_tracking.migrations', 0))", id="another migration"
        ),
    ],
)
@pytest.mark.usefixtures("short_timeouts")
def test_a_migration_gives_up_its_wait_for_a_lock_and_says_what_was_kept(
    server: DatabaseServer, database: str, admin: Connection, monkeypatch: pytest.MonkeyPatch, held: str
) -> None:
    later = Migration("29990101000000", "later", "alter table blogger_tracking.videos add column later integer")
    known = (*known_migrations(), later)
    monkeypatch.setattr(migrate, "known_migrations", lambda: known)
    with psycopg.connect(server.conninfo(database)) as other:
        other.execute(held.encode())
        with pytest.raises(
            DatabaseStateError, match=r"not granted within 0\.6 s.* the migrations before it stay applied.* again"
        ):
            apply_migrations(admin)
    assert apply_migrations(admin) == [str(later)]


@pytest.mark.usefixtures("short_timeouts")
def test_the_removal_gives_up_its_wait_for_a_table_in_use_and_removes_nothing(
    server: DatabaseServer, database: str, admin: Connection
) -> None:
    with psycopg.connect(server.conninfo(database)) as other:
        other.execute("lock table blogger_tracking.videos in access share mode")
        with pytest.raises(DatabaseStateError, match=r"not granted within 0\.6 s.* Nothing was removed"):
            uninstall(admin)
    assert read_contents(admin) is not None


@pytest.mark.usefixtures("short_timeouts")
def test_a_migration_may_take_longer_than_a_statement_of_the_pipeline(
    admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Migration("29990101000000", "slow", "select pg_sleep(1.5)")
    known = (*known_migrations(), slow)
    monkeypatch.setattr(migrate, "known_migrations", lambda: known)
    assert apply_migrations(admin) == [str(slow)]


def test_a_database_newer_than_the_code_is_rejected(admin: Connection, pipeline_conninfo: str) -> None:
    admin.execute("insert into blogger_tracking.schema_migrations values ('29990101000000', 'later', 'a checksum')")
    with pytest.raises(DatabaseStateError, match="does not know"):
        apply_migrations(admin)
    with pytest.raises(DatabaseStateError, match="newer than this code"):
        open_pool(pipeline_conninfo)


def test_a_database_that_is_not_migrated_is_rejected(empty: Connection) -> None:
    with pytest.raises(DatabaseStateError, match="make migrate"):
        open_pool(empty.info.dsn)


def test_a_database_that_lacks_a_migration_is_rejected(admin: Connection, pipeline_conninfo: str) -> None:
    last = known_migrations()[-1].version
    admin.execute("delete from blogger_tracking.schema_migrations where version = %s", (last,))
    with pytest.raises(DatabaseStateError, match=f"lacks the migrations {last}"):
        open_pool(pipeline_conninfo)


def test_a_login_that_cannot_see_all_rows_is_rejected(server: DatabaseServer, database: str) -> None:
    server.execute("create role onlooker login")
    try:
        with psycopg.connect(server.conninfo(database), autocommit=True) as owner:
            with pytest.raises(DatabaseStateError, match="grant blogger_pipeline to onlooker"):
                open_pool(server.conninfo(database, user="onlooker"))
            owner.execute("grant usage on schema blogger_tracking to onlooker")
            owner.execute("grant select on all tables in schema blogger_tracking to onlooker")
            with pytest.raises(DatabaseStateError, match="row level security"):
                open_pool(server.conninfo(database, user="onlooker"))
            owner.execute("drop owned by onlooker")
    finally:
        server.execute("drop role onlooker")


def test_the_error_for_an_unreachable_server_has_host_and_database_and_no_password() -> None:
    with pytest.raises(DatabaseStateError) as raised:
        open_pool("host=127.0.0.1 port=1 dbname=bloggers user=x password=very-secret")
    assert "127.0.0.1/bloggers" in str(raised.value)
    assert "very-secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("update subscription_usage set videos_fetched = -1", "subscription_usage_videos_fetched_check"),
        ("update fetch_allocations set charged = granted + 1, reserved = 0", "charged_within_grant"),
        ("update fetch_allocations set reserved = -1", "fetch_allocations_reserved_check"),
        ("update tracked_accounts set daily_videos_count = 0", "tracked_accounts_daily_videos_count_check"),
        ("update blogger_information set platform = 'MySpace'", "blogger_information_platform_check"),
        ("update blogger_information set external_id = ''", "blogger_information_external_id_check"),
    ],
)
def test_constraints_reject_invalid_counts_and_identifiers(
    build: DatabaseBuilder, pool: ConnectionPool, statement: str, constraint: str
) -> None:
    build.track(build.organization())
    plan(pool)
    with pytest.raises(psycopg.errors.CheckViolation, match=constraint):
        build.run(statement)


def test_a_blogger_is_in_one_live_run_at_most(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    build.track(build.organization())
    plan(pool)
    build.run(
        """
        insert into runs (deployment, dag_id, dag_run_id, planned_at, expires_at, active_accounts)
        values ('test', 'blogger_batch_fetch', 'other', now(), now() + interval '1 hour', 0)
        """
    )
    with pytest.raises(psycopg.errors.UniqueViolation, match="fetches_live"):
        build.run(
            """
            insert into fetches (run_id, blogger_id, platform, fetched_on, target_count, task_id, map_index)
            select (select max(id) from runs), blogger_id, platform, fetched_on, target_count, task_id, map_index
            from fetches
            """
        )


def test_subscription_periods_of_one_organization_do_not_overlap(build: DatabaseBuilder) -> None:
    organization = build.organization()
    with pytest.raises(psycopg.errors.ExclusionViolation):
        build.subscription(organization, starts=timedelta(days=-5))


def test_of_two_overlapping_periods_that_are_added_at_once_one_is_refused(
    build: DatabaseBuilder, admin: Connection, server: DatabaseServer, database: str
) -> None:
    organization = build.organization(video_limit=None)
    added = """
        insert into blogger_tracking.subscriptions (
            organization_id, period_start, period_end, plan, video_limit, blogger_limit
        )
        values (%s, now() + %s, now() + interval '1 month', 'team', 1, 1)
    """
    with psycopg.connect(server.conninfo(database)) as first:
        first.execute(added, (organization, timedelta(days=1)))
        with ThreadPoolExecutor(1) as threads:
            second = threads.submit(admin.execute, added, (organization, timedelta(days=2)))
            wait_until(lambda: bool(waiting_processes(server)), 10)
            first.commit()
            with pytest.raises(psycopg.errors.ExclusionViolation):
                second.result()


def waiting_processes(server: DatabaseServer) -> list[tuple[int]]:
    """Return the processes of the server that wait for a lock."""
    with psycopg.connect(server.conninfo("postgres")) as connection:
        return connection.execute("select pid from pg_stat_activity where wait_event_type = 'Lock'").fetchall()


def test_a_change_of_a_subscription_does_not_block_the_fetches_of_its_organization(
    build: DatabaseBuilder, admin: Connection, pool: ConnectionPool
) -> None:
    build.organization()
    with admin.transaction():
        build.run("update subscriptions set period_end = period_end + interval '1 day'")
        with pool.connection() as connection, connection.transaction():
            connection.execute("set local lock_timeout = '5s'")
            # The lock of each row that refers to the organization, such as an allocation or a link of a video.
            connection.execute("select from blogger_tracking.organizations for key share")


def test_every_version_of_a_subscription_is_kept_with_its_time(build: DatabaseBuilder) -> None:
    build.organization(video_limit=100)
    build.run("update subscriptions set video_limit = 50")
    assert build.rows("select video_limit from subscription_changes order by changed_at, id") == [(100,), (50,)]
