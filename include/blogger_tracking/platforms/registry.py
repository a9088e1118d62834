"""Registry of the platform services."""

from __future__ import annotations

from blogger_tracking.domain.clock import Clock
from blogger_tracking.domain.errors import ConfigurationError
from blogger_tracking.domain.models import Platform
from blogger_tracking.platforms.config import PlatformConfig
from blogger_tracking.platforms.instagram import InstagramService
from blogger_tracking.platforms.service import PlatformService
from blogger_tracking.platforms.tiktok import TikTokService
from blogger_tracking.platforms.youtube import YouTubeService
from blogger_tracking.rate_limit import RateLimiter
from blogger_tracking.settings import Settings

_SERVICES: dict[Platform, type[PlatformService]] = {
    Platform.TIKTOK: TikTokService,
    Platform.INSTAGRAM: InstagramService,
    Platform.YOUTUBE: YouTubeService,
}


def create_service(
    platform: Platform | str,
    config: PlatformConfig,
    *,
    settings: Settings | None = None,
    clock: Clock | None = None,
    rate_limiter: RateLimiter | None = None,
) -> PlatformService:
    """Create the service of a platform, given as an enum member or by its name in the database.

    Services of one process share connections (per address) and the process's rate limit, however often they are
    created; a SharedRateLimiter keeps the limit across processes.
    Raises ConfigurationError for an unknown platform.
    """
    try:
        service = _SERVICES[Platform(platform)]
    except (ValueError, KeyError):
        known = ", ".join(_SERVICES)
        raise ConfigurationError(f"Unknown platform {str(platform)!r}: known are {known}.") from None
    return service(config, settings=settings, clock=clock, rate_limiter=rate_limiter)
