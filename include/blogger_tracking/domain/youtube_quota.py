"""YouTube's daily quota: its reset, and the units that planned fetches will cost.

Source: YouTube Data API, "Quota Calculator": daily quotas reset at midnight Pacific Time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from math import ceil
from zoneinfo import ZoneInfo

PACIFIC = ZoneInfo("America/Los_Angeles")

VIDEOS_PER_CALL = 50
"""Maximum of videos on a page of `playlistItems`, and of ids in a call of `videos`. A page or a call costs one unit."""


def quota_day(now: datetime) -> date:
    """Return the Pacific day whose units a request at `now` (aware) is counted against."""
    return now.astimezone(PACIFIC).date()


def next_quota_reset(now: datetime) -> datetime:
    """Return the first midnight in California after `now` (aware), in UTC."""
    tomorrow = quota_day(now) + timedelta(days=1)
    return datetime.combine(tomorrow, time(), tzinfo=PACIFIC).astimezone(UTC)


@dataclass(slots=True)
class UnitBudget:
    """Budget of the day's remaining units during planning; `units_left` of None means no bound.

    A fetch of V videos costs ⌈V/50⌉ units for its listing, and all fetches together one unit per 50 videos for
    their statistics.
    """

    units_left: int | None
    _pages: int = 0
    _videos: int = 0

    def covers(self, videos: int, instead_of: int = 0) -> bool:
        """Return True if the remaining units cover a fetch of `videos` videos besides the fetches planned so far.

        `instead_of` is the size of the planned fetch that this fetch replaces; 0 for none.
        """
        pages, total = self._after(videos, instead_of)
        return self.units_left is None or pages + ceil(total / VIDEOS_PER_CALL) <= self.units_left

    def spend(self, videos: int, instead_of: int = 0) -> None:
        """Add a fetch of `videos` videos to the planned fetches; `instead_of` as in `covers`."""
        self._pages, self._videos = self._after(videos, instead_of)

    def _after(self, videos: int, instead_of: int) -> tuple[int, int]:
        pages = self._pages + ceil(videos / VIDEOS_PER_CALL) - ceil(instead_of / VIDEOS_PER_CALL)
        return pages, self._videos + videos - instead_of
