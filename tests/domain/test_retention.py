"""Rules of retention."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.retention import (
    MONTHS_AHEAD,
    Month,
    droppable_months,
    month_of,
    months_ahead,
    old_statistics,
    statistics_cutoffs,
)

DAYS = st.dates(date(1970, 1, 1), date(2999, 1, 1))
LIMITS = st.fixed_dictionaries({platform: st.none() | st.integers(1, 4000) for platform in Platform})


@given(DAYS)
def test_a_month_begins_on_its_first_day_and_ends_before_the_next(day: date) -> None:
    month = month_of(day)
    assert month.first_day <= day < month.next_first_day
    assert (month.first_day.day, month.next_first_day.day) == (1, 1)
    assert month_of(month.next_first_day - timedelta(days=1)) == month


@given(DAYS)
def test_the_months_ahead_follow_each_other_from_the_current_one(today: date) -> None:
    months = months_ahead(today)
    assert len(months) == 1 + MONTHS_AHEAD
    assert months[0] == month_of(today)
    assert all(left.next_first_day == right.first_day for left, right in pairwise(months))


def test_a_platform_without_a_limit_has_no_cutoff() -> None:
    today = date(2026, 3, 1)
    days = {Platform.TIKTOK: None, Platform.INSTAGRAM: 1, Platform.YOUTUBE: 30}
    assert statistics_cutoffs(days, today) == {
        Platform.INSTAGRAM: date(2026, 2, 28),
        Platform.YOUTUBE: date(2026, 1, 30),
    }


@given(LIMITS, DAYS, st.lists(DAYS, max_size=20))
def test_every_day_is_dropped_or_removed_exactly_if_its_platforms_limit_is_over(
    limits: dict[Platform, int | None], today: date, days: list[date]
) -> None:
    cutoffs = statistics_cutoffs(limits, today)
    months = sorted({month_of(day) for day in days})
    dropped = droppable_months(months, cutoffs)
    removed = old_statistics([month for month in months if month not in dropped], cutoffs)
    for day in days:
        for platform in Platform:
            limit = limits[platform]
            goes = month_of(day) in dropped or any(
                each.platform is platform and each.first_day <= day < each.end for each in removed
            )
            assert goes == (limit is not None and day < today - timedelta(days=limit))


@given(LIMITS, DAYS)
def test_old_statistics_stay_within_one_month(limits: dict[Platform, int | None], today: date) -> None:
    months: list[Month] = [month_of(today), *months_ahead(today - timedelta(days=200))]
    for each in old_statistics(months, statistics_cutoffs(limits, today)):
        assert month_of(each.first_day) == month_of(each.end - timedelta(days=1))
