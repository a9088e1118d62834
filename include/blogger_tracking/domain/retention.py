"""Rules of retention: the moments before which rows are removed, and the months of statistics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from blogger_tracking.domain.models import Platform

MONTHS_AHEAD = 3
"""Months after the current one whose partitions exist ahead; the default partition takes the rows of later ones."""


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month: its first day, and the first day of the next month."""

    first_day: date
    next_first_day: date


@dataclass(frozen=True, slots=True)
class OldStatistics:
    """Statistics of a platform with a `fetched_on` from `first_day` to the day before `end`, within one month."""

    platform: Platform
    first_day: date
    end: date


def month_of(day: date) -> Month:
    """Return the month of a day."""
    first_day = day.replace(day=1)
    return Month(first_day, (first_day + timedelta(days=31)).replace(day=1))


def months_ahead(today: date) -> list[Month]:
    """Return the months whose partitions must exist: the current one and MONTHS_AHEAD later ones."""
    months = [month_of(today)]
    for _ in range(MONTHS_AHEAD):
        months.append(month_of(months[-1].next_first_day))
    return months


def statistics_cutoffs(days: Mapping[Platform, int | None], today: date) -> dict[Platform, date]:
    """Return for each platform with a limited retention the `fetched_on` before which its statistics are removed."""
    return {platform: today - timedelta(days=kept) for platform, kept in days.items() if kept is not None}


def droppable_months(months: Iterable[Month], cutoffs: Mapping[Platform, date]) -> list[Month]:
    """Return the months that are over for all platforms; none while a platform's statistics are kept for ever."""
    if cutoffs.keys() != set(Platform):
        return []
    earliest = min(cutoffs.values())
    return [month for month in months if month.next_first_day <= earliest]


def old_statistics(months: Iterable[Month], cutoffs: Mapping[Platform, date]) -> list[OldStatistics]:
    """Return the statistics that are to be removed row by row, by platform and month."""
    return [
        OldStatistics(platform, month.first_day, min(month.next_first_day, cutoff))
        for platform, cutoff in cutoffs.items()
        for month in months
        if month.first_day < cutoff
    ]
