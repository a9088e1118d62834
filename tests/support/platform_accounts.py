"""Invented accounts for the platform clients, and a clock that records requested sleeps."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from blogger_tracking.domain.clock import Clock
from blogger_tracking.domain.models import Account, Platform

KEY = "k3y-0f-an-1nvented-pr0ject"

ACCOUNTS = {
    Platform.TIKTOK: Account(
        platform=Platform.TIKTOK, external_id="6800000000000000123", sec_id="MS4wLjABinvented", username="mira.invented"
    ),
    Platform.INSTAGRAM: Account(platform=Platform.INSTAGRAM, external_id="4400001234", username="mira.invented"),
    Platform.YOUTUBE: Account(
        platform=Platform.YOUTUBE, external_id="UCinvented_Mira_00000001", username="mira-invented"
    ),
}


@dataclass
class StoppedClock:
    """A fixed clock. `sleep` records the duration and advances the clock at once instead of sleeping."""

    moment: datetime = datetime(2026, 3, 10, 20, 0, tzinfo=UTC)
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.moment += timedelta(seconds=seconds)

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.moment, sleep=self.sleep)
