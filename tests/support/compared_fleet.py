"""Bloggers of an earlier system and of this one, and a comparison of both."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.database.fetch_settlement import FetchOutcome
from blogger_tracking.domain.comparison import Window
from blogger_tracking.domain.ledger import FetchState
from blogger_tracking.domain.models import CommonVideo
from blogger_tracking.usecases.compare_with_legacy import Comparison, compare_with_legacy
from tests.support.database_builder import DatabaseBuilder, Tracked
from tests.support.ledger_steps import claim, settle, video
from tests.support.old_system import OldSystem

HOUR = timedelta(hours=1)
TOLERANCE = 0.05
NOW = datetime.now(UTC)
WINDOW = Window(NOW - HOUR, NOW + HOUR)


def compare(connection: Connection, window: Window = WINDOW) -> Comparison:
    return compare_with_legacy(connection, window, TOLERANCE)


def found(comparison: Comparison) -> set[tuple[str, str, str | None]]:
    """Return kind, video and reason (or counter) of each listed difference."""
    return {(each.kind.value, each.external_video_id, each.reason or each.counter) for each in comparison.differences}


def only_old(comparison: Comparison) -> dict[str, str | None]:
    """Return the reasons of the videos that only the earlier system has, by video."""
    return {video_id: reason for kind, video_id, reason in found(comparison) if kind == "only_old"}


class Fleet:
    """Bloggers of both systems, and the steps of a run."""

    def __init__(self, build: DatabaseBuilder, pool: ConnectionPool, old: OldSystem) -> None:
        self.build, self.pool, self.old = build, pool, old

    def blogger(self, platform: str = "TikTok") -> Tracked:
        """Insert a blogger that both systems track."""
        return self.both(self.build.track(self.build.organization(), platform=platform), platform)

    def both(self, tracked: Tracked, platform: str = "TikTok") -> Tracked:
        """Insert the blogger of a tracked account into the earlier system, too."""
        self.old.blogger(tracked.blogger_id, platform=platform, last_scraped_at=NOW)
        return tracked

    def fetch_of(self, tracked: Tracked) -> int:
        fetch_id: int = self.build.value("select max(id) from fetches where blogger_id = %(id)s", id=tracked.blogger_id)
        return fetch_id

    def succeed(self, tracked: Tracked, *numbers: int) -> None:
        """Settle the fetch of a blogger with some videos, the newest (highest number) first."""
        self.end(tracked, FetchState.SUCCEEDED, [video(number) for number in sorted(numbers, reverse=True)])

    def end(self, tracked: Tracked, state: FetchState, videos: Sequence[CommonVideo] = ()) -> None:
        """Settle the fetch of a blogger."""
        settle(self.pool, claim(self.pool, self.fetch_of(tracked)), FetchOutcome(state, videos, reason="because"))

    def old_video(
        self,
        tracked: Tracked | None,
        number: int,
        captures: Sequence[tuple[datetime, int | None]] = ((NOW, 100),),
        **differing: str | None,
    ) -> None:
        """Insert the same video into the earlier system; `differing` columns have other values."""
        same = video(number)
        columns = {"url": same.video_url, "published": f"{same.published_at:%Y-%m-%dT%H:%M:%SZ}"} | differing
        self.old.video(
            tracked.blogger_id if tracked else None,
            f"video-{number}",
            captures,
            platform=columns.get("platform") or "TikTok",
            url=columns["url"],
            published=columns["published"],
        )
