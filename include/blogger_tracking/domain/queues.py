"""The two queues and their rules: how often a message is tried, and when a call is worth its unit. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Queue(StrEnum):
    """A queue, by the name of its table."""

    VIDEO_BATCHES = "high_priority_queue"
    THUMBNAILS = "thumbnail_queue"


PAUSES = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=60))
"""How long a message rests after its first, second … failed attempt (contract of the queues)."""

MAX_ATTEMPTS = len(PAUSES) + 1
"""A message that failed this often is parked (contract of the queues)."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in a queue. `items` are wanted now, the oldest message since `oldest`.

    `more_to_come`: fetches are under way that will queue more, or another consumer may give some back.
    """

    items: int
    oldest: datetime | None
    more_to_come: bool

    def fills_a_call(self, items_per_call: int, moment: datetime, time_budget: timedelta) -> bool:
        """Whether a call can be made: a full one always, another when nothing more comes or has for too long."""
        if self.items >= items_per_call:
            return True
        return self.items > 0 and (not self.more_to_come or self.is_overdue(moment, time_budget))

    def is_overdue(self, moment: datetime, time_budget: timedelta) -> bool:
        """Whether the oldest message has waited long enough to be done even in a call that is not full."""
        return self.oldest is not None and moment - self.oldest >= time_budget


@dataclass(frozen=True, slots=True)
class WantedVideo:
    """A video whose statistics a message asks for, on behalf of a fetch."""

    message_id: int
    fetch_id: int
    external_video_id: str


def fill_calls(wanted: Iterable[WantedVideo], videos_per_call: int) -> list[list[WantedVideo]]:
    """Group what is wanted into calls of up to `videos_per_call` videos; all but the last are full.

    A video that several messages want is asked for once.
    """
    by_video: dict[str, list[WantedVideo]] = {}
    for each in wanted:
        by_video.setdefault(each.external_video_id, []).append(each)
    groups = list(by_video.values())
    return [
        [each for group in groups[start : start + videos_per_call] for each in group]
        for start in range(0, len(groups), videos_per_call)
    ]
