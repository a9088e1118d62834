"""The subscription rule: contracts section 2."""

from hypothesis import given
from hypothesis import strategies as st

from blogger_tracking.domain.quotas import MIN_PARTIAL_FETCH, Grant, QuotaDecision, decide

counts = st.integers(1, 500)
limits = st.integers(-1000, 2000)


@given(asked=counts, remaining=limits)
def test_enough_left_gives_all(asked: int, remaining: int) -> None:
    if remaining >= asked:
        assert decide(asked, remaining) == Grant(QuotaDecision.FULL, asked)


@given(asked=counts, remaining=limits)
def test_at_least_ten_left_gives_what_is_left(asked: int, remaining: int) -> None:
    if MIN_PARTIAL_FETCH <= remaining < asked:
        assert decide(asked, remaining) == Grant(QuotaDecision.PARTIAL, remaining)


@given(asked=counts, remaining=limits)
def test_less_than_ten_and_less_than_asked_gives_nothing(asked: int, remaining: int) -> None:
    if remaining < min(asked, MIN_PARTIAL_FETCH):
        assert decide(asked, remaining) == Grant(QuotaDecision.SKIP, 0)


def test_the_smallest_partial_fetch_is_ten() -> None:
    assert MIN_PARTIAL_FETCH == 10
