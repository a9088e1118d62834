"""Turns at one platform that processes share: taken in blocks, so that few of them cost a look at what is shared."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from math import ceil, floor

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
