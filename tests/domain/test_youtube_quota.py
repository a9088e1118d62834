"""Reset of YouTube's daily quota, and the budget of units during planning."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blogger_tracking.domain.youtube_quota import PACIFIC, UnitBudget, next_quota_reset


@pytest.mark.parametrize(
    ("now", "reset"),
    [
        ("2026-01-15T12:00:00", "2026-01-16T08:00:00"),
        ("2026-07-15T12:00:00", "2026-07-16T07:00:00"),
        ("2026-07-15T06:59:59", "2026-07-15T07:00:00"),
        ("2026-07-15T07:00:00", "2026-07-16T07:00:00"),
        ("2026-03-08T09:00:00", "2026-03-09T07:00:00"),
        ("2026-11-01T08:00:00", "2026-11-02T08:00:00"),
    ],
)
def test_the_reset_is_the_next_midnight_pacific_in_winter_in_summer_and_when_clocks_change(
    now: str, reset: str
) -> None:
    assert next_quota_reset(datetime.fromisoformat(now).replace(tzinfo=UTC)) == datetime.fromisoformat(reset).replace(
        tzinfo=UTC
    )


@given(st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 — bounds must be naive
def test_the_reset_is_in_the_future_within_a_day_and_at_midnight_pacific(now: datetime) -> None:
    reset = next_quota_reset(now)
    assert now < reset <= now + timedelta(hours=25)
    assert reset.astimezone(PACIFIC).time() == time(0)
    assert reset.tzinfo is UTC


@given(st.lists(st.integers(1, 500), max_size=30), st.integers(0, 400))
def test_planned_fetches_never_need_more_units_than_the_budget_has(counts: list[int], left: int) -> None:
    budget = UnitBudget(left)
    planned = []
    for videos in counts:
        if budget.covers(videos):
            budget.spend(videos)
            planned.append(videos)
    assert sum(ceil(videos / 50) for videos in planned) + ceil(sum(planned) / 50) <= left


def test_a_fetch_with_a_larger_target_spends_only_the_additional_units() -> None:
    budget = UnitBudget(4)
    budget.spend(50)
    assert not budget.covers(101)
    assert budget.covers(100, instead_of=50)
    budget.spend(100, instead_of=50)
    assert not budget.covers(1)


def test_an_unlimited_budget_covers_every_fetch() -> None:
    assert UnitBudget(None).covers(10**9)
