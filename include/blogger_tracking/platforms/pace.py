"""Who keeps the pace at which a platform is asked: a process for itself, or all processes together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Protocol

from blogger_tracking.domain.models import Platform
from blogger_tracking.platforms.pools import limiter_for
from blogger_tracking.rate_limit import SlotReservations


class RateLimiter(Protocol):
    """Something that every request to a platform waits for."""

    def acquire(self, platform: Platform, requests_per_second: float) -> None:
        """Return when one more request may be sent. Thread-safe."""


class ProcessRateLimiter:
    """This process for itself: in no second more requests than the pace."""

    def acquire(self, platform: Platform, requests_per_second: float) -> None:
        """Return when one more request may be sent."""
        limiter_for(platform, requests_per_second).try_acquire(platform.slug)


class SharedRateLimiter(ProcessRateLimiter):
    """All processes together that reserve in the same place. One of it serves all services of a process.

    `reserve` takes a span of a platform's time for this process alone, and returns the seconds until it begins. What
    it raises is let through: a platform is not asked by anybody who cannot know how often the others ask it.
    """

    def __init__(self, reserve: Callable[[Platform, timedelta], float]) -> None:
        self._turns = {platform: SlotReservations(partial(reserve, platform)) for platform in Platform}

    def acquire(self, platform: Platform, requests_per_second: float) -> None:
        """Return when one more request may be sent. Raises what `reserve` raises."""
        super().acquire(platform, requests_per_second)
        self._turns[platform].take(requests_per_second)
