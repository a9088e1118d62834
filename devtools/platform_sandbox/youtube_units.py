"""The daily units of a YouTube key: counted per call, also invalid ones, until midnight Pacific."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from zoneinfo import ZoneInfo

_PACIFIC = ZoneInfo("America/Los_Angeles")


class DailyUnits:
    """Counts units by key and Pacific day."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._used: Counter[tuple[str, date]] = Counter()

    def charge(self, key: str, now: datetime) -> bool:
        """Use one unit; False when the day's are gone."""
        day = now.astimezone(_PACIFIC).date()
        if self._used[key, day] >= self.budget:
            return False
        self._used[key, day] += 1
        return True

    def clear(self) -> None:
        """Forget what was used."""
        self._used.clear()

    def used(self, now: datetime) -> int:
        """Units that all keys used today."""
        today = now.astimezone(_PACIFIC).date()
        return sum(units for (_, day), units in self._used.items() if day == today)
