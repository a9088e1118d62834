"""What the three platforms' APIs have in common, as the server sees them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime

from devtools.platform_sandbox.catalogue import Catalogue
from devtools.platform_sandbox.faults import FaultKind
from devtools.platform_sandbox.messages import Request, Response
from devtools.platform_sandbox.options import SandboxOptions
from devtools.platform_sandbox.paging import Cursor, Pager
from devtools.platform_sandbox.platforms import Platform
from devtools.platform_sandbox.world import Creator, World


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What a request is about: its call, its creator if it names one that exists, its page from 1, its video ids."""

    call: str
    creator: Creator | None = None
    page: int = 1
    video_ids: int = 0


@dataclass(frozen=True, slots=True)
class Moment:
    """A request, the simulated unix second at which it is answered, and a fault that changes its paging."""

    request: Request
    now: int
    distortion: FaultKind | None = None


class PlatformApi(ABC):
    """One platform's wire format over the invented world."""

    platform: Platform
    prefix: str
    key_header: str

    def __init__(self, world: World, options: SandboxOptions) -> None:
        self.world = world
        self.options = options
        self._slug = self.platform.slug

    @abstractmethod
    def facts(self, request: Request) -> CallFacts:
        """What the request is about; an unknown path is a call of its own name."""

    @abstractmethod
    def bad_key(self) -> Response:
        """The answer to a key that the platform does not know."""

    @abstractmethod
    def missing_key(self) -> Response:
        """The answer to a request without a key."""

    @abstractmethod
    def answer(self, moment: Moment) -> Response:
        """The answer to an admitted request; the same for the same moment."""

    def refusal(self, request: Request, now: datetime) -> Response | None:
        """Why a request is not admitted; None when it is."""
        del now
        key = request.headers.get(self.key_header)
        if not key:
            return self.missing_key()
        return self.bad_key() if key in self.options.bad_keys else None

    def catalogue(self, creator: Creator) -> Catalogue:
        """What the creator publishes."""
        return Catalogue(self.world, creator, self.options.video_count)

    def pager(self, creator: Creator, moment: Moment, asked: int) -> Pager:
        """Cuts the creator's list into pages of at most what was asked and the platform's limit."""
        size = max(1, min(asked, self.options.page_size(self.platform)))
        return Pager(self.catalogue(creator), moment.now, size, self.options.traps, moment.distortion)

    def thumbnail_url(self, moment: Moment, video_id: str) -> str:
        """Where the sandbox serves a video's picture; signed with an expiry except on YouTube."""
        address = f"http://{moment.request.host}/thumbnails/{self._slug}/{video_id}.jpg"
        if self.platform is Platform.YOUTUBE:
            return address
        return f"{address}?expires={(moment.now // 3600 + self.options.thumbnail_hours) * 3600}"


def cursor_page(cursor: Cursor | None) -> int:
    """The number of the page at a cursor, from 1."""
    return 1 if cursor is None else cursor.page + 1


def whole_number(text: str | None, default: int) -> int | None:
    """A query parameter as a number from 0; the default when absent, None when it is no such number."""
    if text is None:
        return default
    return int(text) if text.isascii() and text.isdigit() else None
