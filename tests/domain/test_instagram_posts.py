"""Rule for reading Instagram's list of posts (domain/instagram_posts.py)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blogger_tracking.domain.instagram_posts import PostsReading, plan_posts_reading
from blogger_tracking.domain.models import PostsHistory

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
OLDEST_CLIP = NOW - timedelta(days=30)
BEFORE_OLDEST_CLIP = OLDEST_CLIP - timedelta(days=300)


def hours_ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


@pytest.mark.parametrize("oldest_clip", [OLDEST_CLIP, None])
def test_posts_that_were_never_read_are_read_as_far_as_the_target_needs(oldest_clip: datetime | None) -> None:
    assert plan_posts_reading(None, oldest_clip, NOW) == PostsReading(oldest_clip)


@pytest.mark.parametrize("oldest_clip", [OLDEST_CLIP, None])
def test_posts_with_a_video_of_their_own_among_the_newest_are_read_by_every_fetch(oldest_clip: datetime | None) -> None:
    found = oldest_clip or BEFORE_OLDEST_CLIP
    history = PostsHistory(read_at=hours_ago(0.1), newest_posts_only_at=found)
    assert plan_posts_reading(history, oldest_clip, NOW) == PostsReading(oldest_clip)


@pytest.mark.parametrize(
    ("newest_posts_only_at", "hours", "is_read"),
    [
        (BEFORE_OLDEST_CLIP, 12, False),
        (BEFORE_OLDEST_CLIP, 23.5, True),
        (None, 60, False),
        (None, 71.5, True),
    ],
)
def test_posts_are_read_daily_after_an_older_find_and_every_third_day_without(
    newest_posts_only_at: datetime | None, hours: float, *, is_read: bool
) -> None:
    history = PostsHistory(read_at=hours_ago(hours), newest_posts_only_at=newest_posts_only_at)
    reading = plan_posts_reading(history, OLDEST_CLIP, NOW)
    assert (reading is not None) is is_read


def test_a_reading_for_new_videos_goes_back_to_half_a_day_before_the_last_reading_and_not_beyond_the_oldest_clip() -> (
    None
):
    history = PostsHistory(read_at=hours_ago(72))
    assert plan_posts_reading(history, OLDEST_CLIP, NOW) == PostsReading(hours_ago(84))
    recent_clip = hours_ago(5)
    assert plan_posts_reading(history, recent_clip, NOW) == PostsReading(recent_clip)
    assert plan_posts_reading(history, None, NOW) == PostsReading(hours_ago(84))


@pytest.mark.parametrize("first_find", [BEFORE_OLDEST_CLIP, None])
@given(
    days_of_clips=st.floats(1, 10),
    publications=st.lists(st.floats(1, 24 * 20), max_size=12),
    start=st.floats(0, 3),
    jitters=st.lists(st.floats(0, 0.4), min_size=50, max_size=50),
)
def test_a_video_that_only_the_posts_have_is_found_within_a_day_and_the_very_first_within_three(
    first_find: datetime | None, days_of_clips: float, publications: list[float], start: float, jitters: list[float]
) -> None:
    """Simulate 25 days of two runs a day; every video that only the posts have is published at a time in hours.

    The clips that count toward the target are those of the last `days_of_clips`.
    """
    begin = NOW
    history = PostsHistory(read_at=begin + timedelta(hours=start - 12), newest_posts_only_at=first_find)
    waiting = sorted(begin + timedelta(hours=hours) for hours in publications)
    for number, jitter in enumerate(jitters):
        now = begin + timedelta(hours=12 * number + start + jitter)
        reading = plan_posts_reading(history, now - timedelta(days=days_of_clips), now)
        if reading is None:
            continue
        found = [moment for moment in waiting if moment <= now]
        assert all(reading.not_before is None or moment >= reading.not_before for moment in found)
        longest = timedelta(hours=24.5 if history.newest_posts_only_at else 72.5)
        assert all(now - moment <= longest for moment in found)
        waiting = [moment for moment in waiting if moment > now]
        newest = max([*found, *filter(None, [history.newest_posts_only_at])], default=None)
        history = PostsHistory(read_at=now, newest_posts_only_at=newest)
    end = begin + timedelta(hours=12 * len(jitters))
    assert all(end - moment <= timedelta(hours=84.5) for moment in waiting)
