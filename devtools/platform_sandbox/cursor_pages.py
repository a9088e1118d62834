"""Pages of a creator's list, addressed by a cursor, as irregular as the platforms' own pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from devtools.platform_sandbox.catalogue import Catalogue, Video
from devtools.platform_sandbox.faults import FaultKind
from devtools.platform_sandbox.identifiers import hash_bits

_MIN_SIZE_OF_SHORTENED_PAGES = 9


@dataclass(frozen=True, slots=True)
class Cursor:
    """Start of a page: the page has videos published before a unix second; `page` counts from 0."""

    before: int
    page: int


@dataclass(frozen=True, slots=True)
class SandboxPage:
    """A page: its videos, the first `pinned` of which are out of order, its end, and the next cursor.

    `next` is None on the last page.
    """

    videos: list[Video]
    pinned: int
    end: Cursor
    next: Cursor | None


@dataclass(frozen=True, slots=True)
class Pager:
    """Paginator of a catalogue as listed at one moment.

    With `traps`, some pages are short although more follow, and some repeat the last entry of the preceding page.
    `distortion` is a fault that changes the paging.
    """

    catalogue: Catalogue
    now: int
    size: int
    traps: bool = True
    distortion: FaultKind | None = None

    def page(self, cursor: Cursor | None, wanted: Callable[[Video], bool] = lambda _: True) -> SandboxPage:
        """Return the page at a cursor (None: the first page), restricted to the wanted videos."""
        here = cursor or Cursor(self.now + 1, 0)
        if self.distortion is FaultKind.EMPTY_PAGE:
            next_page = Cursor(here.before, here.page + 1)
            return SandboxPage([], 0, next_page, next_page)
        bits = hash_bits(self.catalogue.creator.external_id, here.page) if self.traps else 1
        pinned = [video for video in self.catalogue.pinned(self.now) if wanted(video)]
        first = pinned if here.page == 0 else []
        room = max(1, self._room(bits) - len(first))
        found = list(islice(filter(wanted, self.catalogue.before(here.before, self.now)), room + 1))
        listed, more = found[:room], len(found) > room
        end = Cursor(listed[-1].published if listed else here.before, here.page + 1)
        repeats = bits % 5 == 0 and len(listed) > 1
        return SandboxPage(first + listed, len(first), end, self._next(here, end, more=more, repeats=repeats))

    def _room(self, bits: int) -> int:
        is_short = self.size >= _MIN_SIZE_OF_SHORTENED_PAGES and bits % 3 == 0
        return self.size - 1 - bits % 4 if is_short else self.size

    def _next(self, here: Cursor, end: Cursor, *, more: bool, repeats: bool) -> Cursor | None:
        if self.distortion is FaultKind.REPEATED_CURSOR:
            return here
        if not more:
            return end if self.distortion is FaultKind.LYING_HAS_MORE else None
        return Cursor(end.before + 1, end.page) if repeats else end


def page_number(cursor: Cursor | None) -> int:
    """Return the number of the page at a cursor, from 1; None is the first page."""
    return 1 if cursor is None else cursor.page + 1
