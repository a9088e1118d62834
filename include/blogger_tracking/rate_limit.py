"""Turns at one platform that processes share: taken in blocks, so that few of them cost a look at what is shared."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import cache, partial
from math import ceil, floor
from typing import Protocol

from pyrate_limiter import Limiter, Rate

from blogger_tracking.domain.models import Platform

BLOCK_SECONDS = 0.1
"""How long the rest of a block may be used, and what the largest block is worth at full pace."""


class SlotReservations:
    """The turns of one process at one platform. Thread-safe: threads that wait at once wait for the same block.

    `reserve` takes a span of time that no other process is given, and returns the seconds until it begins. A block of
    n requests takes n ÷ pace seconds. Blocks follow the demand, because what a process takes and does not use is lost
    to the others; the rest of a block ends with its time, so that it never meets the blocks of others later.
    In any T seconds all processes together take at most T x pace turns and those of two largest blocks.
    """

    def __init__(
        self,
        reserve: Callable[[timedelta], float],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._reserve = reserve
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = threading.Lock()
        self._size = 1
        self._left = 0
        self._ends_at = float("-inf")

    def take(self, requests_per_second: float) -> None:
        """Return when one more request may be sent. What `reserve` raises is let through: then no turn was taken."""
        # Who waits for a block waits inside: a process reserves one block ahead at most, and others get their share.
        with self._lock:
            in_time = self._monotonic() < self._ends_at
            if not (self._left and in_time):
                self._open_block(requests_per_second, in_time=in_time)
            self._left -= 1

    def _open_block(self, requests_per_second: float, *, in_time: bool) -> None:
        wanted = 2 * self._size if in_time else self._size - self._left
        size = block_size(wanted, requests_per_second)
        seconds = self._reserve(block_span(size, requests_per_second))
        self._ends_at = self._monotonic() + seconds + BLOCK_SECONDS
        self._size = self._left = size
        self._sleep(seconds)


def block_size(wanted: int, requests_per_second: float) -> int:
    """The requests of a block: what is wanted, at least one, at most what BLOCK_SECONDS are worth."""
    return max(1, min(wanted, floor(requests_per_second * BLOCK_SECONDS)))


def block_span(size: int, requests_per_second: float) -> timedelta:
    """The time that a block takes, rounded up to what a database can tell apart: never faster than the pace."""
    return timedelta(microseconds=ceil(1_000_000 * size / requests_per_second))


@cache
def limiter_for(
    platform: Platform,  # noqa: ARG001 — the cache's key: two platforms of one pace do not share it
    requests_per_second: float,
) -> Limiter:
    """The process's limiter for a platform: in no second more requests than this."""
    requests_per_window = max(1, floor(requests_per_second))
    window_milliseconds = round(1000 * requests_per_window / requests_per_second)
    # Measured with 64 threads at 100 a second: the sliding window keeps the pace with a sixth of the CPU time
    # of a leaky bucket, whose waiting threads all wake for each single place.
    return Limiter(Rate(requests_per_window, max(1, window_milliseconds)), buffer_ms=1)


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


# A forked child must not wait for a lock that a thread of the parent held.
os.register_at_fork(after_in_child=limiter_for.cache_clear)
