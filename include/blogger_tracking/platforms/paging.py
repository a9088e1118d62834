"""Paging loop shared by all platforms, independent of HTTP: a `ReadPage` function supplies the pages.

Platforms repeat cursors and items, put pinned items first, announce pages that do not exist, and fail half-way.
In all these cases the loop ends after at most `max_pages` pages with unique videos, newest first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil

from blogger_tracking.domain.models import CommonVideo, newest_first
from blogger_tracking.domain.platform_errors import ErrorKind, PlatformError
from blogger_tracking.platforms.listing import Entry, Page, VideoBatch

ReadPage = Callable[[str | None, int], Page]
"""Function that returns the page at a cursor (None: the first page). The page's number, from 1, is for logs.

Raises PlatformError.
"""


def pages_needed(target_count: int, page_size: int) -> int:
    """Return the number of full pages that hold `target_count` videos. Raises ValueError for a target below one."""
    if target_count < 1:
        raise ValueError(f"target_count is {target_count}; it must be at least one.")
    return ceil(target_count / page_size)


def collect(read_page: ReadPage, target_count: int, max_pages: int) -> VideoBatch:
    """Read pages until `target_count` videos in date order are known, the list ends or `max_pages` pages are read.

    Raises PlatformError if the first page cannot be read, ValueError for a `target_count` or `max_pages` below one.
    """
    if target_count < 1 or max_pages < 1:
        raise ValueError(f"target_count ({target_count}) and max_pages ({max_pages}) must be at least one.")
    pager = _Pager(read_page, target_count, max_pages)
    pager.run()
    return VideoBatch(
        newest_first(pager.videos.values())[:target_count],
        pages=pager.pages,
        skipped=pager.skipped,
        interrupted_by=pager.interrupted_by,
    )


@dataclass(slots=True)
class _Position:
    """Position in the list: the cursor of the next page, and the cursors and ids seen since the start."""

    cursor: str | None = None
    cursors: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)

    def advance(self, page: Page) -> bool:
        """Advance to the page after this one.

        Return False if this page is the last: it announces no next page, has no new id, or its cursor was used before.
        """
        new_ids = {entry.id for entry in page.entries if entry.id} - self.ids
        if not (page.has_more and page.next_cursor and new_ids) or page.next_cursor in self.cursors:
            return False
        self.ids |= new_ids
        self.cursors.add(page.next_cursor)
        self.cursor = page.next_cursor
        return True


@dataclass(slots=True)
class _Pager:
    read_page: ReadPage
    target_count: int
    max_pages: int
    videos: dict[str, CommonVideo] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)
    interrupted_by: PlatformError | None = None
    pages: int = 0
    _seen: set[str] = field(default_factory=set)
    _in_date_order: set[str] = field(default_factory=set)
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
        position = _Position()
        while self.pages < self.max_pages:
            try:
                page = self.read_page(position.cursor, self.pages + 1)
            except PlatformError as error:
                if error.kind is not ErrorKind.STALE_CURSOR or self._restarted or not self.pages:
                    raise
                self._restart()
                position = _Position()
                continue
            self.pages += 1
            for entry in page.entries:
                self._add(entry)
            if len(self._in_date_order) >= self.target_count or not position.advance(page):
                return

    def _restart(self) -> None:
        self._restarted = True
        # The videos are kept by id; skipped entries will be read again and must not be counted twice.
        self.skipped.clear()
        self._seen.clear()

    def _add(self, entry: Entry) -> None:
        known = entry.id in self._seen
        if entry.id:
            self._seen.add(entry.id)
        if entry.skipped is not None:
            if not known:
                self.skipped[entry.skipped.value] += 1
            return
        if entry.video is not None:
            self.videos.setdefault(entry.video.external_video_id, entry.video)
        # Pinned entries may be years old, so only the other entries count toward the target.
        if entry.id and not entry.pinned:
            self._in_date_order.add(entry.id)
