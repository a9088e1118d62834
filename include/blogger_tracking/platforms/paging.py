"""The one paging loop. It knows no platform and no HTTP: a page reader gives it pages.

Platforms repeat cursors, repeat items, put pinned items first, promise more where there is nothing, and fail
half-way. Whatever they say, the loop ends after `max_pages` pages with unique videos, newest first.
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
"""Reads the page at a cursor (None: the first); the number, from 1, is for logs. Raises PlatformError."""


def pages_needed(target_count: int, page_size: int) -> int:
    """Pages that hold `target_count` videos when every page is full. Raises ValueError for a target below one."""
    if target_count < 1:
        raise ValueError(f"target_count is {target_count}; at least one video has to be wanted.")
    return ceil(target_count / page_size)


def collect(read_page: ReadPage, target_count: int, max_pages: int) -> VideoBatch:
    """Read pages until the newest `target_count` videos are known, the list ends or `max_pages` are read.

    Raises PlatformError when not even the first page can be read, ValueError for a bound below one.
    """
    if target_count < 1 or max_pages < 1:
        raise ValueError(f"target_count ({target_count}) and max_pages ({max_pages}) must be at least one.")
    walk = _Walk(read_page, target_count, max_pages)
    walk.run()
    return VideoBatch(
        newest_first(walk.videos.values())[:target_count],
        pages=walk.pages,
        skipped=walk.skipped,
        interrupted_by=walk.interrupted_by,
    )


@dataclass(slots=True)
class _Position:
    """Where in the list we are, and where we have been since its start."""

    cursor: str | None = None
    cursors: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)

    def advance(self, page: Page) -> bool:
        """Go on after this page, or say that it was the last: nothing more, nothing new, or a cursor used before."""
        new_ids = {entry.id for entry in page.entries if entry.id} - self.ids
        if not (page.has_more and page.next_cursor and new_ids) or page.next_cursor in self.cursors:
            return False
        self.ids |= new_ids
        self.cursors.add(page.next_cursor)
        self.cursor = page.next_cursor
        return True


@dataclass(slots=True)
class _Walk:
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
        """Walk the list; a fault after its first page ends the walk and is kept."""
        try:
            self._walk()
        except PlatformError as error:
            if not self.pages:
                raise
            self.interrupted_by = error

    def _walk(self) -> None:
        position = _Position()
        while self.pages < self.max_pages:
            try:
                page = self.read_page(position.cursor, self.pages + 1)
            except PlatformError as error:
                if error.kind is not ErrorKind.STALE_CURSOR or self._restarted or not self.pages:
                    raise
                self._start_again()
                position = _Position()
                continue
            self.pages += 1
            for entry in page.entries:
                self._add(entry)
            if len(self._in_date_order) >= self.target_count or not position.advance(page):
                return

    def _start_again(self) -> None:
        self._restarted = True
        # The videos stay; entries that are none come by again and would be counted twice.
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
        # Pinned entries may be years old: the newest are known only once enough others have been seen.
        if entry.id and not entry.pinned:
            self._in_date_order.add(entry.id)
