"""Clients of the platforms: one service per platform behind one interface, PlatformService.

docs/platforms.md describes the wire formats, their peculiarities and their errors.
"""

from blogger_tracking.platforms.config import PlatformConfig
from blogger_tracking.platforms.registry import create_service
from blogger_tracking.platforms.service import PlatformService
from blogger_tracking.platforms.youtube import MAX_VIDEO_IDS, YouTubeService
from blogger_tracking.rate_limit import RateLimiter, SharedRateLimiter

__all__ = [
    "MAX_VIDEO_IDS",
    "PlatformConfig",
    "PlatformService",
    "RateLimiter",
    "SharedRateLimiter",
    "YouTubeService",
    "create_service",
]
