"""Everything one sandbox holds while it runs."""

from __future__ import annotations

from devtools.platform_sandbox.body_cache import BodyCache
from devtools.platform_sandbox.clock import SimulatedClock
from devtools.platform_sandbox.faults import FaultBook
from devtools.platform_sandbox.instagram import InstagramApi
from devtools.platform_sandbox.options import SandboxOptions
from devtools.platform_sandbox.platform_api import PlatformApi
from devtools.platform_sandbox.request_log import RequestLog
from devtools.platform_sandbox.tiktok import TikTokApi
from devtools.platform_sandbox.world import World
from devtools.platform_sandbox.youtube import YouTubeApi


class SandboxState:
    """The world and its clock, the three APIs over it, the faults that are set and what was asked."""

    def __init__(self, options: SandboxOptions) -> None:
        self.options = options
        self.world = World(options.seed, options.creators_per_platform)
        self.clock = SimulatedClock(options.time)
        self.faults = FaultBook()
        self.log = RequestLog()
        self.cache = BodyCache(options.cache_bytes)
        self.youtube = YouTubeApi(self.world, options)
        self.apis: tuple[PlatformApi, ...] = (
            TikTokApi(self.world, options),
            InstagramApi(self.world, options),
            self.youtube,
        )

    def reset(self) -> None:
        """As it was at the start: no faults, nothing asked, no units used, the options' time."""
        self.faults.clear()
        self.log.clear()
        self.youtube.units.clear()
        self.clock.set(self.options.time)
