"""The subscription rule, one property for each of its three decisions."""

from hypothesis import given
from hypothesis import strategies as st

from blogger_tracking.domain.quotas import MAX_VIDEOS_COUNT, MIN_PARTIAL_FETCH, Grant, QuotaDecision, decide

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
