"""Base class of the three imitated APIs, and the values that each of their calls works on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime

from devtools.platform_sandbox.catalogue import Catalogue
from devtools.platform_sandbox.cursor_pages import Pager
from devtools.platform_sandbox.faults import FaultKind
from devtools.platform_sandbox.http_messages import HttpRequest, HttpResponse
from devtools.platform_sandbox.sandbox_options import SandboxOptions
from devtools.platform_sandbox.world import Creator, PlatformName, World


@dataclass(frozen=True, slots=True)
class CallDescription:
    """The call of a request, for the log and for faults.

    `creator` is None if the request names no existing creator, `page` counts from 1, `video_ids` is the number of ids.
    """

    name: str
    creator: Creator | None = None
    page: int = 1
    video_ids: int = 0


@dataclass(frozen=True, slots=True)
class CallContext:
    """A request, the simulated unix second of its response, and a fault that changes its paging."""

    request: HttpRequest
    now: int
    distortion: FaultKind | None = None


class PlatformApi(ABC):
    """One platform's wire format over the invented world."""

    platform: PlatformName
    prefix: str
    key_header: str

    def __init__(self, world: World, options: SandboxOptions) -> None:
        self.world = world
        self.options = options
        self._slug = self.platform.slug

    @abstractmethod
    def describe(self, request: HttpRequest) -> CallDescription:
        """Return the call, creator and page of a request; the call of an unknown path is the path itself."""

    @abstractmethod
    def invalid_key_response(self) -> HttpResponse:
        """Return the platform's error for an unknown key."""

    @abstractmethod
    def missing_key_response(self) -> HttpResponse:
        """Return the platform's error for a request without a key."""

    @abstractmethod
    def respond(self, context: CallContext) -> HttpResponse:
        """Return the response to an accepted request. Equal contexts give equal responses."""

    def rejection(self, request: HttpRequest, now: datetime) -> HttpResponse | None:
        """Return the error for a missing or invalid key, or None if the request is accepted."""
        del now
        key = request.headers.get(self.key_header)
        if not key:
            return self.missing_key_response()
        return self.invalid_key_response() if key in self.options.invalid_keys else None

    def catalogue(self, creator: Creator) -> Catalogue:
        """Return the creator's videos."""
        return Catalogue(self.world, creator, self.options.video_count)

    def pager(self, creator: Creator, context: CallContext, requested: int) -> Pager:
        """Return a pager of the creator's list; a page has at most the requested and the platform's size."""
        size = max(1, min(requested, self.options.page_size(self.platform)))
        return Pager(self.catalogue(creator), context.now, size, self.options.traps, context.distortion)

    def thumbnail_url(self, context: CallContext, video_id: str) -> str:
        """Return the URL of a video's thumbnail on this sandbox; signed with an expiry except on YouTube."""
        url = f"http://{context.request.host}/thumbnails/{self._slug}/{video_id}.jpg"
        if self.platform is PlatformName.YOUTUBE:
            return url
        return f"{url}?expires={(context.now // 3600 + self.options.thumbnail_hours) * 3600}"


def parse_number(text: str | None, default: int) -> int | None:
    """Return a query parameter as a number from 0: the default if absent, None if not a number."""
    if text is None:
        return default
    return int(text) if text.isascii() and text.isdigit() else None
