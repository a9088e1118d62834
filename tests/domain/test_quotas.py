"""The subscription rule, one property for each of its three decisions, and the projection of a period's usage."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blogger_tracking.domain.quotas import (
    MAX_VIDEOS_COUNT,
    MIN_PARTIAL_FETCH,
    Grant,
    QuotaDecision,
    decide,
    projected_end,
)

START = datetime(2026, 1, 1, tzinfo=UTC)

counts = st.integers(1, MAX_VIDEOS_COUNT)
counts_above_the_minimum = st.integers(MIN_PARTIAL_FETCH + 1, MAX_VIDEOS_COUNT)


@st.composite
def enough_for_a_partial_fetch(draw: st.DrawFn) -> tuple[int, int]:
    asked = draw(counts_above_the_minimum)
    return asked, draw(st.integers(MIN_PARTIAL_FETCH, asked - 1))


@st.composite
def too_little_for_any_fetch(draw: st.DrawFn) -> tuple[int, int]:
    asked = draw(counts)
    return asked, draw(st.integers(-1000, min(asked, MIN_PARTIAL_FETCH) - 1))


@given(asked=counts, beyond=st.integers(0, 2000))
def test_a_quota_of_at_least_the_asked_count_gives_all(asked: int, beyond: int) -> None:
    assert decide(asked, asked + beyond) == Grant(QuotaDecision.FULL, asked)


@given(enough_for_a_partial_fetch())
def test_a_smaller_quota_of_at_least_ten_gives_the_rest_of_the_quota(asked_and_remaining: tuple[int, int]) -> None:
    asked, remaining = asked_and_remaining
    assert decide(asked, remaining) == Grant(QuotaDecision.PARTIAL, remaining)


@given(too_little_for_any_fetch())
def test_a_quota_below_ten_and_below_the_asked_count_gives_nothing(asked_and_remaining: tuple[int, int]) -> None:
    assert decide(*asked_and_remaining) == Grant(QuotaDecision.SKIP, 0)


def test_the_smallest_partial_fetch_is_ten() -> None:
    assert MIN_PARTIAL_FETCH == 10


@pytest.mark.parametrize(
    ("used", "days"),
    [
        (0, None),
        (25, None),
        (33, None),
        (34, 100 / 34 * 10),
        (50, 20),
        (99, 1000 / 99),
        (100, 10),
        (120, 10),
    ],
)
def test_a_period_is_used_up_when_the_rate_so_far_reaches_the_limit_within_the_period(
    used: int, days: float | None
) -> None:
    at = projected_end(100, used, START, START + timedelta(days=30), START + timedelta(days=10))
    assert at == (None if days is None else START + timedelta(days=days))


def test_at_the_start_of_a_period_there_is_no_rate() -> None:
    assert projected_end(100, 5, START, START + timedelta(days=30), START) is None
