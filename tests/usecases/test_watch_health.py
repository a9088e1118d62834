"""Alerts from the database's rows: each begins once, ends once, and is sent once for either."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from psycopg_pool import ConnectionPool

from blogger_tracking.database.alerts import AlertNews
from blogger_tracking.database.fetch_settlement import FetchOutcome
from blogger_tracking.database.health import WatchedRuns
from blogger_tracking.database.message_queues import release_messages, take_messages
from blogger_tracking.database.platform_suspensions import suspend_platform
from blogger_tracking.database.runs import RunKey
from blogger_tracking.database.youtube_units import record_units
from blogger_tracking.domain.alerts import ALERTS_LOGGER
from blogger_tracking.domain.health import AlertName
from blogger_tracking.domain.ledger import FetchState, RequestUse
from blogger_tracking.domain.metrics import Measurement
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.queues import Queue
from blogger_tracking.settings import Settings
from blogger_tracking.usecases.end_runs import end_dead_runs, end_run
from blogger_tracking.usecases.finish_run import finish_run
from blogger_tracking.usecases.store_thumbnails import STORAGE_PAUSE
from blogger_tracking.usecases.watch_health import describe, watch_health
from tests.support.database_builder import DatabaseBuilder
from tests.support.ledger_steps import claim, fetch_ids, plan, settle, succeed
from tests.support.queue_steps import queue_thumbnails

DAG_ID = "blogger_batch_fetch"
WATCH_LOGGER = "blogger_tracking.usecases.watch_health"
KEY = RunKey("test", DAG_ID, "scheduled__2026-05-05T12:00:00+00:00")


class Watch:
    """Looks at the test's database; `sent` is what a notifier got, as name, subject and whether it is an end."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self.sent: list[tuple[str, str, bool]] = []
        self.messages: list[str] = []
        self.failing = False

    def notify(self, news: AlertNews) -> None:
        if self.failing:
            raise ConnectionError("the channel is down")
        self.sent.append((news.name, news.subject, news.ended_at is not None))
        self.messages.append(describe(news))

    def look(
        self,
        *,
        later: timedelta = timedelta(),
        due: timedelta | None = None,
        notifiers: list[Callable[[AlertNews], None]] | None = None,
    ) -> list[Measurement]:
        """Look at a time `later` than now, when the newest run that matters was due `due` before now."""
        now = datetime.now(UTC)
        watched = WatchedRuns("test", DAG_ID, None if due is None else now - due)
        settings = Settings(alert_run_minutes=180)
        return watch_health(
            self._pool, watched, settings, now + later, [self.notify] if notifiers is None else notifiers
        )


@pytest.fixture
def watch(pool: ConnectionPool) -> Watch:
    return Watch(pool)


def test_a_healthy_system_sends_nothing(watch: Watch, build: DatabaseBuilder) -> None:
    build.track(build.organization())
    watch.look(due=timedelta(hours=4))
    assert watch.sent == []
    assert build.value("select count(*) from alerts") == 0


def suspension(build: DatabaseBuilder, pool: ConnectionPool) -> Iterator[timedelta]:
    del build
    with pool.connection() as connection:
        suspend_platform(connection, Platform.TIKTOK, datetime.now(UTC) + timedelta(hours=1), "invalid_credentials")
    yield timedelta()
    yield timedelta(hours=1)


def failed_run(build: DatabaseBuilder, pool: ConnectionPool) -> Iterator[timedelta]:
    build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool, KEY))
    settle(pool, claim(pool, fetch_id), FetchOutcome(FetchState.FAILED, reason="no key"))
    finish_run(pool, KEY, 0.2)
    yield timedelta()
    succeed(pool, claim(pool, fetch_id), 3)
    finish_run(pool, KEY, 0.2)
    yield timedelta()


def run_without_gate(build: DatabaseBuilder, pool: ConnectionPool) -> Iterator[timedelta]:
    build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool, KEY))
    succeed(pool, claim(pool, fetch_id), 3)
    build.run("update runs set expires_at = clock_timestamp()")
    yield timedelta()
    finish_run(pool, KEY, 0.2)
    yield timedelta()


def dead_run(build: DatabaseBuilder, pool: ConnectionPool) -> Iterator[timedelta]:
    build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool, KEY))
    succeed(pool, claim(pool, fetch_id), 3)
    end_dead_runs(pool, "test", lambda *_: 0)
    yield timedelta()
    finish_run(pool, KEY, 0.2)
    yield timedelta()


def late_run(build: DatabaseBuilder, pool: ConnectionPool) -> Iterator[timedelta]:
    build.run(
        """
        insert into runs (deployment, dag_id, dag_run_id, planned_at, expires_at, ended_at, active_accounts)
        select 'test', 'blogger_batch_fetch', 'scheduled__0', moment, moment, moment, 0
        from (select now() - interval '16 hours') as earlier (moment)
        """
    )
    yield timedelta()
    build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool, KEY))
    succeed(pool, claim(pool, fetch_id), 3)
    finish_run(pool, KEY, 0.2)
    yield timedelta()


def expired_lease(build: DatabaseBuilder, pool: ConnectionPool) -> Iterator[timedelta]:
    build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool, KEY))
    claim(pool, fetch_id)
    yield timedelta(minutes=11)
    succeed(pool, claim(pool, fetch_id), 3)
    yield timedelta(minutes=11)


def waiting_fetches(build: DatabaseBuilder, pool: ConnectionPool) -> Iterator[timedelta]:
    build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool, KEY))
    yield timedelta(minutes=16)
    succeed(pool, claim(pool, fetch_id), 3)
    yield timedelta(minutes=16)


def waiting_queue(build: DatabaseBuilder, pool: ConnectionPool) -> Iterator[timedelta]:
    queue_thumbnails(build, pool, ["https://example.org/1.jpg"])
    build.run("update runs set ended_at = clock_timestamp()")
    yield timedelta(minutes=61)
    build.run("update thumbnail_queue set done_at = now()")
    yield timedelta(minutes=61)


def dead_storage(build: DatabaseBuilder, pool: ConnectionPool) -> Iterator[timedelta]:
    queue_thumbnails(build, pool, ["https://example.org/1.jpg"])
    build.run("update runs set ended_at = clock_timestamp()")
    moment = datetime.now(UTC)
    for _ in range(13):
        with pool.connection() as connection:
            delivery = take_messages(connection, Queue.THUMBNAILS, moment, limit=10, visibility=timedelta(minutes=15))
            release_messages(connection, Queue.THUMBNAILS, delivery, moment + STORAGE_PAUSE, "refused")
        moment += STORAGE_PAUSE
    yield timedelta(minutes=61)
    build.run("update thumbnail_queue set done_at = now()")
    yield timedelta(minutes=61)


def nothing_fetched(build: DatabaseBuilder, pool: ConnectionPool) -> Iterator[timedelta]:
    del pool
    build.track(build.organization())
    yield timedelta(hours=24)
    build.run("update tracked_accounts set last_scraped_at = now() + interval '1 hour'")
    yield timedelta(hours=24)


def spent_units(build: DatabaseBuilder, pool: ConnectionPool) -> Iterator[timedelta]:
    with pool.connection() as connection:
        record_units(connection, datetime.now(UTC), {RequestUse.LISTING: 9000})
    yield timedelta()
    build.run("update youtube_units set pacific_day = pacific_day - 1")
    yield timedelta()


CAUSES = [
    (AlertName.PLATFORM_SUSPENDED, "TikTok", suspension),
    (AlertName.RUN_FAILED, KEY.dag_run_id, failed_run),
    (AlertName.RUN_FAILED, KEY.dag_run_id, run_without_gate),
    (AlertName.RUN_FAILED, KEY.dag_run_id, dead_run),
    (AlertName.RUN_LATE, "", late_run),
    (AlertName.INSTANCES_STUCK, KEY.dag_run_id, expired_lease),
    (AlertName.INSTANCES_STUCK, KEY.dag_run_id, waiting_fetches),
    (AlertName.QUEUE_WAITING, "thumbnail_queue", waiting_queue),
    (AlertName.QUEUE_WAITING, "thumbnail_queue", dead_storage),
    (AlertName.NOTHING_FETCHED, "", nothing_fetched),
    (AlertName.YOUTUBE_UNITS_LOW, "", spent_units),
]
"""Each condition with its subject, and a function that brings the condition about and then ends it.

The function yields the time that passes until the look.
"""


@pytest.mark.parametrize(("name", "subject", "cause"), CAUSES, ids=[cause.__name__ for *_, cause in CAUSES])
def test_an_alert_is_sent_once_when_it_begins_and_once_when_it_ends(
    watch: Watch,
    build: DatabaseBuilder,
    pool: ConnectionPool,
    name: AlertName,
    subject: str,
    cause: Callable[[DatabaseBuilder, ConnectionPool], Iterator[timedelta]],
) -> None:
    due = timedelta(hours=4) if name is AlertName.RUN_LATE else None
    steps = cause(build, pool)
    begun = next(steps)
    for _ in range(3):
        watch.look(later=begun, due=due)
    assert watch.sent == [(name, subject, False)]
    over = next(steps)
    for _ in range(3):
        watch.look(later=over, due=due)
    assert watch.sent == [(name, subject, False), (name, subject, True)]
    assert watch.messages[1].endswith(f" minutes: {watch.messages[0]}")
    assert watch.messages[1].startswith("Over after ")


def test_every_alert_is_made_to_begin_and_to_end() -> None:
    assert {name for name, *_ in CAUSES} == set(AlertName)


def test_a_condition_that_comes_back_is_sent_again(watch: Watch, build: DatabaseBuilder, pool: ConnectionPool) -> None:
    for _ in range(2):
        with pool.connection() as connection:
            suspend_platform(connection, Platform.TIKTOK, datetime.now(UTC) + timedelta(hours=1), "any")
        watch.look()
        build.run("delete from platform_suspensions")
        watch.look()
    assert [is_end for *_, is_end in watch.sent] == [False, True, False, True]


def test_a_second_red_run_is_news_and_ends_the_news_of_the_first(
    watch: Watch, build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    later = replace(KEY, dag_run_id="later")
    build.track(build.organization())
    for key in (KEY, later):
        (fetch_id,) = fetch_ids(pool, plan(pool, key))
        settle(pool, claim(pool, fetch_id), FetchOutcome(FetchState.FAILED, reason="no key"))
        finish_run(pool, key, 0.2)
        watch.look()
    assert watch.sent == [
        (AlertName.RUN_FAILED, KEY.dag_run_id, False),
        (AlertName.RUN_FAILED, KEY.dag_run_id, True),
        (AlertName.RUN_FAILED, "later", False),
    ]


def test_the_end_for_one_platform_is_not_the_end_for_another(
    watch: Watch, build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    with pool.connection() as connection:
        for platform in (Platform.TIKTOK, Platform.YOUTUBE):
            suspend_platform(connection, platform, datetime.now(UTC) + timedelta(hours=1), "any")
    watch.look()
    build.run("delete from platform_suspensions where platform = 'TikTok'")
    watch.look()
    assert [(subject, is_end) for _, subject, is_end in watch.sent] == [
        ("TikTok", False),
        ("YouTube", False),
        ("TikTok", True),
    ]


def test_two_deployments_on_one_database_have_alerts_of_their_own(
    watch: Watch, build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    with pool.connection() as connection:
        suspend_platform(connection, Platform.TIKTOK, datetime.now(UTC) + timedelta(hours=1), "any")
    watch.look()
    other = WatchedRuns("other", DAG_ID, None)
    watch_health(pool, other, Settings(), datetime.now(UTC) + timedelta(hours=2), [watch.notify])
    assert build.rows("select deployment, ended_at from alerts") == [("test", None)]


def test_news_waits_for_a_notifier_that_works_and_one_that_works_is_enough(
    watch: Watch, build: DatabaseBuilder, pool: ConnectionPool, caplog: pytest.LogCaptureFixture
) -> None:
    with pool.connection() as connection:
        suspend_platform(connection, Platform.TIKTOK, datetime.now(UTC) + timedelta(hours=1), "any")

    def broken(news: AlertNews) -> None:
        raise ConnectionError(news.name)

    watch.look(notifiers=[broken])
    assert build.value("select begin_sent_at from alerts") is None
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert caplog.records[0].getMessage().startswith("A notifier did not send the alert platform_suspended: TikTok is")
    for _ in range(2):
        watch.look(notifiers=[broken, watch.notify])
    assert watch.sent == [("platform_suspended", "TikTok", False)]


def test_a_condition_that_ended_before_it_was_sent_is_never_sent(
    watch: Watch, build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    watch.failing = True
    with pool.connection() as connection:
        suspend_platform(connection, Platform.TIKTOK, datetime.now(UTC) + timedelta(hours=1), "any")
    watch.look()
    build.run("delete from platform_suspensions")
    watch.look()
    watch.failing = False
    watch.look()
    assert watch.sent == []


def test_without_a_notifier_the_log_has_each_alert_once_and_sentry_those_whose_cause_it_does_not_have(
    watch: Watch, pool: ConnectionPool, caplog: pytest.LogCaptureFixture
) -> None:
    with pool.connection() as connection:
        suspend_platform(connection, Platform.TIKTOK, datetime.now(UTC) + timedelta(hours=1), "any")
        record_units(connection, datetime.now(UTC), {RequestUse.LISTING: 9000})
    for _ in range(2):
        watch.look(notifiers=[])
    warnings = [(record.name == ALERTS_LOGGER, record.getMessage()[:7]) for record in caplog.records]
    assert warnings == [(False, "TikTok "), (True, "9000 of")]


def test_a_run_that_was_marked_by_hand_has_not_failed(
    watch: Watch, build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool, KEY))
    succeed(pool, claim(pool, fetch_id), 3)
    end_run(pool, KEY)
    watch.look()
    assert watch.sent == []


@pytest.mark.parametrize(
    ("cause", "loggers"),
    [(failed_run, [WATCH_LOGGER]), (run_without_gate, [ALERTS_LOGGER]), (dead_run, [ALERTS_LOGGER])],
)
def test_sentry_gets_a_failed_run_from_the_watch_unless_the_gate_has_reported_it(
    watch: Watch,
    build: DatabaseBuilder,
    pool: ConnectionPool,
    caplog: pytest.LogCaptureFixture,
    cause: Callable[[DatabaseBuilder, ConnectionPool], Iterator[timedelta]],
    loggers: list[str],
) -> None:
    next(cause(build, pool))
    caplog.clear()
    watch.look(notifiers=[])
    assert [record.name for record in caplog.records] == loggers


def gauges(measurements: list[Measurement]) -> dict[tuple[str, ...], float]:
    return {
        (each.metric.name.removeprefix("blogger_tracking."), *each.tags.values()): each.value for each in measurements
    }


def test_the_gauges_are_those_of_the_database(watch: Watch, build: DatabaseBuilder, pool: ConnectionPool) -> None:
    queue_thumbnails(build, pool, ["https://example.org/1.jpg", "https://example.org/2.jpg"])
    build.run("update runs set ended_at = clock_timestamp()")
    organization = build.value("select id from organizations")
    build.track(organization, platform="YouTube")
    with pool.connection() as connection:
        suspend_platform(connection, Platform.YOUTUBE, datetime.now(UTC) + timedelta(hours=9), "any")
        record_units(connection, datetime.now(UTC), {RequestUse.LISTING: 40})
    found = gauges(watch.look(later=timedelta(minutes=5)))
    ages = {name: found.pop(name) for name in list(found) if name[0].endswith("_age")}
    assert found == {
        ("platform_suspended", "TikTok"): 0,
        ("platform_suspended", "Instagram"): 0,
        ("platform_suspended", "YouTube"): 1,
        ("queue_messages", "high_priority_queue"): 0,
        ("queue_parked", "high_priority_queue"): 0,
        ("queue_messages", "thumbnail_queue"): 2,
        ("queue_parked", "thumbnail_queue"): 0,
        ("youtube_units_spent",): 40,
        ("youtube_units_left",): 9960,
        ("quota_left", str(organization)): 998,
        ("alerts_open",): 1,
    }
    # OpenTelemetry refuses a batch with a boolean.
    assert {type(value) for value in found.values()} == {int}
    assert ages["queue_oldest_age", "high_priority_queue"] == 0
    for waiting in (
        ("queue_oldest_age", "thumbnail_queue"),
        ("account_oldest_age", "TikTok"),
        ("account_oldest_age", "YouTube"),
    ):
        assert 300 <= ages[waiting] < 330
