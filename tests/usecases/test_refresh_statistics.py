"""Rules of the consumer of the high priority queue, with YouTube's units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from math import ceil

import pytest
from psycopg_pool import ConnectionPool

from blogger_tracking.database.fetch_settlement import FetchOutcome
from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.database.run_plans import RunScope
from blogger_tracking.database.youtube_units import read_run_units
from blogger_tracking.domain.alerts import ALERTS_LOGGER
from blogger_tracking.domain.ledger import FetchState, RequestUse
from blogger_tracking.domain.models import Platform, YouTubeVideo
from blogger_tracking.domain.youtube_quota import next_quota_reset
from blogger_tracking.platforms import PlatformConfig, create_service
from blogger_tracking.platforms.youtube import YouTubeService
from blogger_tracking.settings import Settings
from blogger_tracking.usecases.fetch_blogger import FetchServices, fetch_blogger
from blogger_tracking.usecases.refresh_statistics import StatisticsRefresher
from devtools.platform_sandbox import CreatorKind, Fault, FaultKind, SandboxServer
from tests.support.database_builder import DatabaseBuilder
from tests.support.ledger_steps import claim, fetch_ids, plan, settle
from tests.support.platform_accounts import KEY
from tests.support.queue_steps import ShiftedClock, plan_one, queue_videos
from tests.support.sandbox_client import NOON
from tests.support.scripted_server import Scripted, ScriptedServer
from tests.support.youtube_ids import newest_ids


class Consumer:
    """Runs a consumer against the platform sandbox until the queue is empty."""

    def __init__(self, pool: ConnectionPool, youtube: YouTubeService, clock: ShiftedClock) -> None:
        self.pool = pool
        self.youtube = youtube
        self.clock = clock

    def run(self, **changed: object) -> Counter[str]:
        settings = Settings.model_validate({"statistics_threads": 2, "queue_seconds_per_run": 30} | changed)
        return StatisticsRefresher(self.pool, self.youtube, settings, self.clock.clock).run()


@pytest.fixture
def consumer(pool: ConnectionPool, youtube: YouTubeService, clock: ShiftedClock) -> Consumer:
    return Consumer(pool, youtube, clock)


@pytest.fixture(autouse=True)
def invariants_hold(pool: ConnectionPool) -> Iterator[None]:
    yield
    with pool.connection() as connection:
        assert not any(check_invariants(connection).values())


def video_calls(sandbox: SandboxServer) -> int:
    return sandbox.request_count("YouTube", "videos")


def videos_with_statistics(build: DatabaseBuilder) -> int:
    count: int = build.value("select count(*) from video_statistics where views is not null")
    return count


def open_messages(build: DatabaseBuilder) -> list[tuple[int, datetime]]:
    return build.rows("select attempts, visible_at from high_priority_queue where done_at is null order by id")


@pytest.mark.parametrize("queued", [49, 50, 51, 120])
def test_queued_videos_are_requested_in_as_few_calls_as_possible(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer, queued: int
) -> None:
    queue_videos(build, consumer.pool, newest_ids(sandbox, queued))
    assert consumer.run() == {"calls": ceil(queued / 50), "videos": queued, "unseen": 0}
    assert video_calls(sandbox) == ceil(queued / 50)
    assert sandbox.log.max_video_ids <= 50
    assert videos_with_statistics(build) == queued
    assert not open_messages(build)


def test_calls_are_filled_across_bloggers(build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer) -> None:
    for creator in range(5):
        queue_videos(build, consumer.pool, newest_ids(sandbox, 20, creator))
    consumer.run()
    assert (video_calls(sandbox), videos_with_statistics(build)) == (2, 100)


def test_a_run_costs_no_more_units_than_its_bloggers_and_videos_need(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer
) -> None:
    bloggers, videos = 3, 60
    organization = build.organization(daily=videos)
    for creator in islice(sandbox.world.creators("YouTube", CreatorKind.NORMAL), bloggers):
        build.track(organization, build.blogger("YouTube", external_id=creator.external_id))
    run = plan(consumer.pool)
    for fetch_id in fetch_ids(consumer.pool, run):
        fetch_blogger(FetchServices(consumer.pool, {Platform.YOUTUBE: consumer.youtube}), fetch_id)
        consumer.run(queue_seconds_per_run=0)
    consumer.run()
    assert videos_with_statistics(build) == bloggers * videos
    with consumer.pool.connection() as connection:
        units = read_run_units(connection, run.run_id)
    assert units == {
        RequestUse.LISTING: bloggers * ceil(videos / 50),
        RequestUse.STATISTICS: ceil(bloggers * videos / 50),
    }
    assert sum(units.values()) == sandbox.youtube_units


def test_hidden_counts_are_saved_as_null_and_date_and_length_as_returned(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer
) -> None:
    video_ids = newest_ids(sandbox, 50)
    looked_up = consumer.youtube.get_videos(video_ids)
    hidden = next(video for video in looked_up.values() if video.statistics and video.statistics.likes is None)
    queue_videos(build, consumer.pool, video_ids)
    consumer.run()
    row = """
        select views, likes, reposts, published_at, duration_seconds
        from videos join video_statistics on video_id = id where external_video_id = %(id)s
    """
    assert hidden.statistics
    assert build.rows(row, id=hidden.external_video_id) == [
        (hidden.statistics.views, None, None, hidden.published_at, hidden.duration_seconds)
    ]
    assert hidden.duration_seconds


def test_a_changed_publication_date_is_saved(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer
) -> None:
    video_ids = newest_ids(sandbox, 1)
    queue_videos(build, consumer.pool, video_ids)
    consumer.run()
    build.run("update videos set published_at = '2020-01-01'")
    queue_videos(build, consumer.pool, video_ids)
    consumer.run()
    assert (
        build.value("select published_at from videos")
        == consumer.youtube.get_videos(video_ids)[video_ids[0]].published_at
    )


def test_videos_missing_from_the_response_are_acknowledged_and_recorded_as_unseen(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer
) -> None:
    private = newest_ids(sandbox, 2, kind=CreatorKind.PRIVATE)
    queue_videos(build, consumer.pool, [*newest_ids(sandbox, 3), *private, "deleted-vid"])
    assert consumer.run() == {"calls": 1, "videos": 6, "unseen": 3}
    assert videos_with_statistics(build) == 3
    unseen = build.rows("select external_video_id from videos where unseen_at is not null and removed_at is null")
    assert {video_id for (video_id,) in unseen} == {*private, "deleted-vid"}
    assert not open_messages(build)


def test_a_video_counts_as_removed_after_three_lookups_without_it_until_youtube_returns_it(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer
) -> None:
    video_ids = newest_ids(sandbox, 1)
    sandbox.clock.set(datetime(2015, 1, 1, tzinfo=UTC))
    for hours, lookups, removed in ((0, 1, False), (1, 1, False), (6, 2, False), (12, 3, True)):
        consumer.clock.passed = timedelta(hours=hours)
        queue_videos(build, consumer.pool, video_ids)
        consumer.run()
        assert build.rows("select unseen_lookups, removed_at is not null from videos") == [(lookups, removed)]
    sandbox.clock.set(NOON)
    queue_videos(build, consumer.pool, video_ids)
    consumer.run()
    assert build.rows("select unseen_lookups, unseen_at, removed_at from videos") == [(0, None, None)]


def test_a_video_that_two_fetches_queued_is_requested_once_and_gets_statistics_for_both(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer
) -> None:
    video_ids = newest_ids(sandbox, 10)
    fetches = {queue_videos(build, consumer.pool, video_ids) for _ in range(2)}
    consumer.run()
    assert video_calls(sandbox) == 1
    assert set(build.rows("select fetch_id, count(*) from video_statistics group by fetch_id")) == {
        (fetch_id, 10) for fetch_id in fetches
    }


def test_when_the_quota_is_exceeded_unfinished_messages_wait_for_the_reset_and_count_no_attempt(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer
) -> None:
    video_ids = newest_ids(sandbox, 120)
    queue_videos(build, consumer.pool, video_ids)
    sandbox.add_fault(Fault(FaultKind.QUOTA_EXCEEDED, path="videos", creator=video_ids[60]))
    assert consumer.run(statistics_threads=1) == {"calls": 1, "videos": 50, "unseen": 0, "postponed": 2}
    reset = next_quota_reset(consumer.clock.now())
    assert open_messages(build) == [(0, reset), (0, reset)]
    assert build.rows("select platform, suspended_until from platform_suspensions") == [("YouTube", reset)]
    sandbox.clear_faults()
    assert consumer.run() == {}
    consumer.clock.passed = reset - datetime.now(UTC) + timedelta(seconds=1)
    assert consumer.run() == {"calls": 2, "videos": 70, "unseen": 0}
    assert videos_with_statistics(build) == 120


@pytest.mark.parametrize(
    ("answer", "suspends"),
    [
        (Scripted({"error": {"errors": [{"reason": "keyInvalid"}]}}, status=400), True),
        (Scripted({"error": {"errors": [{"reason": "somethingNew"}]}}, status=403), True),
        (Scripted(b"<html>Your computer may be sending automated queries.</html>", status=403), False),
    ],
)
def test_a_refusal_of_the_caller_parks_no_message_however_often_it_is_met(
    build: DatabaseBuilder,
    sandbox: SandboxServer,
    pool: ConnectionPool,
    clock: ShiftedClock,
    answer: Scripted,
    *,
    suspends: bool,
) -> None:
    queue_videos(build, pool, newest_ids(sandbox, 60))
    with ScriptedServer() as server:
        server.play(answer)
        config = PlatformConfig(base_url=server.url, api_key=KEY, requests_per_second=10_000)
        refused = create_service(Platform.YOUTUBE, config)
        assert isinstance(refused, YouTubeService)
        for hours in range(7):
            clock.passed = timedelta(hours=hours)
            build.run("delete from platform_suspensions")
            assert Consumer(pool, refused, clock).run()["postponed"] == 2
            assert build.value("select count(*) from platform_suspensions") == (1 if suspends else 0)
    assert [attempts for attempts, _ in open_messages(build)] == [0, 0]


@pytest.mark.parametrize("kind", [FaultKind.INVALID_CREDENTIALS, FaultKind.QUOTA_EXCEEDED, FaultKind.AUTOMATED_QUERIES])
def test_a_refusal_of_the_caller_is_one_event_for_sentry(
    build: DatabaseBuilder,
    sandbox: SandboxServer,
    consumer: Consumer,
    caplog: pytest.LogCaptureFixture,
    kind: FaultKind,
) -> None:
    queue_videos(build, consumer.pool, newest_ids(sandbox, 60))
    sandbox.add_fault(Fault(kind, path="videos"))
    consumer.run(statistics_threads=1)
    events = [record for record in caplog.records if record.levelname == "ERROR" or record.name == ALERTS_LOGGER]
    assert len(events) == 1


def test_messages_are_not_taken_while_youtube_is_suspended(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer
) -> None:
    queue_videos(build, consumer.pool, newest_ids(sandbox, 50))
    build.run("""
        insert into platform_suspensions values ('YouTube', now() + interval '1 hour', 'quotaExceeded', now())
    """)
    assert consumer.run() == {}
    assert video_calls(sandbox) == 0
    assert [attempts for attempts, _ in open_messages(build)] == [0]


def test_threads_of_a_consumer_do_not_overspend_the_days_units(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer
) -> None:
    queue_videos(build, consumer.pool, newest_ids(sandbox, 200))
    done = consumer.run(youtube_daily_units=3, statistics_threads=4)
    assert (done["calls"], done["postponed"]) == (3, 1)
    assert build.value("select sum(units) from youtube_units") == 3
    assert video_calls(sandbox) == 3


def test_every_request_costs_a_unit_of_its_pacific_day_retries_included(
    build: DatabaseBuilder, sandbox: SandboxServer, pool: ConnectionPool, clock: ShiftedClock
) -> None:
    config = PlatformConfig(base_url=sandbox.youtube_url, api_key=KEY, requests_per_second=10_000)
    retrying = create_service(Platform.YOUTUBE, config, settings=Settings(request_retries=2, retry_base_seconds=0))
    assert isinstance(retrying, YouTubeService)
    queue_videos(build, pool, newest_ids(sandbox, 10))
    sandbox.add_fault(Fault(FaultKind.SERVER_ERROR, path="videos", times=2))
    Consumer(pool, retrying, clock).run()
    counted = build.rows("select pacific_day, sum(units) from youtube_units group by pacific_day")
    pacific = build.value("select (%(now)s at time zone 'America/Los_Angeles')::date", now=clock.now())
    assert counted == [(pacific, 3)]


def test_after_an_error_only_unacknowledged_videos_are_requested_again_after_the_retry_delay(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer
) -> None:
    video_ids = newest_ids(sandbox, 60)
    queue_videos(build, consumer.pool, video_ids[:40])
    queue_videos(build, consumer.pool, video_ids[40:])
    sandbox.add_fault(Fault(FaultKind.SERVER_ERROR, path="videos", creator=video_ids[59], times=1))
    assert consumer.run() == {"calls": 1, "videos": 50, "unseen": 0, "failed": 1}
    assert [attempts for attempts, _ in open_messages(build)] == [1]
    consumer.clock.wait(minutes=1)
    assert consumer.run() == {"calls": 1, "videos": 10, "unseen": 0}
    assert videos_with_statistics(build) == 60


def test_a_partial_call_waits_while_live_fetches_may_fill_it(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer
) -> None:
    queue_videos(build, consumer.pool, newest_ids(sandbox, 30))
    live_fetch = plan_one(build, consumer.pool, Platform.YOUTUBE, 30)
    assert consumer.run(queue_seconds_per_run=0) == {}
    settle(consumer.pool, claim(consumer.pool, live_fetch), FetchOutcome(FetchState.FAILED, reason="503"))
    assert consumer.run() == {"calls": 1, "videos": 30, "unseen": 0}


def test_a_partial_call_waits_no_longer_than_the_setting_allows(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer
) -> None:
    queue_videos(build, consumer.pool, newest_ids(sandbox, 30))
    plan_one(build, consumer.pool, Platform.YOUTUBE, 30)
    consumer.clock.wait(minutes=30)
    assert consumer.run(queue_seconds_per_run=0) == {"calls": 1, "videos": 30, "unseen": 0}


def test_a_consumer_that_starts_before_the_fetches_waits_for_their_videos(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    creator = next(sandbox.world.creators("YouTube", CreatorKind.NORMAL))
    tracked = build.track(build.organization(daily=60), build.blogger("YouTube", external_id=creator.external_id))
    (fetch_id,) = fetch_ids(consumer.pool, plan(consumer.pool, scope=RunScope(bloggers=(tracked.blogger_id,))))

    def fetch_meanwhile(_: float) -> None:
        fetch_blogger(FetchServices(consumer.pool, {Platform.YOUTUBE: consumer.youtube}), fetch_id)

    monkeypatch.setattr(consumer.clock, "sleep", fetch_meanwhile)
    assert consumer.run() == {"calls": 2, "videos": 60, "unseen": 0}


def test_nothing_is_saved_for_a_message_that_another_consumer_has_taken_meanwhile(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_videos(build, consumer.pool, newest_ids(sandbox, 10))
    get_videos = consumer.youtube.get_videos

    def lose_the_message_first(video_ids: Sequence[str]) -> Mapping[str, YouTubeVideo]:
        build.run("update high_priority_queue set receipt = gen_random_uuid()")
        return get_videos(video_ids)

    monkeypatch.setattr(consumer.youtube, "get_videos", lose_the_message_first)
    assert consumer.run(queue_seconds_per_run=0) == {"calls": 1, "videos": 0, "unseen": 0}
    assert videos_with_statistics(build) == 0
