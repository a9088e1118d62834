"""Rules of the two message queues: backoff, dead-lettering, and batching of ids into calls. Pure."""

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
"""Backoff of a message after its first, second … failed attempt (contract of the queues)."""

MAX_ATTEMPTS = len(PAUSES) + 1
"""Number of failed attempts after which a message is parked as a dead letter (contract of the queues)."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """Work that waits in a queue: `items` that may be taken now, the oldest message waiting since `oldest`.

    `more_to_come` is True while fetches are under way that will queue more messages, or while another consumer holds
    messages that may return to the queue.
    """

    items: int
    oldest: datetime | None
    more_to_come: bool

    def fills_a_call(self, items_per_call: int, moment: datetime, max_wait: timedelta) -> bool:
        """Return True for a full call, and for a partial call that need not or must not wait any longer.

        A partial call is made if no more messages are expected, or if the oldest message has waited for `max_wait`.
        """
        if self.items >= items_per_call:
            return True
        return self.items > 0 and (not self.more_to_come or self.is_overdue(moment, max_wait))

    def is_overdue(self, moment: datetime, max_wait: timedelta) -> bool:
        """Return True if the oldest message has waited for at least `max_wait`."""
        return self.oldest is not None and moment - self.oldest >= max_wait


@dataclass(frozen=True, slots=True)
class WantedVideo:
    """A video whose statistics a message requests, on behalf of a fetch."""

    message_id: int
    fetch_id: int
    external_video_id: str


def fill_calls(wanted: Iterable[WantedVideo], videos_per_call: int) -> list[list[WantedVideo]]:
    """Group requested videos into calls of up to `videos_per_call` different videos; all calls but the last are full.

    A video that several messages request is looked up once.
    """
    by_video: dict[str, list[WantedVideo]] = {}
    for each in wanted:
        by_video.setdefault(each.external_video_id, []).append(each)
    groups = list(by_video.values())
    return [
        [each for group in groups[start : start + videos_per_call] for each in group]
        for start in range(0, len(groups), videos_per_call)
    ]
