"""State of one running sandbox: its world, simulated clock, injected faults and request log."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from devtools.platform_sandbox.faults import FaultRegistry
from devtools.platform_sandbox.http_messages import ResponseCache
from devtools.platform_sandbox.instagram_api import InstagramApi
from devtools.platform_sandbox.platform_api import PlatformApi
from devtools.platform_sandbox.sandbox_options import SandboxOptions
from devtools.platform_sandbox.tiktok_api import TikTokApi
from devtools.platform_sandbox.world import World
from devtools.platform_sandbox.youtube_api import YouTubeApi

_RECENT_REQUESTS = 500


class SimulatedClock:
    """The sandbox's clock: the real time, optionally shifted, or a fixed moment.

    Setting the clock stops it; advancing a running clock keeps it running.
    """

    def __init__(self, fixed: datetime | None = None) -> None:
        self._fixed = fixed
        self._offset = timedelta()

    def now(self) -> datetime:
        """Return the simulated time in UTC."""
        if self._fixed is not None:
            return self._fixed
        return datetime.now(UTC) + self._offset

    def set(self, now: datetime | None) -> None:
        """Stop the clock at this moment; None makes it follow the real time again."""
        self._fixed = now
        self._offset = timedelta()

    def advance(self, seconds: float) -> None:
        """Move the clock forward, or back by a negative number of seconds."""
        if self._fixed is None:
            self._offset += timedelta(seconds=seconds)
        else:
            self._fixed += timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One answered request. `query` is empty if the URL contained a key, so that no key is ever logged."""

    platform: str
    call: str
    path: str
    query: str
    status: int
    page: int
    fault: str | None


class RequestLog:
    """Counts of all requests by platform and call and by platform and status, and the last 500 requests."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Reset all counts and drop the recent requests."""
        self.calls: Counter[tuple[str, str]] = Counter()
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.recent: deque[LoggedRequest] = deque(maxlen=_RECENT_REQUESTS)
        self.max_video_ids = 0

    def add(self, entry: LoggedRequest, video_ids: int = 0) -> None:
        """Count one request; `video_ids` is the number of ids in a `videos` call."""
        self.calls[entry.platform, entry.call] += 1
        self.statuses[entry.platform, entry.status] += 1
        self.recent.append(entry)
        self.max_video_ids = max(self.max_video_ids, video_ids)

    def count(self, platform: str | None = None, call: str | None = None) -> int:
        """Return the number of requests, optionally only those of one platform or one call."""
        return sum(
            number
            for (of_platform, of_call), number in self.calls.items()
            if platform in {None, of_platform} and call in {None, of_call}
        )

    def as_json(self) -> dict[str, object]:
        """Return the counts and the recent requests as plain data."""
        return {
            "total": self.calls.total(),
            "calls": _nested(self.calls),
            "statuses": _nested(self.statuses),
            "max_video_ids": self.max_video_ids,
            "recent": [asdict(entry) for entry in self.recent],
        }


class SandboxState:
    """The world and its clock, the three APIs, the injected faults, the response cache and the request log."""

    def __init__(self, options: SandboxOptions) -> None:
        self.options = options
        self.world = World(options.seed, options.creators_per_platform)
        self.clock = SimulatedClock(options.time)
        self.faults = FaultRegistry()
        self.log = RequestLog()
        self.cache = ResponseCache(options.cache_bytes)
        self.youtube = YouTubeApi(self.world, options)
        self.apis: tuple[PlatformApi, ...] = (
            TikTokApi(self.world, options),
            InstagramApi(self.world, options),
            self.youtube,
        )

    def reset(self) -> None:
        """Restore the initial state: no faults, an empty log, no units used, the time of the options."""
        self.faults.clear()
        self.log.clear()
        self.youtube.units.clear()
        self.clock.set(self.options.time)


def _nested(counter: Counter[tuple[str, str]] | Counter[tuple[str, int]]) -> dict[str, dict[str, int]]:
    nested: dict[str, dict[str, int]] = {}
    for (platform, key), number in counter.items():
        nested.setdefault(platform, {})[str(key)] = number
    return nested
