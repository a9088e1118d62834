"""Interface of the platform services, the same for every wire format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import ClassVar

from blogger_tracking.domain.clock import Clock
from blogger_tracking.domain.models import Account, BloggerProfile, Platform
from blogger_tracking.platforms.config import PlatformConfig
from blogger_tracking.platforms.http_client import HttpClient
from blogger_tracking.platforms.listing import VideoBatch
from blogger_tracking.platforms.paging import pages_needed
from blogger_tracking.rate_limit import ProcessRateLimiter, RateLimiter
from blogger_tracking.settings import Settings, get_settings


class PlatformService(ABC):
    """Client of one platform. Thread-safe and long-lived: one service is used for many fetches.

    Both calls raise PlatformError; exceptions from the rate limiter propagate. PRIVATE and NOT_FOUND are results about
    the account. A service never returns an empty batch for them, nor for a malformed body.
    """

    platform: ClassVar[Platform]

    def __init__(
        self,
        config: PlatformConfig,
        *,
        settings: Settings | None = None,
        clock: Clock | None = None,
        rate_limiter: RateLimiter | None = None,
    ) -> None:
        self._settings = settings or get_settings()
        self._clock = clock or Clock()
        requests_per_second = config.requests_per_second or self._requests_per_second(self._settings)
        self._http = HttpClient(
            self.platform,
            config,
            self._headers(config),
            acquire=partial((rate_limiter or ProcessRateLimiter()).acquire, self.platform, requests_per_second),
            settings=self._settings,
            clock=self._clock,
        )

    @abstractmethod
    def get_user_info(self, username: str) -> BloggerProfile:
        """Return the profile of a blogger by username, with or without a leading `@`."""

    @abstractmethod
    def get_user_videos_batch(self, account: Account, target_count: int, max_pages: int | None = None) -> VideoBatch:
        """Return the newest videos of an account, at most `target_count`, newest first, unique by id.

        `max_pages` defaults to the pages that the target needs plus the setting `extra_pages`.
        An error after the first page ends the paging and is the batch's `interrupted_by`.
        An empty batch without `interrupted_by` means that the account has no videos.
        Raises ValueError for a target below one.
        """

    def _max_pages(self, target_count: int, max_pages: int | None, page_size: int) -> int:
        needed = pages_needed(target_count, page_size)
        return needed + self._settings.extra_pages if max_pages is None else max_pages

    @staticmethod
    @abstractmethod
    def _headers(config: PlatformConfig) -> Mapping[str, str]:
        """Return the headers that authenticate a request."""

    @staticmethod
    @abstractmethod
    def _requests_per_second(settings: Settings) -> float:
        """Return the platform's rate limit for a Connection that sets none."""
