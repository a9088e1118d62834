"""The daily maintenance: only what is old goes, the invariants hold over what is left, and a kill loses nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from psycopg import Connection
from psycopg.errors import DiskFull
from psycopg_pool import ConnectionPool

from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.database.message_queues import take_messages
from blogger_tracking.database.run_plans import RunScope
from blogger_tracking.database.statistics_partitions import create_partition, read_partition_months
from blogger_tracking.database.youtube_units import record_units
from blogger_tracking.domain.ledger import RequestUse
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.queues import Queue
from blogger_tracking.domain.retention import month_of, months_ahead
from blogger_tracking.settings import Settings
from blogger_tracking.usecases import maintain_database
from blogger_tracking.usecases.finish_run import finish_run
from blogger_tracking.usecases.maintain_database import (
    prepare_partitions,
    remove_old_messages,
    remove_old_runs,
    remove_old_statistics,
)
from tests.support import maintenance_process
from tests.support.database_builder import DatabaseBuilder, Tracked
from tests.support.ledger_steps import claim, fetch_ids, new_key, plan, succeed
from tests.support.row_security import signed_in
from tests.support.waiting import wait_until

SETTINGS = Settings()
MONTH_LIMITS = Settings(tiktok_statistics_days=30, instagram_statistics_days=30, youtube_statistics_days=30)
NOW = datetime.now(UTC)
LATER = NOW + timedelta(days=SETTINGS.ledger_days + 1)

LEDGER = ("fetches", "fetch_allocations", "fetch_attempts", "run_accounts", "runs", "youtube_units")


@pytest.fixture(autouse=True)
def invariants_hold(admin: Connection) -> Iterator[None]:
    yield
    assert not any(check_invariants(admin).values()), check_invariants(admin)


def run(build: DatabaseBuilder, pool: ConnectionPool, *, runs: int = 1, daily: int = 10) -> Tracked:
    """Complete runs over one new account of each platform, whose messages are finished; return TikTok's account."""
    organization = build.organization(daily=daily)
    tracked = [build.track(organization, platform=platform) for platform in Platform]
    scope = RunScope(organizations=(organization,))
    for _ in range(runs):
        key = new_key()
        for fetch_id in fetch_ids(pool, plan(pool, key, scope)):
            attempt = claim(pool, fetch_id)
            succeed(pool, attempt, returned=daily)
            with pool.connection() as connection:
                record_units(connection, NOW, {RequestUse.LISTING: 1}, fetch_id)
        finish_run(pool, key, 0.2)
    build.run("update high_priority_queue set done_at = now(), acknowledged = videos")
    build.run("update thumbnail_queue set done_at = now()")
    build.run("update videos set thumbnail_path = 'stored'")
    return tracked[0]


def maintain(pool: ConnectionPool, now: datetime, settings: Settings = SETTINGS) -> None:
    prepare_partitions(pool, now.date())
    remove_old_messages(pool, settings, now)
    remove_old_runs(pool, settings, now)
    remove_old_statistics(pool, settings, now.date())


def counts(build: DatabaseBuilder, *tables: str) -> dict[str, int]:
    return {table: build.value(f"select count(*) from {table}") for table in tables}  # noqa: S608 - names of tables


def statistics_on(build: DatabaseBuilder, day: date, platform: Platform) -> None:
    """Insert a row of statistics of a video of the platform, as of a day."""
    build.run(
        """
        insert into video_statistics (video_id, fetch_id, fetched_on, captured_at, views)
        select id, date '1970-01-01' - %(day)s::date, %(day)s::date, %(day)s::date, 5
        from videos
        where platform = %(platform)s
        limit 1
        """,
        day=day.isoformat(),
        platform=platform.value,
    )


def days(build: DatabaseBuilder, platform: Platform) -> list[date]:
    return [
        day
        for (day,) in build.rows(
            """
            select distinct fetched_on
            from video_statistics
            join videos on videos.id = video_id
            where platform = %(platform)s
            order by 1
            """,
            platform=platform.value,
        )
    ]


def test_nothing_that_is_young_is_removed(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    run(build, pool)
    tables = (*LEDGER, "video_statistics", "high_priority_queue", "thumbnail_queue")
    before = counts(build, *tables)
    maintain(pool, NOW + timedelta(days=SETTINGS.finished_message_days - 1), MONTH_LIMITS)
    assert counts(build, *tables) == before


def test_an_old_run_goes_with_all_its_rows_and_its_charges_stay_in_the_usage(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    run(build, pool, runs=2)
    usage = "select organization_id, videos_fetched, reserved from subscription_usage order by 1"
    before = build.rows(usage)
    remove_old_messages(pool, SETTINGS, LATER)
    assert remove_old_runs(pool, SETTINGS, LATER) == {
        "fetches": 6,
        "run_accounts": 6,
        "youtube_units": 6,
        "runs": 2,
    }
    assert counts(build, *LEDGER) == dict.fromkeys(LEDGER, 0)
    assert build.rows(usage) == before
    assert build.value("select sum(videos_fetched) from subscription_usage") == 60
    assert build.value("select sum(removed_charges) from subscription_usage") == 60


def test_statistics_and_links_stay_when_their_fetch_goes(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    run(build, pool)
    before = (
        build.rows("select * from video_statistics order by video_id, fetch_id"),
        build.rows("select * from organization_videos order by organization_id, video_id"),
    )
    maintain(pool, LATER)
    assert counts(build, "fetches") == {"fetches": 0}
    assert before == (
        build.rows("select * from video_statistics order by video_id, fetch_id"),
        build.rows("select * from organization_videos order by organization_id, video_id"),
    )


def test_an_account_is_fetched_as_before_after_its_history_has_gone(
    build: DatabaseBuilder, pool: ConnectionPool, admin: Connection
) -> None:
    tracked = run(build, pool)
    maintain(pool, LATER)
    key = new_key()
    for fetch_id in fetch_ids(pool, plan(pool, key, RunScope(bloggers=(tracked.blogger_id,)))):
        succeed(pool, claim(pool, fetch_id), returned=10, first=5)
    finish_run(pool, key, 0.2)
    assert not any(check_invariants(admin).values())
    assert build.value("select sum(videos_fetched) from subscription_usage") == 40


def test_a_limit_that_was_lowered_after_the_last_charge_is_no_violation_when_the_charge_has_gone(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    run(build, pool)
    build.run("update subscriptions set video_limit = 5")
    maintain(pool, LATER)
    assert build.value("select removed_charged_at is not null from subscription_usage")


@pytest.mark.parametrize("queue", list(Queue))
def test_a_fetch_with_a_waiting_message_stays(build: DatabaseBuilder, pool: ConnectionPool, queue: Queue) -> None:
    run(build, pool)
    # A message that nobody has finished, and one that another consumer has taken.
    build.run(
        f"update {queue} set done_at = null, visible_at = now() - interval '1 hour' "  # noqa: S608 - name of a table
        f"where id in (select id from {queue} limit 1)"
    )
    if queue is Queue.VIDEO_BATCHES:
        build.run("update high_priority_queue set acknowledged = '{}' where done_at is null")
    with pool.connection() as connection:
        take_messages(connection, queue, NOW, limit=1, visibility=timedelta(minutes=15))
    maintain(pool, LATER)
    assert counts(build, "fetches", queue.value, "runs") == {"fetches": 1, queue.value: 1, "runs": 1}


def test_a_fetch_that_is_running_or_was_attempted_lately_stays(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    run(build, pool)
    ids = [fetch_id for (fetch_id,) in build.rows("select id from fetches order by id")]
    build.run("update runs set ended_at = null")
    claim(pool, ids[0])
    remove_old_messages(pool, SETTINGS, LATER)
    # As if the second fetch had been cleared and made again the day before.
    build.run(
        "update fetch_attempts set finished_at = %(moment)s where fetch_id = %(id)s",
        moment=LATER - timedelta(days=1),
        id=ids[1],
    )
    build.run(
        """
        update tracked_accounts
        set last_scraped_at = %(moment)s
        from fetch_allocations
        where tracked_account_id = tracked_accounts.id and fetch_id = %(id)s
        """,
        moment=LATER - timedelta(days=1),
        id=ids[1],
    )
    remove_old_runs(pool, SETTINGS, LATER)
    assert [fetch_id for (fetch_id,) in build.rows("select id from fetches order by id")] == ids[:2]
    build.run("update runs set expires_at = now() + interval '1 hour'")


def test_imported_runs_stay_because_imported_statistics_are_told_by_them(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    run(build, pool)
    build.run("update runs set deployment = 'imported'")
    maintain(pool, LATER)
    assert counts(build, "fetches", "runs") == {"fetches": 3, "runs": 1}
    build.run("update runs set deployment = 'test'")
    maintain(pool, LATER)


def test_a_run_that_owns_a_pending_initial_fetch_stays(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    tracked = run(build, pool)
    build.run(
        """
        update tracked_accounts
        set pending_initial_fetch = true, initial_videos_fetched = false, initial_fetch_run_id = (select id from runs)
        where id = %(id)s
        """,
        id=tracked.tracking_id,
    )
    maintain(pool, LATER)
    assert counts(build, "runs") == {"runs": 1}
    build.run("update tracked_accounts set pending_initial_fetch = false, initial_videos_fetched = true")
    maintain(pool, LATER)
    assert counts(build, "runs") == {"runs": 0}
    assert build.value("select count(*) from tracked_accounts where initial_fetch_run_id is null") == 3


def test_finished_and_parked_messages_go_after_their_own_time(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    run(build, pool, daily=2)
    build.run(
        "update thumbnail_queue set done_at = null, parked_at = now(), last_error = 'dead' "
        "where id = (select min(id) from thumbnail_queue)"
    )
    build.run(
        """
        update videos set thumbnail_path = null
        where id in (select video_id from thumbnail_queue where done_at is null)
        """
    )
    assert remove_old_messages(pool, SETTINGS, NOW + timedelta(days=8)) == {
        "high_priority_queue": 1,
        "thumbnail_queue": 5,
        "idempotency_keys": 0,
    }
    assert remove_old_messages(pool, SETTINGS, LATER)["thumbnail_queue"] == 1


def test_expired_idempotency_keys_go(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    for hours in (1, 25):
        build.run(
            """
            insert into idempotency_keys (user_id, route, key, body_digest, receipt, started_at)
            values (gen_random_uuid(), '/', %(key)s, '', gen_random_uuid(), now() - make_interval(hours => %(hours)s))
            """,
            key=f"{hours}",
            hours=hours,
        )
    assert remove_old_messages(pool, SETTINGS, NOW)["idempotency_keys"] == 1
    assert build.value("select key from idempotency_keys") == "1"


def test_statistics_of_one_platform_go_and_those_of_the_others_stay_for_ever(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    run(build, pool)
    today = NOW.date()
    build.run("delete from video_statistics")
    ages = (0, 29, 30, 31, 400, 2000)
    with pool.connection() as connection:
        # The rows that are 2,000 days old are in the default partition.
        create_partition(connection, month_of(today - timedelta(days=400)))
    for platform in Platform:
        for age in ages:
            statistics_on(build, today - timedelta(days=age), platform)
    removed = remove_old_statistics(pool, Settings(youtube_statistics_days=30), today)
    assert removed == {"months": 0, "postponed": 0, "rows": 3, "readers": 0}
    assert days(build, Platform.YOUTUBE) == [today - timedelta(days=age) for age in (30, 29, 0)]
    for platform in (Platform.TIKTOK, Platform.INSTAGRAM):
        assert days(build, platform) == [today - timedelta(days=age) for age in reversed(ages)]


def test_readers_of_removed_statistics_go_and_members_read_exactly_the_statistics_that_are_left(
    build: DatabaseBuilder, pool: ConnectionPool, admin: Connection
) -> None:
    today = NOW.date()
    old, young = today - timedelta(days=40), today - timedelta(days=20)
    organizations = [run(build, pool, runs=2).organization_id for _ in range(2)]
    for day, which in ((old, "min"), (young, "max")):
        for table, column in (("fetches", "id"), ("fetch_allocations", "fetch_id"), ("video_statistics", "fetch_id")):
            build.run(
                f"""
                update {table} set fetched_on = %(day)s
                where {column} in (select {which}(id) from fetches group by blogger_id)
                """,  # noqa: S608 - names of this test
                day=day.isoformat(),
            )
    took_part = build.rows("select fetch_id, organization_id from fetch_allocations")
    remove_old_messages(pool, SETTINGS, LATER)
    remove_old_runs(pool, SETTINGS, LATER)
    readers = "select platform, fetched_on, count(*) from statistics_readers group by 1, 2 order by 1, 2"
    kept = [(platform, day, 2) for platform in sorted(Platform) for day in (old, young)]
    assert build.rows(readers) == kept

    limits = Settings(tiktok_statistics_days=30)
    assert remove_old_statistics(pool, limits, today) == {"months": 0, "postponed": 0, "rows": 20, "readers": 2}
    assert remove_old_statistics(pool, limits, today) == {"months": 0, "postponed": 0, "rows": 0, "readers": 0}
    assert build.rows(readers) == [each for each in kept if each != (Platform.TIKTOK, old, 2)]
    left = build.rows("select fetch_id, count(*) from video_statistics group by 1 order by 1")
    for organization in organizations:
        with signed_in(admin, build.member(organization)) as member:
            seen = member.execute("select fetch_id, count(*) from video_statistics group by 1 order by 1").fetchall()
        assert seen == [(fetch_id, rows) for fetch_id, rows in left if (fetch_id, organization) in took_part]


def test_a_month_that_is_over_for_all_platforms_is_dropped_and_its_neighbour_stays(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    run(build, pool)
    build.run("delete from video_statistics")
    first, second = date(2024, 1, 31), date(2024, 2, 1)
    for day in (first, second):
        with pool.connection() as connection:
            create_partition(connection, month_of(day))
        statistics_on(build, day, Platform.TIKTOK)
    today = date(2024, 3, 2)
    assert remove_old_statistics(pool, MONTH_LIMITS, today) == {"months": 1, "postponed": 0, "rows": 0, "readers": 0}
    assert days(build, Platform.TIKTOK) == [second]
    assert remove_old_statistics(pool, MONTH_LIMITS, today + timedelta(days=1))["rows"] == 1
    with pool.connection() as connection:
        assert date(2024, 1, 1) not in [month.first_day for month in read_partition_months(connection)]


def test_no_month_is_dropped_while_one_platform_is_kept_for_ever(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    run(build, pool)
    with pool.connection() as connection:
        create_partition(connection, month_of(date(2024, 1, 31)))
    limits = Settings(instagram_statistics_days=30, youtube_statistics_days=30)
    assert remove_old_statistics(pool, limits, NOW.date())["months"] == 0


def test_the_months_ahead_and_those_of_the_default_partition_get_partitions(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    run(build, pool)
    build.run("update video_statistics set fetched_on = '2050-05-05'")
    today = date(2040, 1, 15)
    assert prepare_partitions(pool, today) == {"created": 5, "postponed": 0}
    assert prepare_partitions(pool, today) == {"created": 0, "postponed": 0}
    with pool.connection() as connection:
        months = read_partition_months(connection)
    assert {*months_ahead(today), month_of(date(2050, 5, 5))} <= set(months)
    assert build.value("select count(*) from video_statistics_default") == 0


def refuse_to_move(build: DatabaseBuilder, day: date, condition: str) -> None:
    """Let the rows of a day stay in the default partition: moving them raises an error of Postgres."""
    build.run("update video_statistics set fetched_on = %(day)s::date", day=day.isoformat())
    build.run(
        f"""
        create function refuse() returns trigger language plpgsql as $$
        begin
            raise exception 'refused' using errcode = '{condition}';
        end
        $$
        """
    )
    build.run("create trigger refuse before delete on video_statistics_default for each row execute function refuse()")


def test_a_month_that_takes_too_long_to_move_is_postponed_and_told(
    build: DatabaseBuilder, pool: ConnectionPool, caplog: pytest.LogCaptureFixture
) -> None:
    run(build, pool)
    refuse_to_move(build, date(2039, 5, 5), "query_canceled")
    assert prepare_partitions(pool, date(2040, 1, 15)) == {"created": 4, "postponed": 1}
    assert "partition for 2039-05-01 was not changed" in caplog.text
    assert "database_timeout_seconds" in caplog.text
    assert build.value("select count(*) from video_statistics_default") > 0
    build.run("drop trigger refuse on video_statistics_default")
    assert prepare_partitions(pool, date(2040, 1, 15)) == {"created": 1, "postponed": 0}


def test_a_month_that_takes_too_long_to_drop_is_postponed_without_a_word_about_moved_rows(
    build: DatabaseBuilder, pool: ConnectionPool, caplog: pytest.LogCaptureFixture
) -> None:
    run(build, pool)
    with pool.connection() as connection:
        create_partition(connection, month_of(date(2024, 1, 31)))
    build.run(
        """
        create function refuse() returns event_trigger language plpgsql as $$
        begin
            raise exception 'refused' using errcode = 'query_canceled';
        end
        $$
        """
    )
    build.run("create event trigger refuse on sql_drop execute function refuse()")
    counts = remove_old_statistics(pool, MONTH_LIMITS, date(2024, 3, 2))
    assert counts == {"months": 0, "postponed": 1, "rows": 0, "readers": 0}
    (error,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert "partition for 2024-01-01 was not changed" in error
    assert "The month's rows are kept." in error
    assert "default partition" not in error


def test_the_months_ahead_have_partitions_before_rows_of_earlier_months_are_moved(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    run(build, pool)
    refuse_to_move(build, date(2039, 5, 5), "disk_full")
    today = date(2040, 1, 15)
    with pytest.raises(DiskFull):
        prepare_partitions(pool, today)
    with pool.connection() as connection:
        assert {*months_ahead(today)} <= set(read_partition_months(connection))


def test_a_month_whose_table_is_in_use_is_left_to_the_next_maintenance(
    build: DatabaseBuilder, pool: ConnectionPool, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blogger_tracking.database.statistics_partitions.LOCK_SECONDS", 0.1)
    run(build, pool)
    with admin.transaction():
        admin.execute("select from video_statistics")
        assert prepare_partitions(pool, date(2040, 1, 1)) == {"created": 0, "postponed": 4}
        assert remove_old_statistics(pool, MONTH_LIMITS, date(2040, 1, 1))["months"] == 0
    assert prepare_partitions(pool, date(2040, 1, 1)) == {"created": 4, "postponed": 0}
    assert remove_old_statistics(pool, MONTH_LIMITS, date(2040, 1, 1))["months"] > 0


@pytest.mark.parametrize("table", ["fetches", "run_accounts", "runs", "youtube_units", "thumbnail_queue"])
def test_rows_that_another_transaction_has_locked_are_left_to_the_next_maintenance(
    build: DatabaseBuilder, pool: ConnectionPool, admin: Connection, table: str
) -> None:
    run(build, pool)
    before = counts(build, table)
    with admin.transaction():
        admin.execute(f"select from {table} for update".encode())
        maintain(pool, LATER)
    assert counts(build, table) == before
    maintain(pool, LATER)
    assert counts(build, table) == {table: 0}


def test_statistics_that_another_transaction_has_locked_are_left_to_the_next_maintenance(
    build: DatabaseBuilder, pool: ConnectionPool, admin: Connection
) -> None:
    run(build, pool)
    maintain(pool, LATER)
    limits = Settings(tiktok_statistics_days=1)
    with admin.transaction():
        admin.execute("select from video_statistics for update")
        admin.execute("select from statistics_readers for update")
        removed = remove_old_statistics(pool, limits, LATER.date())
        assert (removed["rows"], removed["readers"]) == (0, 0)
    removed = remove_old_statistics(pool, limits, LATER.date())
    assert (removed["rows"], removed["readers"]) == (10, 1)
    assert days(build, Platform.TIKTOK) == []


def test_a_connection_is_held_for_one_step_because_the_pool_closes_one_that_is_held_for_long(
    build: DatabaseBuilder, pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(build, pool, runs=10)
    monkeypatch.setattr(maintain_database, "ROWS_PER_STEP", 5)
    monkeypatch.setattr(maintain_database, "FETCHES_PER_STEP", 5)
    get, taken = pool.getconn, 0

    def count(timeout: float | None = None) -> Connection:
        nonlocal taken
        taken += 1
        return get(timeout)

    monkeypatch.setattr(pool, "getconn", count)
    # Each step removes five rows at most.
    removals: tuple[Callable[[], int], ...] = (
        lambda: remove_old_messages(pool, SETTINGS, LATER)["thumbnail_queue"],
        lambda: remove_old_runs(pool, SETTINGS, LATER)["fetches"],
        lambda: remove_old_statistics(pool, Settings(tiktok_statistics_days=30), LATER.date())["rows"],
    )
    for remove in removals:
        taken = 0
        removed = remove()
        assert removed > 0
        assert taken > removed / 5


def test_a_maintenance_stops_when_its_time_is_spent_and_the_next_one_continues(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    run(build, pool)
    remove_old_messages(pool, SETTINGS, LATER)
    assert remove_old_runs(pool, SETTINGS, LATER, seconds=0) == {
        "fetches": 0,
        "run_accounts": 0,
        "youtube_units": 0,
        "runs": 0,
    }
    assert remove_old_runs(pool, SETTINGS, LATER)["fetches"] == 3


def test_a_maintenance_that_is_killed_and_two_at_once_afterwards_remove_everything_once(
    build: DatabaseBuilder, pool: ConnectionPool, admin: Connection, pipeline_conninfo: str
) -> None:
    run(build, pool, runs=8)
    settings = Settings(tiktok_statistics_days=30)
    arguments = [pipeline_conninfo, LATER.isoformat(), settings.model_dump_json()]
    with subprocess.Popen(
        [sys.executable, maintenance_process.__file__, *arguments],
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
    ) as process:
        # Each fetch is a step of its own.
        wait_until(lambda: build.value("select count(*) from fetches") < 20)
        process.kill()
    assert not any(check_invariants(admin).values())
    left = build.value("select count(*) from fetches")

    with ThreadPoolExecutor(2) as executor:
        both = list(executor.map(lambda _: remove_old_runs(pool, settings, LATER), range(2)))
        list(executor.map(lambda _: remove_old_statistics(pool, settings, LATER.date()), range(2)))
    # The process may have removed one more between the count and its end.
    assert left - 1 <= sum(each["fetches"] for each in both) <= left
    maintain(pool, LATER, settings)
    assert counts(build, *LEDGER) == dict.fromkeys(LEDGER, 0)
    assert days(build, Platform.TIKTOK) == []
    assert days(build, Platform.INSTAGRAM) != []
    assert build.value("select sum(removed_charges) from subscription_usage") == 8 * 30


def test_fetches_that_go_on_meanwhile_do_not_fail(
    build: DatabaseBuilder, pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintain_database, "FETCHES_PER_STEP", 1)
    tracked = run(build, pool, runs=10)
    remove_old_messages(pool, SETTINGS, LATER)
    build.run(
        "update runs set planned_at = planned_at - %(age)s::interval, expires_at = expires_at - %(age)s::interval",
        age="100 days",
    )
    build.run("update youtube_units set pacific_day = pacific_day - 100")
    build.run("update fetch_attempts set finished_at = finished_at - interval '100 days'")

    def fetch(runs: int) -> int:
        settled = 0
        for _ in range(runs):
            key = new_key()
            for fetch_id in fetch_ids(pool, plan(pool, key, RunScope(organizations=(tracked.organization_id,)))):
                succeed(pool, claim(pool, fetch_id), returned=10)
                settled += 1
            finish_run(pool, key, 0.2)
        return settled

    with ThreadPoolExecutor(2) as executor:
        fetching = executor.submit(fetch, 5)
        removing = executor.submit(remove_old_runs, pool, SETTINGS, NOW)
        assert fetching.result() == 15
        assert removing.result()["fetches"] == 30
    assert counts(build, "fetches", "runs") == {"fetches": 15, "runs": 5}


def test_the_pipelines_login_may_not_drop_the_table_of_the_statistics(pool: ConnectionPool) -> None:
    with pool.connection() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("drop table blogger_tracking.video_statistics")
