"""Rate limiters, on a clock that advances only by sleeping."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.request_errors import RateLimitedError
from blogger_tracking.rate_limit import (
    BLOCK_SECONDS,
    RequestRateLimiter,
    SharedRateLimiter,
    SlotReservations,
    StrangerRateLimiter,
    block_duration,
    block_size,
    network_of,
)

RATES = st.floats(min_value=0.1, max_value=1000)


@dataclass
class SharedState:
    """The state that processes share (as in the database), on a clock of its own."""

    now: float = 0.0
    next_free_at: float = 0.0
    reserved: list[timedelta] = field(default_factory=list)

    def reserve(self, duration: timedelta) -> float:
        start = max(self.now, self.next_free_at)
        self.next_free_at = start + duration.total_seconds()
        self.reserved.append(duration)
        return start - self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def process(self) -> SlotReservations:
        return SlotReservations(self.reserve, monotonic=lambda: self.now, sleep=self.sleep)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(min_value=0, max_value=0.3)), min_size=30, max_size=120),
    st.floats(min_value=1, max_value=200),
)
def test_all_processes_together_keep_the_rate_limit_over_any_interval(
    requests: list[tuple[int, float]], requests_per_second: float
) -> None:
    state = SharedState()
    processes = [state.process() for _ in range(4)]
    sent = []
    for process, pause in requests:
        state.now += pause
        processes[process].acquire(requests_per_second)
        sent.append(state.now)
    two_blocks = 2 * block_size(1000, requests_per_second)
    for first, start in enumerate(sent):
        for last in range(first, len(sent)):
            assert last - first + 1 <= (sent[last] - start) * requests_per_second + two_blocks + 1e-6


def test_a_single_busy_process_gets_the_full_rate_with_few_reservations() -> None:
    state = SharedState()
    process = state.process()
    for _ in range(1000):
        process.acquire(100)
    assert state.now == pytest.approx(10, abs=2 * BLOCK_SECONDS)
    assert len(state.reserved) == pytest.approx(100, abs=10)


def test_a_single_request_reserves_a_single_slot() -> None:
    state = SharedState()
    process = state.process()
    for _ in range(5):
        process.acquire(100)
        state.now += 60
    assert state.reserved == [timedelta(milliseconds=10)] * 5


def test_unused_slots_expire_with_their_block() -> None:
    state = SharedState()
    process = state.process()
    for _ in range(8):
        process.acquire(100)
    reservations = len(state.reserved)
    state.now += 2 * BLOCK_SECONDS
    process.acquire(100)
    assert len(state.reserved) == reservations + 1


def test_a_failed_reservation_raises_and_gives_no_slot() -> None:
    state = SharedState()
    failures = [True]

    def reserve(duration: timedelta) -> float:
        if failures.pop():
            raise ConnectionError
        return state.reserve(duration)

    process = SlotReservations(reserve, monotonic=lambda: state.now, sleep=state.sleep)
    with pytest.raises(ConnectionError):
        process.acquire(10)
    failures.append(False)
    process.acquire(10)
    assert len(state.reserved) == 1


def test_concurrent_threads_share_a_block() -> None:
    state = SharedState()
    process = state.process()
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda _: process.acquire(100), range(200)))
    assert len(state.reserved) < 30


@given(st.integers(1, 10_000), RATES)
def test_a_block_lasts_at_least_as_long_as_its_slots_at_the_rate(wanted: int, requests_per_second: float) -> None:
    size = block_size(wanted, requests_per_second)
    assert 1 <= size <= max(1, wanted)
    assert size == 1 or size <= requests_per_second * BLOCK_SECONDS
    assert block_duration(size, requests_per_second).total_seconds() >= size / requests_per_second - 1e-9


def test_platforms_do_not_wait_for_each_other() -> None:
    entered = threading.Event()
    release = threading.Event()

    def reserve_slots(platform: Platform, duration: timedelta) -> float:
        if platform is Platform.TIKTOK:
            entered.set()
            release.wait(timeout=30)
        return duration.total_seconds() * 0

    rate_limiter = SharedRateLimiter(reserve_slots)
    waiting = threading.Thread(target=rate_limiter.acquire, args=(Platform.TIKTOK, 1009.0))
    waiting.start()
    entered.wait(timeout=30)
    rate_limiter.acquire(Platform.YOUTUBE, 1009.0)
    still_waiting = waiting.is_alive()
    release.set()
    waiting.join()
    assert still_waiting


@pytest.fixture
def failing() -> Callable[[Platform, timedelta], float]:
    def reserve_slots(platform: Platform, duration: timedelta) -> float:
        raise ConnectionError(platform, duration)

    return reserve_slots


def test_exceptions_from_reserve_slots_propagate(failing: Callable[[Platform, timedelta], float]) -> None:
    with pytest.raises(ConnectionError):
        SharedRateLimiter(failing).acquire(Platform.INSTAGRAM, 1013.0)


def test_requests_beyond_a_senders_limit_raise_the_seconds_to_wait() -> None:
    rate_limiter = RequestRateLimiter("This person", requests_per_minute=3)
    for _ in range(3):
        rate_limiter.count("one")
    with pytest.raises(RateLimitedError) as raised:
        rate_limiter.count("one")
    assert 1 <= raised.value.retry_after <= 60


def test_senders_are_limited_separately() -> None:
    rate_limiter = RequestRateLimiter("This person", requests_per_minute=1)
    rate_limiter.count("one")
    rate_limiter.count("other")
    with pytest.raises(RateLimitedError):
        rate_limiter.count("one")


def test_a_sender_is_accepted_again_after_the_seconds_to_wait() -> None:
    state = SharedState()
    rate_limiter = RequestRateLimiter("This person", requests_per_minute=2, monotonic=lambda: state.now)
    for _ in range(2):
        rate_limiter.count("one")
    state.now = 30
    with pytest.raises(RateLimitedError) as raised:
        rate_limiter.count("one")
    assert raised.value.retry_after == 30
    state.now += raised.value.retry_after
    rate_limiter.count("one")


def test_concurrent_requests_of_a_sender_never_exceed_its_limit() -> None:
    rate_limiter = RequestRateLimiter("This person", requests_per_minute=50)

    def is_accepted(_: int) -> bool:
        try:
            rate_limiter.count("one")
        except RateLimitedError:
            return False
        return True

    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(is_accepted, range(200))) == 50


def test_an_ipv6_network_is_one_sender_and_an_ipv4_address_is_one() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1") != network_of("2001:db8:0:1::1")
    assert network_of("192.0.2.1") != network_of("192.0.2.2")
    assert network_of("testclient") == "testclient"


def test_an_address_over_its_limit_leaves_the_total_of_strangers_to_others() -> None:
    strangers = StrangerRateLimiter(2, 4)
    for _ in range(10):
        with suppress(RateLimitedError):
            strangers.count("192.0.2.1")
    strangers.count("192.0.2.2")
    strangers.count("192.0.2.2")
    with pytest.raises(RateLimitedError):
        strangers.count("192.0.2.3")
