"""What every platform answers, whatever its wire format."""

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
    """One platform. Thread-safe; meant to be created once and used for many fetches.

    Both questions raise PlatformError, and let through what the pace raises. PRIVATE and NOT_FOUND are answers about
    the account; a service never returns an empty batch for them, nor for a body that it could not read.
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
        requests_per_second = config.requests_per_second or self._requests_per_second(self._settings)
        self._http = HttpClient(
            self.platform,
            config,
            self._headers(config),
            acquire=partial((rate_limiter or ProcessRateLimiter()).acquire, self.platform, requests_per_second),
            settings=self._settings,
            clock=clock,
        )

    @abstractmethod
    def get_user_info(self, username: str) -> BloggerProfile:
        """The profile of a blogger by name, with or without a leading `@`."""

    @abstractmethod
    def get_user_videos_batch(self, account: Account, target_count: int, max_pages: int | None = None) -> VideoBatch:
        """The newest videos of an account, at most `target_count`, newest first, unique by id.

        At most `max_pages` pages are read, by default what the target needs plus `extra_pages` of the settings.
        A fault after the first page ends the reading and stands in the batch's `interrupted_by`.
        An empty batch without it means: the account has no videos. Raises ValueError for a target below one.
        """

    def _page_bound(self, target_count: int, max_pages: int | None, page_size: int) -> int:
        needed = pages_needed(target_count, page_size)
        return needed + self._settings.extra_pages if max_pages is None else max_pages

    @staticmethod
    @abstractmethod
    def _headers(config: PlatformConfig) -> Mapping[str, str]:
        """The headers that carry the key."""

    @staticmethod
    @abstractmethod
    def _requests_per_second(settings: Settings) -> float:
        """The pace of this platform when its connection names none."""
