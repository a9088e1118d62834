"""Options of a sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from devtools.platform_sandbox.world import PlatformName

DEFAULT_PAGE_SIZES: Mapping[str, int] = {PlatformName.TIKTOK: 30, PlatformName.INSTAGRAM: 12, PlatformName.YOUTUBE: 50}


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """Size, speed and behaviour of a sandbox.

    `seed`: the same seed gives the same creators. `latency_ms`: mean delay of a response, ±15 %, constant for the same
    request. `page_sizes`: entries of a full page by platform, at most the platform's own. `video_count`: videos that
    each creator lists (None: 40 to 160, large creators 600). `time`: the moment at which the simulated clock stands
    still (None: the real clock). `body_bytes`: approximate size of a full page of TikTok or Instagram. `traps`: short
    pages, repeated entries, and entries that are no videos. `youtube_daily_units`: quota of each key until midnight
    Pacific. `invalid_keys`: keys rejected with the platform's own error. `thumbnail_hours`: validity of a signed
    thumbnail URL. `redirect_target`: target of the thumbnail that redirects. `cache_bytes`: size of the cache of
    rendered bodies.
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
    invalid_keys: frozenset[str] = frozenset({"invalid-key"})
    thumbnail_hours: int = 24
    redirect_target: str = "http://169.254.169.254/latest/meta-data/"
    cache_bytes: int = 64_000_000

    def page_size(self, platform: PlatformName) -> int:
        """Return the number of entries of a full page of this platform."""
        return self.page_sizes.get(platform, DEFAULT_PAGE_SIZES[platform])
