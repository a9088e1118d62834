"""What the sandbox was asked: counts for ever, details of the last requests."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import asdict, dataclass

_RECENT = 500


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One answered request. `query` never holds a key: a request with one in its URL is logged without its query."""

    platform: str
    call: str
    path: str
    query: str
    status: int
    page: int
    fault: str | None


class RequestLog:
    """Counts requests by platform and call, and by platform and status."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.calls: Counter[tuple[str, str]] = Counter()
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.recent: deque[LoggedRequest] = deque(maxlen=_RECENT)
        self.max_video_ids = 0

    def add(self, entry: LoggedRequest, video_ids: int = 0) -> None:
        """Count one request; `video_ids` is how many ids a `videos` call named."""
        self.calls[entry.platform, entry.call] += 1
        self.statuses[entry.platform, entry.status] += 1
        self.recent.append(entry)
        self.max_video_ids = max(self.max_video_ids, video_ids)

    def count(self, platform: str | None = None, call: str | None = None) -> int:
        """How many requests there were, of a platform or a call if given."""
        return sum(
            number
            for (of_platform, of_call), number in self.calls.items()
            if platform in {None, of_platform} and call in {None, of_call}
        )

    def as_json(self) -> dict[str, object]:
        """The same as plain data."""
        return {
            "total": self.calls.total(),
            "calls": _nested(self.calls),
            "statuses": _nested(self.statuses),
            "max_video_ids": self.max_video_ids,
            "recent": [asdict(entry) for entry in self.recent],
        }


def _nested(counter: Counter[tuple[str, str]] | Counter[tuple[str, int]]) -> dict[str, dict[str, int]]:
    nested: dict[str, dict[str, int]] = {}
    for (platform, key), number in counter.items():
        nested.setdefault(platform, {})[str(key)] = number
    return nested
