"""Rate limiters: of a process, across processes (GCRA), and of the senders of requests to the HTTP API.

pyrate-limiter counts within a process. Across processes the database keeps one time for each platform
(`database/rate_limits.py`): one statement reserves a block of slots, where a bucket of pyrate-limiter needs rows for
each request.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import cache, lru_cache, partial
from ipaddress import ip_address, ip_network
from math import ceil, floor
from typing import Protocol, cast

from pyrate_limiter import Duration, InMemoryBucket, Limiter, Rate, RateItem

from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.request_errors import RateLimitedError

BLOCK_SECONDS = 0.1
"""Duration of the largest block of slots, in seconds. Unused slots of a block expire after the same time."""


_IPV4 = 4
_IPV6_HOST_NETWORK = 64


class RateLimiter(Protocol):
    """Rate limiter of the requests to all platforms."""

    def acquire(self, platform: Platform, requests_per_second: float) -> None:
        """Wait for a slot, then return: one request may be sent. Thread-safe."""


class ProcessRateLimiter:
    """Rate limiter of the requests that this process sends, per platform."""

    def acquire(self, platform: Platform, requests_per_second: float) -> None:
        """Wait for a slot of this process."""
        process_limiter(platform, requests_per_second).try_acquire(platform.slug)


class SharedRateLimiter(ProcessRateLimiter):
    """Cross-process rate limiter (GCRA). Reserves slots in blocks: most requests need no database round trip.

    `reserve_slots` reserves a duration of a platform's time for this process and returns the seconds until the
    reserved time begins. One SharedRateLimiter serves all platform services of a process.
    """

    def __init__(self, reserve_slots: Callable[[Platform, timedelta], float]) -> None:
        self._reservations = {platform: SlotReservations(partial(reserve_slots, platform)) for platform in Platform}

    def acquire(self, platform: Platform, requests_per_second: float) -> None:
        """Wait for a slot.

        Exceptions from `reserve_slots` propagate: without the shared state the rate limit cannot be kept, so no
        request is sent.
        """
        super().acquire(platform, requests_per_second)
        self._reservations[platform].acquire(requests_per_second)


class SlotReservations:
    """Slots of this process at one platform, reserved in blocks. Thread-safe.

    A block of n slots takes n / requests_per_second seconds of the platform's time. Other processes cannot use the
    unused slots of a block, so a process starts with blocks of one slot, doubles the size while it uses up its blocks,
    and otherwise reduces the size to the number of used slots. Unused slots expire BLOCK_SECONDS after the block's
    start, so that old slots are not used in a burst beside the new blocks of other processes. In any T seconds all
    processes together acquire at most T * requests_per_second slots plus two blocks of the largest size.
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
        self._block_size = 1
        self._slots_left = 0
        self._expires_at = float("-inf")

    def acquire(self, requests_per_second: float) -> None:
        """Wait for a slot. Exceptions from `reserve` propagate, and no slot is taken then."""
        # Threads wait while holding the lock, so that a process reserves at most one block in advance.
        with self._lock:
            expired = self._monotonic() >= self._expires_at
            if expired or not self._slots_left:
                self._reserve_block(requests_per_second, expired=expired)
            self._slots_left -= 1

    def _reserve_block(self, requests_per_second: float, *, expired: bool) -> None:
        wanted = self._block_size - self._slots_left if expired else 2 * self._block_size
        size = block_size(wanted, requests_per_second)
        seconds_until_start = self._reserve(block_duration(size, requests_per_second))
        self._expires_at = self._monotonic() + seconds_until_start + BLOCK_SECONDS
        self._block_size = self._slots_left = size
        self._sleep(seconds_until_start)


def block_size(wanted: int, requests_per_second: float) -> int:
    """Return the number of slots to reserve: `wanted`, but at least one and at most the slots of BLOCK_SECONDS."""
    return max(1, min(wanted, floor(requests_per_second * BLOCK_SECONDS)))


def block_duration(size: int, requests_per_second: float) -> timedelta:
    """Return the time that `size` slots take, rounded up to whole microseconds, Postgres' resolution."""
    return timedelta(microseconds=ceil(1_000_000 * size / requests_per_second))


@cache
def process_limiter(
    platform: Platform,  # noqa: ARG001 - part of the cache's key: platforms of the same rate do not share a limiter
    requests_per_second: float,
) -> Limiter:
    """Return this process's limiter of a platform, a sliding window of about a second."""
    requests_per_window = max(1, floor(requests_per_second))
    window_milliseconds = round(1000 * requests_per_window / requests_per_second)
    # Measured with 64 threads at 100 requests a second: 0.4% of a core, a sixth of a leaky bucket's CPU time, which
    # wakes all waiting threads for every slot; the moving window of the library `limits` took 0.6%.
    return Limiter(Rate(requests_per_window, max(1, window_milliseconds)), buffer_ms=1)


# A lock that another thread of the parent holds at the fork would never be released in the child.
os.register_at_fork(after_in_child=process_limiter.cache_clear)


_SENDERS_IN_MEMORY = 1024
"""Maximum number of senders whose requests are counted; the least recently active one is dropped first."""


class RequestRateLimiter:
    """Rate limiter of the HTTP API: requests of each sender in a sliding minute, in this process. Thread-safe.

    `sender` is the subject of the error's sentence.
    """

    def __init__(
        self, sender: str, requests_per_minute: int, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        # pyrate-limiter counts the requests at both ends of an interval: one millisecond less is a minute.
        rates = [Rate(requests_per_minute, int(Duration.MINUTE) - 1)]
        self._sender = sender
        self._bucket_of = lru_cache(_SENDERS_IN_MEMORY)(lambda _sender_id: InMemoryBucket(rates))
        self._monotonic = monotonic
        self._lock = threading.Lock()

    def count(self, sender_id: str) -> None:
        """Count one request. Raises RateLimitedError with the seconds until the next request is accepted."""
        with self._lock:
            bucket = self._bucket_of(sender_id)
            request = RateItem(sender_id, int(1000 * self._monotonic()))
            bucket.leak(request.timestamp)
            if not bucket.put(request):
                # Only asynchronous buckets return an awaitable.
                milliseconds = cast("int", bucket.waiting(request))
                raise RateLimitedError(self._sender, max(1, ceil(milliseconds / 1000)))


class StrangerRateLimiter:
    """Rate limiter of requests without a valid access token, in this process: by address, and of all addresses.

    Nothing is saved in the database, so that strangers cost no row.
    """

    def __init__(self, requests_per_minute_of_address: int, requests_per_minute: int) -> None:
        self._of_address = RequestRateLimiter("This address", requests_per_minute_of_address)
        self._of_all = RequestRateLimiter("The total of callers without a valid access token", requests_per_minute)

    def count(self, address: str) -> None:
        """Count one request. An address over its own rate does not use up the rate of all. Raises RateLimitedError."""
        self._of_address.count(network_of(address))
        self._of_all.count("")


def network_of(address: str) -> str:
    """Return the sender that an IP address stands for: the address itself, or the /64 network of an IPv6 address.

    A single host usually has a whole /64 network.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == _IPV4:
        return address
    return str(ip_network((parsed, _IPV6_HOST_NETWORK), strict=False))
