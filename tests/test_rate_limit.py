"""The pace that processes keep together, on a clock that stands still unless somebody sleeps."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blogger_tracking.domain.models import Platform
from blogger_tracking.rate_limit import BLOCK_SECONDS, SharedRateLimiter, SlotReservations, block_size, block_span

PACES = st.floats(min_value=0.1, max_value=1000)


@dataclass
class Place:
    """What processes share, on a clock of its own: the next free moment."""

    now: float = 0.0
    free_from: float = 0.0
    spans: list[timedelta] = field(default_factory=list)

    def reserve(self, span: timedelta) -> float:
        begin = max(self.now, self.free_from)
        self.free_from = begin + span.total_seconds()
        self.spans.append(span)
        return begin - self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def turns(self) -> SlotReservations:
        return SlotReservations(self.reserve, monotonic=lambda: self.now, sleep=self.sleep)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(min_value=0, max_value=0.3)), min_size=30, max_size=120),
    st.floats(min_value=1, max_value=200),
)
def test_processes_together_keep_the_pace_in_any_span_of_time(
    starts: list[tuple[int, float]], rate_limiter: float
) -> None:
    place = Place()
    processes = [place.turns() for _ in range(4)]
    taken = []
    for process, pause in starts:
        place.now += pause
        processes[process].take(rate_limiter)
        taken.append(place.now)
    blocks = 2 * block_size(1000, rate_limiter)
    for first, begin in enumerate(taken):
        for last in range(first, len(taken)):
            assert last - first + 1 <= (taken[last] - begin) * rate_limiter + blocks + 1e-6


def test_who_is_alone_and_busy_gets_the_whole_pace_for_few_reservations() -> None:
    place = Place()
    turns = place.turns()
    for _ in range(1000):
        turns.take(100)
    assert place.now == pytest.approx(10, abs=2 * BLOCK_SECONDS)
    assert len(place.spans) == pytest.approx(100, abs=10)


def test_a_single_request_takes_the_time_of_one_only() -> None:
    place = Place()
    turns = place.turns()
    for _ in range(5):
        turns.take(100)
        place.now += 60
    assert place.spans == [timedelta(milliseconds=10)] * 5


def test_the_rest_of_a_block_ends_with_its_time() -> None:
    place = Place()
    turns = place.turns()
    for _ in range(8):
        turns.take(100)
    reserved = len(place.spans)
    place.now += 2 * BLOCK_SECONDS
    turns.take(100)
    assert len(place.spans) == reserved + 1


def test_a_refused_reservation_is_told_and_gives_no_turn() -> None:
    place = Place()
    request_errors = [True]

    def reserve(span: timedelta) -> float:
        if request_errors.pop():
            raise ConnectionError
        return place.reserve(span)

    turns = SlotReservations(reserve, monotonic=lambda: place.now, sleep=place.sleep)
    with pytest.raises(ConnectionError):
        turns.take(10)
    request_errors.append(False)
    turns.take(10)
    assert len(place.spans) == 1


def test_threads_that_wait_at_once_wait_for_the_same_block() -> None:
    place = Place()
    turns = place.turns()
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda _: turns.take(100), range(200)))
    assert len(place.spans) < 30


@given(st.integers(1, 10_000), PACES)
def test_a_block_takes_no_less_time_than_its_requests_at_the_pace(wanted: int, rate_limiter: float) -> None:
    size = block_size(wanted, rate_limiter)
    assert 1 <= size <= max(1, wanted)
    assert size == 1 or size <= rate_limiter * BLOCK_SECONDS
    assert block_span(size, rate_limiter).total_seconds() >= size / rate_limiter - 1e-9


def test_platforms_do_not_wait_for_each_other() -> None:
    entered = threading.Event()
    let_go = threading.Event()

    def reserve(platform: Platform, span: timedelta) -> float:
        if platform is Platform.TIKTOK:
            entered.set()
            let_go.wait(timeout=30)
        return span.total_seconds() * 0

    rate_limiter = SharedRateLimiter(reserve)
    waiting = threading.Thread(target=rate_limiter.acquire, args=(Platform.TIKTOK, 1009.0))
    waiting.start()
    entered.wait(timeout=30)
    rate_limiter.acquire(Platform.YOUTUBE, 1009.0)
    still_waiting = waiting.is_alive()
    let_go.set()
    waiting.join()
    assert still_waiting


def test_what_reserving_raises_reaches_who_asks(refusing: Callable[[Platform, timedelta], float]) -> None:
    with pytest.raises(ConnectionError):
        SharedRateLimiter(refusing).acquire(Platform.INSTAGRAM, 1013.0)


@pytest.fixture
def refusing() -> Callable[[Platform, timedelta], float]:
    def reserve(platform: Platform, span: timedelta) -> float:
        raise ConnectionError(platform, span)

    return reserve
