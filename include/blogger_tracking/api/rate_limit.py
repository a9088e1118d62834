"""How many requests an organization may send."""

from __future__ import annotations

import time
from math import ceil
from uuid import UUID

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from blogger_tracking.domain.request_errors import RateLimitedError


class OrganizationRateLimit:
    """Counts the requests of each organization over a moving minute, in this process. Thread-safe."""

    def __init__(self, requests_per_minute: int) -> None:
        self._limit = RateLimitItemPerMinute(requests_per_minute)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def count(self, organization_id: UUID) -> None:
        """Count one request. Raises RateLimitedError with the seconds until the next one is accepted."""
        if not self._limiter.hit(self._limit, str(organization_id)):
            free_at = self._limiter.get_window_stats(self._limit, str(organization_id)).reset_time
            raise RateLimitedError(max(1, ceil(free_at - time.time())))
