"""Use case: compare this system with the earlier system beside which it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from psycopg import Connection

from blogger_tracking.database.comparison import (
    ComparedBlogger,
    LeftOut,
    UnexplainedCount,
    comparing,
    count_left_out,
    read_bloggers,
    read_unexplained_counts,
    require_views,
)
from blogger_tracking.domain.comparison import DifferenceKind, MissingReason, Window
from blogger_tracking.domain.models import Platform

MAX_LISTED = 5_000
"""Maximum number of differences of each kind that are listed one by one; every difference is counted."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between the systems. `old` and `new` are the differing values, `reason` that of a missing video.

    `counter` is set for a differing count; the values of a count are a number and the range that the other system's
    numbers allow.
    """

    kind: DifferenceKind
    platform: str
    blogger_id: UUID | None
    username: str
    external_video_id: str
    old: str | None
    new: str | None
    reason: str | None = None
    detail: str | None = None
    counter: str | None = None
    captured_at: datetime | None = None


@dataclass(slots=True)
class Figures:
    """Numbers of bloggers and videos of the window; a video with several differing counters counts once."""

    bloggers_of_both: int = 0
    bloggers_only_old: int = 0
    bloggers_only_new: int = 0
    videos_of_both: int = 0
    videos_with_counts: int = 0
    videos_only_old: int = 0
    videos_only_new: int = 0
    addresses_differ: int = 0
    dates_differ: int = 0
    counts_differ: int = 0
    reasons_only_old: Counter[str] = field(default_factory=Counter)
    reasons_only_new: Counter[str] = field(default_factory=Counter)

    @property
    def differences(self) -> int:
        """All differences about videos."""
        missing = self.videos_only_old + self.videos_only_new
        return missing + self.addresses_differ + self.dates_differ + self.counts_differ

    @property
    def unexplained(self) -> int:
        """Differences that a person has to look into: all except the missing videos with a known reason."""
        missed = self.reasons_only_old[MissingReason.MISSED] + self.reasons_only_new[MissingReason.MISSED]
        return missed + self.addresses_differ + self.dates_differ + self.counts_differ

    def add(self, other: Figures) -> None:
        """Add the figures of a part."""
        for name in self.__slots__:
            mine, theirs = getattr(self, name), getattr(other, name)
            setattr(self, name, mine + theirs)


@dataclass(slots=True)
class BloggerFigures:
    """The figures of one blogger. `blogger_id` is None for old videos without a blogger."""

    blogger_id: UUID | None
    platform: str
    username: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class Comparison:
    """Result of a comparison. `differences` has the first MAX_LISTED of each kind, by platform and blogger."""

    window: Window
    tolerance: float
    made_at: datetime
    total: Figures
    platforms: dict[str, Figures]
    bloggers: list[BloggerFigures]
    differences: list[Difference]
    left_out: LeftOut


def compare_with_legacy(connection: Connection, window: Window, tolerance: float) -> Comparison:
    """Compare the videos of a window of time, their addresses, dates and counts; write nothing.

    `tolerance` is the share by which a count may leave the range that growth explains. Raises DatabaseStateError for
    views that are missing, unreadable or unlike their template.
    """
    require_views(connection)
    with comparing(connection):
        left_out = count_left_out(connection)
        collected = _Collection()
        for blogger in read_bloggers(connection, window):
            collected.add_blogger(blogger)
        for count in read_unexplained_counts(connection, window, tolerance):
            collected.add_count(count)
    platforms = {platform.value: Figures() for platform in Platform}
    total = Figures()
    for each in collected.bloggers:
        platforms[each.platform].add(each.figures)
        total.add(each.figures)
    return Comparison(
        window, tolerance, datetime.now(UTC), total, platforms, collected.bloggers, collected.listed(), left_out
    )


class _Collection:
    """The bloggers with their figures, and the first differences, as they are read."""

    def __init__(self) -> None:
        self.bloggers: list[BloggerFigures] = []
        self._by_id: dict[UUID | None, BloggerFigures] = {}
        self._differences: list[Difference] = []
        self._listed: Counter[DifferenceKind] = Counter()
        self._last_count: tuple[str, str] | None = None

    def add_blogger(self, blogger: ComparedBlogger) -> None:
        differences = [_difference(blogger, found) for found in blogger.differences]
        kinds = Counter(difference.kind for difference in differences)
        figures = Figures(
            bloggers_of_both=int(blogger.is_tracked_by_old and blogger.is_tracked_by_own),
            bloggers_only_old=int(blogger.is_tracked_by_old and not blogger.is_tracked_by_own),
            bloggers_only_new=int(blogger.is_tracked_by_own and not blogger.is_tracked_by_old),
            videos_of_both=blogger.videos_of_both,
            videos_with_counts=blogger.videos_with_counts,
            videos_only_old=kinds[DifferenceKind.ONLY_OLD],
            videos_only_new=kinds[DifferenceKind.ONLY_NEW],
            addresses_differ=kinds[DifferenceKind.ADDRESS],
            dates_differ=kinds[DifferenceKind.DATE],
            reasons_only_old=_reasons(differences, DifferenceKind.ONLY_OLD),
            reasons_only_new=_reasons(differences, DifferenceKind.ONLY_NEW),
        )
        added = BloggerFigures(blogger.blogger_id, blogger.platform, blogger.username, figures)
        self.bloggers.append(added)
        self._by_id[blogger.blogger_id] = added
        self._list(differences)

    def add_count(self, count: UnexplainedCount) -> None:
        blogger = self._by_id[count.blogger_id]
        video = (count.platform, count.external_video_id)
        # The counters of a video follow each other.
        blogger.figures.counts_differ += video != self._last_count
        self._last_count = video
        self._list([_count_difference(blogger, count)])

    def listed(self) -> list[Difference]:
        return sorted(self._differences, key=lambda each: (each.platform, each.username, each.external_video_id))

    def _list(self, differences: Iterable[Difference]) -> None:
        for difference in differences:
            if self._listed[difference.kind] < MAX_LISTED:
                self._listed[difference.kind] += 1
                self._differences.append(difference)


def _reasons(differences: Iterable[Difference], kind: DifferenceKind) -> Counter[str]:
    return Counter(difference.reason or MissingReason.MISSED for difference in differences if difference.kind == kind)


def _difference(blogger: ComparedBlogger, found: dict[str, str | None]) -> Difference:
    return Difference(
        kind=DifferenceKind(str(found["kind"])),
        platform=blogger.platform,
        blogger_id=blogger.blogger_id,
        username=blogger.username,
        external_video_id=str(found["external_video_id"]),
        old=found["old"],
        new=found["new"],
        reason=found["reason"],
        detail=found["detail"],
    )


def _count_difference(blogger: BloggerFigures, count: UnexplainedCount) -> Difference:
    if count.highest is None:
        allowed = f"at least {count.lowest}"
    else:
        allowed = f"at most {count.highest}" if count.lowest is None else f"{count.lowest} to {count.highest}"
    return Difference(
        kind=DifferenceKind.COUNT,
        platform=count.platform,
        blogger_id=blogger.blogger_id,
        username=blogger.username,
        external_video_id=count.external_video_id,
        old=allowed if count.is_own else str(count.count),
        new=str(count.count) if count.is_own else allowed,
        counter=count.counter,
        captured_at=count.captured_at,
    )
