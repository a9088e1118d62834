"""Steps for tests of the queues: fill the queues as a fetch would, and let time pass for the consumers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from psycopg_pool import ConnectionPool

from blogger_tracking.database.fetch_settlement import FetchOutcome
from blogger_tracking.database.run_plans import RunScope
from blogger_tracking.domain.clock import Clock
from blogger_tracking.domain.ledger import FetchState
from blogger_tracking.domain.models import CommonVideo, Platform
from tests.support.database_builder import DatabaseBuilder
from tests.support.ledger_steps import claim, fetch_ids, plan, settle


@dataclass
class ShiftedClock:
    """The real time plus the time that a test lets pass; sleeping takes no real time."""

    passed: timedelta = timedelta()
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.passed

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.passed += timedelta(seconds=seconds)

    def wait(self, **duration: float) -> None:
        self.passed += timedelta(**duration)

    @property
    def clock(self) -> Clock:
        return Clock(now=self.now, sleep=self.sleep)


def plan_one(build: DatabaseBuilder, pool: ConnectionPool, platform: Platform, videos: int) -> int:
    """Plan a fetch of `videos` videos of a new blogger; return the fetch's id."""
    tracked = build.track(build.organization(daily=videos), platform=platform)
    (fetch_id,) = fetch_ids(pool, plan(pool, scope=RunScope(bloggers=(tracked.blogger_id,))))
    return fetch_id


def queue_videos(build: DatabaseBuilder, pool: ConnectionPool, video_ids: Sequence[str]) -> int:
    """Settle a YouTube fetch that returned these videos without thumbnails; return the fetch's id."""
    fetch_id = plan_one(build, pool, Platform.YOUTUBE, len(video_ids))
    found = [_video(video_id, Platform.YOUTUBE, None) for video_id in video_ids]
    settle(pool, claim(pool, fetch_id), FetchOutcome(FetchState.SUCCEEDED, found))
    return fetch_id


def queue_thumbnails(build: DatabaseBuilder, pool: ConnectionPool, urls: Sequence[str], first: int = 1) -> None:
    """Settle a TikTok fetch that returned videos numbered from `first` with these thumbnail URLs."""
    fetch_id = plan_one(build, pool, Platform.TIKTOK, len(urls))
    found = [_video(str(number), Platform.TIKTOK, url) for number, url in enumerate(urls, first)]
    settle(pool, claim(pool, fetch_id), FetchOutcome(FetchState.SUCCEEDED, found))


def _video(video_id: str, platform: Platform, thumbnail_url: str | None) -> CommonVideo:
    return CommonVideo(
        external_video_id=video_id,
        platform=platform,
        video_url=f"https://example.org/{video_id}",
        title=video_id,
        thumbnail_url=thumbnail_url,
        published_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
