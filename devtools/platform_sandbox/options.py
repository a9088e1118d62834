"""What a sandbox can be asked to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from devtools.platform_sandbox.platforms import Platform

DEFAULT_PAGE_SIZES: Mapping[str, int] = {Platform.TIKTOK: 30, Platform.INSTAGRAM: 12, Platform.YOUTUBE: 50}


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """How a sandbox behaves.

    `latency_ms`: mean wait before an answer, ±15%, the same for the same request. `page_sizes`: by platform, at most
    the platform's own. `video_count`: how many videos each creator lists (None: 40 to 160, large ones 600).
    `time`: the simulated moment at which the clock stands still (None: the real clock). `body_bytes`: what a full
    page of TikTok or Instagram weighs, about. `traps`: short pages, repeated items, entries that are no videos.
    `youtube_daily_units`: per key, until midnight Pacific. `bad_keys`: refused as the platform refuses them.
    `redirect_target`: where the redirecting thumbnail leads. `cache_bytes`: rendered bodies kept in memory.
    """

    seed: int = 7
    creators_per_platform: int = 12_000
    latency_ms: float = 0
    page_sizes: Mapping[str, int] = field(default_factory=lambda: dict(DEFAULT_PAGE_SIZES))
    video_count: int | None = None
    time: datetime | None = None
    body_bytes: int = 100_000
    traps: bool = True
    youtube_daily_units: int = 10_000
    bad_keys: frozenset[str] = frozenset({"bad-key"})
    thumbnail_hours: int = 24
    redirect_target: str = "http://169.254.169.254/latest/meta-data/"
    cache_bytes: int = 64_000_000

    def page_size(self, platform: Platform) -> int:
        """The most entries a page of this platform holds."""
        return self.page_sizes.get(platform, DEFAULT_PAGE_SIZES[platform])
