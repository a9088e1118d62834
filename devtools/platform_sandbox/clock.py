"""The simulated time: the real clock, or one that stands still until it is moved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class SimulatedClock:
    """Tells the world's time. Setting it stops it; advancing it keeps it running if it ran."""

    def __init__(self, fixed: datetime | None = None) -> None:
        self._fixed = fixed
        self._offset = timedelta()

    def now(self) -> datetime:
        """The simulated moment, UTC."""
        if self._fixed is not None:
            return self._fixed
        return datetime.now(UTC) + self._offset

    def set(self, now: datetime | None) -> None:
        """Stand still at this moment; None follows the real clock again."""
        self._fixed = now
        self._offset = timedelta()

    def advance(self, seconds: float) -> None:
        """Move forward, or back with a negative number."""
        if self._fixed is None:
            self._offset += timedelta(seconds=seconds)
        else:
            self._fixed += timedelta(seconds=seconds)
