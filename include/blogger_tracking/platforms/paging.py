"""Paging loop shared by all platforms, independent of HTTP: a `ReadPage` function supplies the pages.

Platforms repeat cursors and items, put pinned items first, send empty pages in the middle of a list, announce pages
that do not exist, and fail half-way. In all these cases the loop ends after at most `max_pages` pages with unique
videos, newest first, and tells a complete list from one that promised more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil

from blogger_tracking.domain.models import CommonVideo, Platform, newest_first
from blogger_tracking.domain.platform_errors import ErrorKind, PlatformError
from blogger_tracking.platforms.listing import Entry, EntrySkipReason, Page, VideoBatch

MAX_EMPTY_PAGES = 3
"""Number of empty pages in a row that are followed, if each announces a next page."""

ReadPage = Callable[[str | None, int], Page]
"""Function that returns the page at a cursor (None: the first page). The page's number, from 1, is for logs.

Raises PlatformError.
"""


def pages_needed(target_count: int, page_size: int) -> int:
    """Return the number of full pages that hold `target_count` videos. Raises ValueError for a target below one."""
    if target_count < 1:
        raise ValueError(f"target_count is {target_count}; it must be at least one.")
    return ceil(target_count / page_size)


def collect(
    platform: Platform,
    read_page: ReadPage,
    target_count: int,
    max_pages: int,
    *,
    not_before: datetime | None = None,
    first_cursor: str | None = None,
) -> VideoBatch:
    """Read pages until no further page can change the newest `target_count` videos, or until `max_pages` are read.

    No further page is needed if the list ends, if `target_count` videos are known that are not older than the entry at
    which reading stopped, or if that entry is older than `not_before`. `first_cursor` is the platform's cursor of the
    first page, if it has one: as the next cursor it leads back to the start.
    The batch is interrupted by INCOMPLETE_LIST if reading stopped although the list promised more, or if there is no
    video and no proof that the account has none.
    Raises PlatformError if the first page cannot be read, ValueError for a `target_count` or `max_pages` below one.
    """
    if target_count < 1 or max_pages < 1:
        raise ValueError(f"target_count ({target_count}) and max_pages ({max_pages}) must be at least one.")
    pager = _Pager(read_page, target_count, max_pages, not_before, first_cursor)
    pager.run()
    batch = VideoBatch(
        newest_first(pager.videos.values())[:target_count],
        pages=pager.pages,
        skipped=pager.skipped,
        interrupted_by=pager.interrupted_by,
    )
    doubt = pager.shortfall or _doubt_about_empty_list(batch, promised_more=pager.promised_more)
    if doubt and batch.interrupted_by is None:
        batch.interrupted_by = PlatformError(ErrorKind.INCOMPLETE_LIST, platform, doubt)
    return batch


def _doubt_about_empty_list(batch: VideoBatch, *, promised_more: bool) -> str | None:
    """Return the reason why a batch without videos does not prove that the account has none; None if it does."""
    if batch:
        return None
    if promised_more:
        return "the list has no videos, but its last page promised more"
    if batch.skipped and not batch.only_non_videos:
        counts = ", ".join(f"{count} {reason}" for reason, count in batch.skipped.items())
        return f"the list has no videos, but entries that were skipped ({counts})"
    return None


@dataclass(slots=True)
class _Position:
    """Position in the list: the cursor of the next page, and the cursors and ids seen since the start."""

    cursor: str | None = None
    cursors: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    empty_pages: int = 0
    broken_promise: str | None = None
    """Reason why the page after the last one cannot be read, although the last one announced it."""

    def advance(self, page: Page) -> bool:
        """Advance to the page after this one.

        Return False if this page is the last: it announces no next page, has known ids alone, or its cursor was used
        before or cannot be read.
        """
        ids = {entry.id for entry in page.entries if entry.id}
        if (ids and ids <= self.ids) or not page.has_more or page.next_cursor in self.cursors:
            return False
        if not page.next_cursor:
            self.broken_promise = "a page announces a next page without a cursor that can be read"
            return False
        self.empty_pages = 0 if ids else self.empty_pages + 1
        self.ids |= ids
        self.cursors.add(page.next_cursor)
        self.cursor = page.next_cursor
        return True


@dataclass(slots=True)
class _Pager:
    read_page: ReadPage
    target_count: int
    max_pages: int
    not_before: datetime | None
    first_cursor: str | None
    videos: dict[str, CommonVideo] = field(default_factory=dict)
    skipped: Counter[EntrySkipReason] = field(default_factory=Counter)
    interrupted_by: PlatformError | None = None
    shortfall: str | None = None
    promised_more: bool = False
    pages: int = 0
    _seen: set[str] = field(default_factory=set)
    _pinned: set[str] = field(default_factory=set)
    _frontier: datetime | None = None
    _restarted: bool = False

    def run(self) -> None:
        """Read the pages. An error after the first page ends the paging and is kept in `interrupted_by`."""
        try:
            self._read_pages()
        except PlatformError as error:
            if not self.pages:
                raise
            self.interrupted_by = error

    def _read_pages(self) -> None:
        position = self._start()
        while True:
            try:
                page = self.read_page(position.cursor, self.pages + 1)
            except PlatformError as error:
                if error.kind is not ErrorKind.STALE_CURSOR or self._restarted or not self.pages:
                    raise
                self._restart()
                position = self._start()
                continue
            self.pages += 1
            self._add_page(page)
            if self._is_complete():
                return
            if not position.advance(page):
                self.shortfall = position.broken_promise
                return
            if position.empty_pages > MAX_EMPTY_PAGES:
                self.shortfall = f"{position.empty_pages} pages in a row were empty, and each promised more"
                return
            if self.pages >= self.max_pages:
                self.shortfall = f"the list goes on after {self.pages} pages, the most that are read"
                return

    def _start(self) -> _Position:
        return _Position(cursors={self.first_cursor} if self.first_cursor else set())

    def _restart(self) -> None:
        self._restarted = True
        # The videos are kept by id; skipped entries will be read again and must not be counted twice.
        self.skipped.clear()
        self._seen.clear()

    def _add_page(self, page: Page) -> None:
        self.promised_more = page.has_more
        for entry in page.entries:
            self._add(entry)

    def _add(self, entry: Entry) -> None:
        known = entry.id in self._seen
        if entry.id:
            self._seen.add(entry.id)
        if entry.pinned and entry.id:
            self._pinned.add(entry.id)
        if entry.date and not entry.pinned:
            self._frontier = entry.date
        if entry.skipped is not None and not known:
            self.skipped[entry.skipped] += 1
        if entry.video is not None:
            self.videos.setdefault(entry.video.external_video_id, entry.video)

    def _is_complete(self) -> bool:
        """Return True if no unread entry can be among the newest videos.

        Lists are in date order except for pinned entries, which platforms do not always mark. So the unread entries
        are older than the last one that was read, the frontier, and a known video counts unless it is older, too.
        """
        if self.not_before and self._frontier and self._frontier < self.not_before:
            return True
        return sum(map(self._counts, self.videos.values())) >= self.target_count

    def _counts(self, video: CommonVideo) -> bool:
        if video.published_at is None or self._frontier is None:
            return video.external_video_id not in self._pinned
        return video.published_at >= self._frontier
