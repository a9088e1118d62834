"""The platforms: one service per platform behind one interface."""

from blogger_tracking.services.platforms.config import PlatformConfig
from blogger_tracking.services.platforms.http import Clock
from blogger_tracking.services.platforms.pace import Pace, SharedPace
from blogger_tracking.services.platforms.registry import create_service
from blogger_tracking.services.platforms.service import PlatformService
from blogger_tracking.services.platforms.youtube import MAX_VIDEO_IDS, LiveState, YouTubeService, YouTubeVideo

__all__ = [
    "MAX_VIDEO_IDS",
    "Clock",
    "LiveState",
    "Pace",
    "PlatformConfig",
    "PlatformService",
    "SharedPace",
    "YouTubeService",
    "YouTubeVideo",
    "create_service",
]
