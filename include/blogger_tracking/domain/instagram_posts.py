"""Rule for reading Instagram's list of posts: the fetches that need the list, and how far back. Pure.

Instagram lists an account's reels as clips, with their plays, and all its posts in a second list. New videos have been
reels for years, so most readings of the posts add nothing and cost as much as the clips. What earlier readings of an
account found decides how often its posts are read:

- never read, or no clips in hand: read as far back as the target needs;
- a video that only the posts have is among the newest: read by every fetch, so that each fetch returns the same videos;
- such a video was found before: read once a day;
- never found one: read every third day.

A reading that is only looking for new videos goes back to the last reading.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from blogger_tracking.domain.models import PostsHistory

_DAILY = timedelta(hours=20)
"""Less than a day, so that the second of two daily runs is due although it starts a little early."""

_RARELY = timedelta(hours=68)
"""Less than three days, for the same reason."""

_OVERLAP = timedelta(days=1)
"""Time before the last reading that is read again: a joint post may appear after its date of publication."""


@dataclass(frozen=True, slots=True)
class PostsReading:
    """A reading of the list of posts. Posts before `not_before` are not needed; None: as far as the target needs."""

    not_before: datetime | None


def plan_posts_reading(
    history: PostsHistory | None, oldest_clip: datetime | None, now: datetime
) -> PostsReading | None:
    """Return the reading of the posts that a fetch needs, or None if the fetch needs none.

    `oldest_clip` is the date of the oldest clip that counts toward the target; None if the clips do not fill the
    target, so that posts of any age may be among the newest videos.
    """
    if history is None:
        return PostsReading(oldest_clip)
    found = history.newest_posts_only_at
    if found and (oldest_clip is None or found >= oldest_clip):
        return PostsReading(oldest_clip)
    if now - history.read_at < (_DAILY if found else _RARELY):
        return None
    since_last_reading = history.read_at - _OVERLAP
    return PostsReading(max(oldest_clip, since_last_reading) if oldest_clip else since_last_reading)
