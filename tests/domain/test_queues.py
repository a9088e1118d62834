"""Rules of the queues that need no database: calls that are due, and the grouping of videos into calls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blogger_tracking.domain.queues import Backlog, QueuedVideo, TimeBudget, group_into_calls

NOW = datetime(2026, 5, 5, 12, tzinfo=UTC)
MAX_WAIT = timedelta(minutes=30)


@pytest.mark.parametrize(
    ("items", "more_to_come", "minutes_waited", "due"),
    [
        (50, True, 0, True),
        (49, True, 0, False),
        (49, True, 29, False),
        (49, True, 30, True),
        (1, False, 0, True),
        (0, False, 30, False),
    ],
)
def test_a_call_is_due_if_full_or_if_nothing_more_is_expected_or_the_oldest_message_is_overdue(
    items: int, minutes_waited: int, *, more_to_come: bool, due: bool
) -> None:
    backlog = Backlog(items, NOW - timedelta(minutes=minutes_waited), more_to_come)
    assert backlog.call_is_due(50, NOW, MAX_WAIT) is due


@given(st.lists(st.tuples(st.integers(1, 5), st.sampled_from("abcdefgh"))), st.integers(1, 4))
def test_every_queued_video_is_in_one_call_and_all_calls_but_the_last_are_full(
    entries: list[tuple[int, str]], videos_per_call: int
) -> None:
    queued = [QueuedVideo(message_id, 1, video_id) for message_id, video_id in entries]
    calls = group_into_calls(queued, videos_per_call)
    distinct = [{video.external_video_id for video in call} for call in calls]
    assert sorted(map(str, queued)) == sorted(str(video) for call in calls for video in call)
    assert sum(map(len, distinct)) == len({video.external_video_id for video in queued})
    assert all(len(videos) == videos_per_call for videos in distinct[:-1])


def test_a_time_budget_of_no_seconds_is_spent_at_once_and_a_long_one_is_not() -> None:
    assert TimeBudget(0).is_spent()
    assert not TimeBudget(3600).is_spent()
