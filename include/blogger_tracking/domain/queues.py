"""Rules of the two message queues: retry delays, the attempt limit, full and partial calls."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum


class Queue(StrEnum):
    """A queue; the value is the name of its table."""

    VIDEO_BATCHES = "high_priority_queue"
    THUMBNAILS = "thumbnail_queue"


RETRY_DELAYS = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=60))
"""Backoff: delay before the next attempt, after the first, second … failed attempt (docs/contracts.md#queues)."""

MAX_ATTEMPTS = len(RETRY_DELAYS) + 1
"""Number of failed attempts after which a message is parked, and of attempts after which one that kills its consumers
is parked (docs/contracts.md#queues).
"""

LOST_BEFORE_ALONE = 2
"""Number of attempts lost in a row after which a message is taken alone (docs/contracts.md#queues)."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """Work that waits in a queue.

    `items` counts visible videos or thumbnails; `oldest` is the creation time of the oldest visible message.
    `more_to_come` is True while fetches in progress may add messages, or another consumer may release some.
    """

    items: int
    oldest: datetime | None
    more_to_come: bool

    def call_is_due(self, items_per_call: int, moment: datetime, max_wait: timedelta) -> bool:
        """Return True for a full call, or for a partial one if nothing more is expected or the backlog is overdue."""
        if self.items >= items_per_call:
            return True
        return self.items > 0 and (not self.more_to_come or self.is_overdue(moment, max_wait))

    def is_overdue(self, moment: datetime, max_wait: timedelta) -> bool:
        """Return True if the oldest message has waited for `max_wait` or longer."""
        return self.oldest is not None and moment - self.oldest >= max_wait


@dataclass(frozen=True, slots=True)
class TimeBudget:
    """Time that one run of a consumer or of a maintenance task may take, counted from the creation of the object."""

    seconds: float
    _started_at: float = field(default_factory=time.monotonic, init=False)

    def is_spent(self) -> bool:
        """Return True if the time has been used up."""
        return time.monotonic() - self._started_at >= self.seconds


@dataclass(frozen=True, slots=True)
class QueuedVideo:
    """A video that a message of the high priority queue lists, and the fetch that needs the video's statistics."""

    message_id: int
    fetch_id: int
    external_video_id: str


def group_into_calls(queued: Iterable[QueuedVideo], videos_per_call: int) -> list[list[QueuedVideo]]:
    """Group queued videos into calls of up to `videos_per_call` distinct videos; all calls but the last are full.

    A video that several messages list is requested once, so a call may hold more entries than distinct videos.
    """
    by_video: dict[str, list[QueuedVideo]] = {}
    for video in queued:
        by_video.setdefault(video.external_video_id, []).append(video)
    groups = list(by_video.values())
    return [
        [video for group in groups[start : start + videos_per_call] for video in group]
        for start in range(0, len(groups), videos_per_call)
    ]
