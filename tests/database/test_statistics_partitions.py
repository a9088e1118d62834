"""Monthly partitions of the statistics: made ahead, protected, and never needed to save."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import psycopg
import pytest
from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.database.statistics_partitions import (
    create_partition,
    drop_partition,
    read_default_months,
    read_partition_months,
)
from blogger_tracking.domain.retention import Month, month_of, months_ahead
from tests.support.database_builder import DatabaseBuilder
from tests.support.ledger_steps import claim, fetch_ids, plan, succeed
from tests.support.row_security import signed_in

LONG_AGO = date(2019, 2, 28)


def save_on(build: DatabaseBuilder, pool: ConnectionPool, day: date, videos: int = 3) -> None:
    """Save a fetch that was planned on a day."""
    build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool))
    build.run("update fetches set fetched_on = %(day)s where id = %(id)s", day=day.isoformat(), id=fetch_id)
    succeed(pool, claim(pool, fetch_id), returned=videos)


def places(build: DatabaseBuilder) -> dict[str, int]:
    """Return the number of rows by partition."""
    return dict(build.rows("select tableoid::regclass::text, count(*) from video_statistics group by 1"))


def test_the_migrations_create_the_partitions_of_the_months_around_now(admin: Connection) -> None:
    today = datetime.now(UTC).date()
    months = read_partition_months(admin)
    assert months[1:] == months_ahead(today)
    assert months[0].next_first_day == months[1].first_day


def test_a_fetch_is_saved_to_the_partition_of_its_month(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    today = datetime.now(UTC).date()
    save_on(build, pool, today)
    assert places(build) == {f"video_statistics_{today:%Y_%m}": 3}


@pytest.mark.parametrize("day", [LONG_AGO, date(2199, 12, 31)])
def test_a_fetch_of_a_month_without_a_partition_is_saved_and_moves_to_the_partition_once_it_exists(
    build: DatabaseBuilder, pool: ConnectionPool, day: date
) -> None:
    save_on(build, pool, day)
    assert places(build) == {"video_statistics_default": 3}
    saved = build.rows("select * from video_statistics order by video_id")
    with pool.connection() as connection:
        assert read_default_months(connection) == [month_of(day)]
        assert create_partition(connection, month_of(day))
        assert read_default_months(connection) == []
    assert places(build) == {f"video_statistics_{day:%Y_%m}": 3}
    assert build.rows("select * from video_statistics order by video_id") == saved


def test_creating_and_dropping_a_partition_again_changes_nothing(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    with pool.connection() as connection:
        month = month_of(LONG_AGO)
        assert (create_partition(connection, month), create_partition(connection, month)) == (True, False)
        assert month in read_partition_months(connection)
        assert (drop_partition(connection, month), drop_partition(connection, month)) == (True, False)
        assert month not in read_partition_months(connection)
    assert places(build) == {}


def test_two_processes_that_create_the_same_partition_at_once_do_not_fail(pool: ConnectionPool) -> None:
    def create(_: int) -> bool:
        with pool.connection() as connection:
            return create_partition(connection, month_of(LONG_AGO))

    with ThreadPoolExecutor(4) as executor:
        assert sorted(executor.map(create, range(4))) == [False, False, False, True]


def test_a_partition_has_the_key_checks_and_references_of_the_table(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    with pool.connection() as connection:
        create_partition(connection, month_of(LONG_AGO))
    save_on(build, pool, LONG_AGO, videos=1)
    with pytest.raises(psycopg.errors.CheckViolation):
        build.run("update video_statistics set views = -1")
    with pytest.raises(psycopg.errors.UniqueViolation):
        build.run("insert into video_statistics_2019_02 select * from video_statistics")
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        build.run("update video_statistics set video_id = 0")
    build.run("delete from thumbnail_queue")
    build.run("delete from videos")
    assert places(build) == {}


def test_members_read_statistics_of_every_month_and_no_partition_directly(
    build: DatabaseBuilder, pool: ConnectionPool, admin: Connection
) -> None:
    with pool.connection() as connection:
        create_partition(connection, month_of(LONG_AGO))
    save_on(build, pool, LONG_AGO)
    member = build.member(build.value("select organization_id from organization_videos limit 1"))
    stranger = build.member(build.organization())
    for user, rows in ((member, 3), (stranger, 0)):
        with signed_in(admin, user) as connection:
            assert connection.execute("select count(*) from video_statistics").fetchone() == (rows,)
    for partition in ("video_statistics_2019_02", "video_statistics_default"):
        for role in ("authenticated", "anon"):
            admin.execute(f"set role {role}".encode())
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                admin.execute(f"select from blogger_tracking.{partition}".encode())
            admin.execute("reset role")


@pytest.mark.parametrize("role", ["authenticated", "anon"])
@pytest.mark.parametrize("function", ["create_statistics_partition", "drop_statistics_partition"])
def test_members_may_not_change_partitions(admin: Connection, role: str, function: str) -> None:
    admin.execute(f"set role {role}".encode())
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        admin.execute(f"select blogger_tracking.{function}('2026-01-01')".encode())
    admin.execute("reset role")


def test_a_change_of_partitions_gives_up_its_wait_for_a_transaction_that_uses_the_table(
    admin: Connection, pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blogger_tracking.database.statistics_partitions.LOCK_SECONDS", 0.2)
    month: Month = read_partition_months(admin)[0]
    with pool.connection() as connection:
        with admin.transaction():
            admin.execute("update blogger_tracking.videos set title = title")
            admin.execute("select from blogger_tracking.video_statistics")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                create_partition(connection, month_of(LONG_AGO))
            with pytest.raises(psycopg.errors.LockNotAvailable):
                drop_partition(connection, month)
        assert create_partition(connection, month_of(LONG_AGO))
        assert drop_partition(connection, month)
