"""A batch run over creators whose platforms behave as people reported: every situation at once, up to the ledger."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.domain.alerts import ALERTS_LOGGER
from blogger_tracking.domain.ledger import FetchState
from blogger_tracking.domain.models import Account, CommonVideo, Platform
from blogger_tracking.platforms import PlatformConfig, create_service
from blogger_tracking.platforms.youtube import YouTubeService
from blogger_tracking.settings import Settings
from blogger_tracking.usecases.fetch_blogger import FetchServices, fetch_blogger
from blogger_tracking.usecases.finish_run import finish_run
from blogger_tracking.usecases.refresh_statistics import StatisticsRefresher
from devtools.platform_sandbox import Creator, CreatorKind, Fault, FaultKind, SandboxServer, handles_in_other_scripts
from tests.support.database_builder import DatabaseBuilder
from tests.support.ledger_steps import fetch_ids, new_key, plan
from tests.support.queue_steps import ShiftedClock, queue_videos
from tests.support.youtube_ids import newest_ids

TIKTOK, INSTAGRAM, YOUTUBE = Platform.TIKTOK, Platform.INSTAGRAM, Platform.YOUTUBE
VIDEOS_ON_A_PAGE_WITH_PINS = 28
"""More videos than the 27 newest on the first page of TikTok's creator with pins, and fewer than with its two pinned
videos: a reading that counts the pinned ones stops after this page and keeps an old video."""

TWO_PAGES_OF_INSTAGRAM = 24


@dataclass(frozen=True)
class Situation:
    """A creator, the faults on the creator's requests, and the right state of its fetch.

    `daily` is the number of videos that the fetch asks for. `handle` is the language of the creator's handle.
    `without_sec_id`: the fetch has to look up the creator's secUid.
    """

    platform: Platform
    fault: FaultKind | None
    state: FetchState
    kind: CreatorKind = CreatorKind.NORMAL
    path: str | None = None
    page: int | None = None
    daily: int = 20
    handle: str | None = None
    without_sec_id: bool = False


SUCCEEDED, PARTIAL, EMPTY, PRIVATE, FAILED, SKIPPED = (
    FetchState.SUCCEEDED,
    FetchState.PARTIAL,
    FetchState.EMPTY,
    FetchState.PRIVATE,
    FetchState.FAILED,
    FetchState.SKIPPED,
)

SITUATIONS = [
    # Empty pages that promise more: first, in between, and without end.
    *(Situation(platform, FaultKind.EMPTY_PAGE, SUCCEEDED, page=1) for platform in Platform),
    Situation(TIKTOK, FaultKind.EMPTY_PAGE, SUCCEEDED, page=2, daily=40),
    Situation(INSTAGRAM, FaultKind.EMPTY_PAGE, SUCCEEDED, page=2, daily=TWO_PAGES_OF_INSTAGRAM),
    *(Situation(platform, FaultKind.EMPTY_PAGE, FAILED) for platform in Platform),
    # A promise of more that leads back to the start, and clips that only promise, beside posts that deliver.
    Situation(TIKTOK, FaultKind.REPEATED_CURSOR, FAILED, kind=CreatorKind.EMPTY),
    Situation(INSTAGRAM, FaultKind.EMPTY_PAGE, PARTIAL, path="/clips"),
    # Lists that seem to be empty or lost, against the evidence, and accounts that are empty.
    Situation(YOUTUBE, FaultKind.PLAYLIST_NOT_FOUND, FAILED, path="playlistItems"),
    *(Situation(platform, FaultKind.LIST_MISSING, FAILED) for platform in Platform),
    *(Situation(platform, FaultKind.LIST_NULL, FAILED) for platform in Platform),
    Situation(INSTAGRAM, FaultKind.ENTRIES_NOT_FOUND, SUCCEEDED, path="/clips"),
    Situation(INSTAGRAM, FaultKind.CLIPS_LEFT_OUT, SUCCEEDED),
    *(Situation(platform, None, EMPTY, kind=CreatorKind.EMPTY) for platform in Platform),
    # Advertisements: the creator's own, and another account's.
    *(Situation(platform, FaultKind.OWN_ADVERTISEMENTS, SUCCEEDED) for platform in (TIKTOK, INSTAGRAM)),
    *(Situation(platform, FaultKind.FOREIGN_ADVERTISEMENT, SUCCEEDED) for platform in (TIKTOK, INSTAGRAM)),
    # Blocks, to be tried later.
    *(Situation(platform, FaultKind.AUTOMATED_QUERIES, FAILED) for platform in Platform),
    *(Situation(platform, FaultKind.SORRY_REDIRECT, FAILED) for platform in Platform),
    Situation(INSTAGRAM, FaultKind.WAIT_A_FEW_MINUTES, FAILED),
    Situation(INSTAGRAM, FaultKind.CHALLENGE_REQUIRED, FAILED),
    # Handles in other scripts.
    *(
        Situation(YOUTUBE, None, SUCCEEDED, handle=language)
        for language in ("Bengali", "French", "Hindi", "Khmer", "Tamil", "Thai")
    ),
    # Pinned entries that nothing marks, on pages that the target fills only with them.
    Situation(TIKTOK, FaultKind.UNMARKED_PINS, SUCCEEDED, kind=CreatorKind.PINS, daily=VIDEOS_ON_A_PAGE_WITH_PINS),
    Situation(INSTAGRAM, FaultKind.UNMARKED_PINS, SUCCEEDED, kind=CreatorKind.PINS, daily=TWO_PAGES_OF_INSTAGRAM),
    # Views of zero beside likes; YouTube's are in the response to the statistics consumer.
    *(Situation(platform, FaultKind.ZERO_VIEWS, SUCCEEDED) for platform in Platform),
    # Envelopes and values.
    Situation(TIKTOK, FaultKind.LIST_AS_DATA, SUCCEEDED, daily=40),
    Situation(INSTAGRAM, FaultKind.NO_MEDIA_TYPE, SUCCEEDED),
    *(Situation(platform, FaultKind.MICROSECONDS, SUCCEEDED) for platform in (TIKTOK, INSTAGRAM)),
    # Private accounts of TikTok.
    Situation(TIKTOK, FaultKind.BECAME_PRIVATE, PRIVATE),
    Situation(TIKTOK, FaultKind.PRIVATE_PROFILE_WITH_CODE, PRIVATE, kind=CreatorKind.PRIVATE, without_sec_id=True),
    # Refusals of this system as a caller, each with a creator that is not requested any more.
    Situation(YOUTUBE, FaultKind.PROJECT_SUSPENDED, FAILED),
    Situation(YOUTUBE, None, SKIPPED),
    Situation(TIKTOK, FaultKind.RESTRICTED_USER, FAILED),
    Situation(TIKTOK, None, SKIPPED),
    Situation(INSTAGRAM, FaultKind.UNKNOWN_REFUSAL, FAILED),
    Situation(INSTAGRAM, None, SKIPPED),
]


@pytest.fixture(autouse=True)
def invariants_hold(admin: Connection) -> Iterator[None]:
    yield
    assert not any(check_invariants(admin).values())


@pytest.fixture
def services(pool: ConnectionPool, sandbox: SandboxServer) -> FetchServices:
    """The services of a fetch, without waits for a rate limit or between retries."""
    addresses = {TIKTOK: sandbox.tiktok_url, INSTAGRAM: sandbox.instagram_url, YOUTUBE: sandbox.youtube_url}
    settings = Settings(retry_base_seconds=0)
    configs = {
        platform: PlatformConfig(base_url=url, api_key="a-key", requests_per_second=10_000)
        for platform, url in addresses.items()
    }
    return FetchServices(
        pool, {platform: create_service(platform, config, settings=settings) for platform, config in configs.items()}
    )


Row = tuple[object, ...]


@dataclass
class Played:
    """A situation with its creator, its fetch, the organization that pays, and the videos to be saved."""

    situation: Situation
    creator: Creator
    organization: UUID
    expected: list[CommonVideo]
    fetch_id: int = 0


@dataclass
class Stage:
    """Creators of the sandbox, one for each situation, each tracked by an organization of its own."""

    build: DatabaseBuilder
    sandbox: SandboxServer
    services: FetchServices
    used: set[str] = field(default_factory=set)

    def play(self, situation: Situation) -> Played:
        """Track a creator that no other situation has."""
        creators = self.sandbox.world.creators(situation.platform, situation.kind)
        creator = next(creator for creator in creators if creator.external_id not in self.used)
        self.used.add(creator.external_id)
        expected = self._newest(creator, situation.daily) if situation.state in {SUCCEEDED, PARTIAL} else []
        return Played(situation, creator, self._track(creator, situation), expected)

    def inject(self, played: Played) -> None:
        """Inject the fault of a situation."""
        situation, creator = played.situation, played.creator
        if situation.fault is None:
            return
        self.sandbox.add_fault(
            Fault(
                situation.fault,
                platform=situation.platform,
                creator=creator.username,
                path=situation.path,
                page=situation.page,
            )
        )

    def charged(self, played: Played) -> list[Row]:
        """Return the charge, the open reservation, and the videos that the organization used."""
        return self.build.rows(
            """
            select
                coalesce((select sum(charged) from fetch_allocations where fetch_id = %(fetch)s), 0)::int,
                coalesce((select sum(reserved) from fetch_allocations where fetch_id = %(fetch)s), 0)::int,
                (select videos_fetched from subscription_usage where organization_id = %(organization)s)
            """,
            fetch=played.fetch_id,
            organization=played.organization,
        )

    def saved(self, played: Played) -> dict[str, Row]:
        """Return publication date, address and counts of the videos that the organization paid for, by id.

        The counts are the fetch's own: a joint post may have more, of the other creator's fetch.
        """
        rows = self.build.rows(
            """
            select external_video_id, published_at, url, views, likes, comments, reposts
            from organization_videos
            join videos on videos.id = video_id
            left join video_statistics on video_statistics.video_id = videos.id
                and video_statistics.fetch_id = %(fetch)s
            where organization_id = %(organization)s
            """,
            fetch=played.fetch_id,
            organization=played.organization,
        )
        return {video_id: tuple(values) for video_id, *values in rows}

    def _track(self, creator: Creator, situation: Situation) -> UUID:
        blogger = self.build.value(
            """
            insert into blogger_information (platform, username, external_id, sec_id)
            values (%(platform)s, %(username)s, %(external_id)s, %(sec_id)s)
            returning id
            """,
            platform=creator.platform,
            username=handles_in_other_scripts(creator)[situation.handle] if situation.handle else creator.username,
            external_id=creator.external_id,
            sec_id=None if situation.without_sec_id else creator.sec_id,
        )
        organization = self.build.organization()
        self.build.track(organization, blogger, daily=situation.daily)
        return organization

    def _newest(self, creator: Creator, count: int) -> list[CommonVideo]:
        """Return the creator's newest videos, as requested without a fault."""
        platform = Platform(creator.platform)
        account = Account(
            platform=platform, external_id=creator.external_id, sec_id=creator.sec_id, username=creator.username
        )
        return list(self.services.platforms[platform].get_user_videos_batch(account, count))


@pytest.fixture
def stage(build: DatabaseBuilder, sandbox: SandboxServer, services: FetchServices) -> Stage:
    return Stage(build, sandbox, services)


def counts_of(video: CommonVideo, situation: Situation) -> Row:
    """Return the counts to be saved with the fetch; YouTube's list has none."""
    statistics = video.statistics
    if statistics is None:
        return (None, None, None, None)
    views = None if situation.fault is FaultKind.ZERO_VIEWS else statistics.views
    return (views, statistics.likes, statistics.comments, statistics.reposts)


def assert_ledger_is_right(build: DatabaseBuilder, stage: Stage, played: Played) -> None:
    """Assert the state of a fetch, its charge, and the saved videos with their dates, addresses and counts."""
    situation, videos = played.situation, len(played.expected)
    state, reason = build.rows("select state, reason from fetches where id = %(id)s", id=played.fetch_id)[0]
    assert (state, stage.charged(played)) == (situation.state, [(videos, 0, videos)]), (situation, reason)
    saved = stage.saved(played)
    expected = {
        video.external_video_id: (video.published_at, video.video_url, *counts_of(video, situation))
        for video in played.expected
    }
    if situation.path == "/clips" or situation.fault is FaultKind.CLIPS_LEFT_OUT:
        # The posts have the same videos and addresses, without plays.
        assert any(row[2] is None for row in saved.values())
        saved = {video_id: (*row[:2], None, *row[3:]) for video_id, row in saved.items()}
        expected = {video_id: (*row[:2], None, *row[3:]) for video_id, row in expected.items()}
    assert saved == expected, situation


def assert_statistics_survive_a_refusal(build: DatabaseBuilder, stage: Stage, clock: ShiftedClock) -> None:
    """Refuse the consumer of the statistics queue, then answer it with views of zero; assert what it leaves behind."""
    settings = Settings(queue_seconds_per_run=30)
    consumer = StatisticsRefresher(stage.services.pool, youtube_of(stage.services), settings, clock.clock)
    for fault in (FaultKind.PROJECT_SUSPENDED, FaultKind.ZERO_VIEWS):
        build.run("delete from platform_suspensions")
        stage.sandbox.clear_faults()
        stage.sandbox.add_fault(Fault(fault, path="youtube/v3/videos"))
        clock.wait(hours=1)
        consumer.run()
        was_refused = fault is FaultKind.PROJECT_SUSPENDED
        assert {(done, parked) for _, done, parked in queue_of_statistics(build)} == {(not was_refused, False)}
    views = build.rows(
        """
        select distinct views from video_statistics join videos on videos.id = video_id
        where platform = 'YouTube' and likes + comments > 0
        """
    )
    assert views == [(None,)]


def test_a_run_over_every_reported_situation_ends_with_what_is_right_in_the_ledger(
    build: DatabaseBuilder, stage: Stage, pool: ConnectionPool, clock: ShiftedClock, caplog: pytest.LogCaptureFixture
) -> None:
    every = [stage.play(situation) for situation in SITUATIONS]
    for played in every:
        stage.inject(played)
    key = new_key()
    run = plan(pool, key)
    by_organization = dict(build.rows("select organization_id, fetch_id from fetch_allocations"))
    with caplog.at_level(logging.WARNING, logger=ALERTS_LOGGER):
        for played in every:
            played.fetch_id = by_organization[played.organization]
            fetch_blogger(stage.services, played.fetch_id)
    assert sorted(played.fetch_id for played in every) == fetch_ids(pool, run)

    for played in every:
        assert_ledger_is_right(build, stage, played)
    suspended = build.rows("select platform from platform_suspensions order by platform")
    assert suspended == [("Instagram",), ("TikTok",), ("YouTube",)]
    assert sum("is suspended until" in record.getMessage() for record in caplog.records) == 3

    assert_statistics_survive_a_refusal(build, stage, clock)
    problems = finish_run(pool, key, 0.2)
    failed = sum(situation.state in {FAILED, SKIPPED} for situation in SITUATIONS)
    assert problems == [f"{failed} of {len(SITUATIONS)} fetches failed, more than 20%"]
    assert build.value("select sum(reserved) from subscription_usage") == 0


def queue_of_statistics(build: DatabaseBuilder) -> set[Row]:
    """Return attempts, done and parked of the messages, each combination once."""
    return set(build.rows("select attempts, done_at is not null, parked_at is not null from high_priority_queue"))


def youtube_of(services: FetchServices) -> YouTubeService:
    youtube = services.platforms[YOUTUBE]
    assert isinstance(youtube, YouTubeService)
    return youtube


@pytest.mark.parametrize(
    ("platform", "refusal"),
    [
        (YOUTUBE, FaultKind.PROJECT_SUSPENDED),
        (YOUTUBE, FaultKind.REFERER_BLOCKED),
        (YOUTUBE, FaultKind.UNREGISTERED_CALLER),
        (YOUTUBE, FaultKind.UNKNOWN_REFUSAL),
        (TIKTOK, FaultKind.RESTRICTED_USER),
        (TIKTOK, FaultKind.UNKNOWN_REFUSAL),
        (INSTAGRAM, FaultKind.UNKNOWN_REFUSAL),
    ],
)
def test_a_refusal_of_the_caller_is_met_once_and_suspends_the_platform_with_one_alert(
    build: DatabaseBuilder,
    stage: Stage,
    pool: ConnectionPool,
    caplog: pytest.LogCaptureFixture,
    platform: Platform,
    refusal: FaultKind,
) -> None:
    for _ in range(3):
        stage.play(Situation(platform, None, FAILED))
    stage.sandbox.add_fault(Fault(refusal, platform=platform))
    with caplog.at_level(logging.WARNING, logger=ALERTS_LOGGER):
        states = [fetch_blogger(stage.services, fetch_id).state for fetch_id in fetch_ids(pool, plan(pool))]
    assert states == [FAILED, SKIPPED, SKIPPED]
    assert stage.sandbox.request_count() == 1
    assert build.rows("select platform from platform_suspensions") == [(platform,)]
    assert sum("is suspended until" in record.getMessage() for record in caplog.records) == 1


@pytest.mark.parametrize(
    "refusal",
    [
        FaultKind.PROJECT_SUSPENDED,
        FaultKind.REFERER_BLOCKED,
        FaultKind.UNREGISTERED_CALLER,
        FaultKind.UNKNOWN_REFUSAL,
        FaultKind.AUTOMATED_QUERIES,
        FaultKind.SORRY_REDIRECT,
    ],
)
def test_a_refusal_of_the_statistics_consumer_parks_no_message(
    build: DatabaseBuilder, stage: Stage, pool: ConnectionPool, clock: ShiftedClock, refusal: FaultKind
) -> None:
    queue_videos(build, pool, newest_ids(stage.sandbox, 60))
    stage.sandbox.add_fault(Fault(refusal))
    consumer = StatisticsRefresher(pool, youtube_of(stage.services), Settings(queue_seconds_per_run=30), clock.clock)
    for _ in range(7):
        build.run("delete from platform_suspensions")
        clock.wait(hours=1)
        consumer.run()
    assert queue_of_statistics(build) == {(0, False, False)}
    stage.sandbox.clear_faults()
    build.run("delete from platform_suspensions")
    clock.wait(hours=1)
    consumer.run()
    assert {done for _, done, _ in queue_of_statistics(build)} == {True}
