"""Rule for reading Instagram's list of posts: the fetches that need the list, and how far back. Pure.

Instagram lists an account's reels as clips, with their plays, and all its posts in a second list. New videos have been
reels for years, so most readings of the posts add nothing and cost as much as the clips. What earlier readings of an
account found decides how often its posts are read:

- never read, or no clips in hand: read as far back as the target needs;
- a video that only the posts have is among the newest: read by every fetch, so that each fetch returns the same videos;
- such a video was found before: read once a day;
- never found one: read every third day.

An account that publishes so much that new videos push each other out of the target within such a time is read earlier.
A reading that is only looking for new videos goes back to half a day before the last reading.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from blogger_tracking.domain.models import PostsHistory

_DAILY = timedelta(hours=20)
"""Less than a day, so that the second of two daily runs is due although it starts a little early."""

_RARELY = timedelta(hours=68)
"""Less than three days, for the same reason."""

_NEXT_FETCH = timedelta(days=1)
"""Longest expected time until the account's next fetch."""

_OVERLAP = timedelta(hours=12)
"""Time before the last reading that is read again: a joint post may appear after its date of publication.

A page is read whole, so the overlap is longer for most accounts. With a day, an account with three posts a day needs a
second page every third day.
"""


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
    interval = _DAILY if found else _RARELY
    if oldest_clip:
        # A video since the last reading that is older than the oldest clip at the next fetch would never be read.
        interval = min(interval, now - oldest_clip - _NEXT_FETCH)
    if now - history.read_at < interval:
        return None
    since_last_reading = history.read_at - _OVERLAP
    return PostsReading(max(oldest_clip, since_last_reading) if oldest_clip else since_last_reading)
