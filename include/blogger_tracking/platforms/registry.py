"""Which service speaks to which platform."""

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
    """The service of a platform, by its name as it stands in the database.

    Services of one process share connections (per address), however often they are created, and keep the platform's
    pace together; a SharedPace makes that all processes of a database.
    Raises ConfigurationError for a platform that nobody speaks to.
    """
    try:
        service = _SERVICES[Platform(platform)]
    except (ValueError, KeyError):
        known = ", ".join(_SERVICES)
        raise ConfigurationError(f"Unknown platform {str(platform)!r}: known are {known}.") from None
    return service(config, settings=settings, clock=clock, rate_limiter=rate_limiter)
