"""Imitation of the YouTube Data API v3: `channels`, `playlistItems` and `videos`, with a daily quota of units."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from zoneinfo import ZoneInfo

from devtools.platform_sandbox import youtube_resources as resources
from devtools.platform_sandbox.cursor_pages import Cursor, page_number
from devtools.platform_sandbox.fault_responses import (
    YOUTUBE_INVALID_CREDENTIALS,
    YOUTUBE_PLAYLIST_NOT_FOUND,
    YOUTUBE_QUOTA_EXCEEDED,
    YOUTUBE_UNREGISTERED_CALLER,
    youtube_error,
)
from devtools.platform_sandbox.faults import FaultKind
from devtools.platform_sandbox.filler import insert
from devtools.platform_sandbox.http_messages import HttpRequest, HttpResponse, compact_json, json_response
from devtools.platform_sandbox.identifiers import base64url, decode_base64url
from devtools.platform_sandbox.platform_api import CallContext, CallDescription, PlatformApi, parse_number
from devtools.platform_sandbox.sandbox_options import SandboxOptions
from devtools.platform_sandbox.world import Creator, CreatorKind, PlatformName, World

_CALLS = ("channels", "playlistItems", "videos")
_MAX_IDS = 50
_TOKEN_PREFIX = b"\x08"
_TOKEN_BYTES = 8
_CHANNEL_FILTERS = ("id", "forHandle", "forUsername")
_PACIFIC = ZoneInfo("America/Los_Angeles")


class DailyUnits:
    """Counter of units by key and Pacific day. A key has `budget` units a day."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._used: Counter[tuple[str, date]] = Counter()

    def charge(self, key: str, now: datetime) -> bool:
        """Use one unit; return False if the day's units are used up."""
        day = now.astimezone(_PACIFIC).date()
        if self._used[key, day] >= self.budget:
            return False
        self._used[key, day] += 1
        return True

    def clear(self) -> None:
        """Reset the used units of all keys."""
        self._used.clear()

    def used(self, now: datetime) -> int:
        """Return the units that all keys used on the current Pacific day."""
        today = now.astimezone(_PACIFIC).date()
        return sum(units for (_, day), units in self._used.items() if day == today)


class YouTubeApi(PlatformApi):
    """YouTube's API. A channel's uploads are a playlist; only `videos` has a video's statistics and true date."""

    platform = PlatformName.YOUTUBE
    prefix = "/youtube/"
    key_header = "x-goog-api-key"

    def __init__(self, world: World, options: SandboxOptions) -> None:
        super().__init__(world, options)
        self.units = DailyUnits(options.youtube_daily_units)

    def describe(self, request: HttpRequest) -> CallDescription:
        """See `PlatformApi`."""
        call = request.path.removeprefix("/youtube/v3/")
        named = next((request.query[name] for name in ("playlistId", *_CHANNEL_FILTERS) if name in request.query), "")
        creator = None if call == "videos" else self.world.find(self.platform, named)
        video_ids = len(_ids(request)) if call == "videos" else 0
        return CallDescription(call, creator, page_number(_decode_cursor(request)), video_ids)

    def rejection(self, request: HttpRequest, now: datetime) -> HttpResponse | None:
        """See `PlatformApi`. Every call with a known key costs one unit, including invalid calls."""
        rejection = super().rejection(request, now)
        if rejection is None and not self.units.charge(request.headers[self.key_header], now):
            return YOUTUBE_QUOTA_EXCEEDED
        return rejection

    def invalid_key_response(self) -> HttpResponse:
        """See `PlatformApi`."""
        return YOUTUBE_INVALID_CREDENTIALS

    def missing_key_response(self) -> HttpResponse:
        """See `PlatformApi`."""
        return YOUTUBE_UNREGISTERED_CALLER

    def respond(self, context: CallContext) -> HttpResponse:
        """See `PlatformApi`. A resource has only the requested parts."""
        request = context.request
        call = self.describe(request).name
        if call not in _CALLS:
            return youtube_error(404, "notFound", "Not Found", "global")
        if not request.query.get("part"):
            return youtube_error(400, "missingRequiredParameter", "No part specified.")
        if call == "channels":
            return self._channels(context)
        return self._playlist_items(context) if call == "playlistItems" else self._videos(context)

    def _channels(self, context: CallContext) -> HttpResponse:
        query = context.request.query
        filters = [name for name in _CHANNEL_FILTERS if query.get(name)]
        if not filters:
            return youtube_error(400, "missingRequiredParameter", "No filter selected.")
        if len(filters) > 1:
            return youtube_error(400, "incompatibleParameters", "Incompatible parameters.")
        named = query[filters[0]].split(",") if filters == ["id"] else [query[filters[0]]]
        if len(named) > _MAX_IDS:
            return _too_many_ids()
        found = [creator for name in named if (creator := self._channel(filters[0], name))]
        body = _list_body("channel", len(found), len(named))
        if found:
            handle = query.get("forHandle", "").removeprefix("@")
            channels = [resources.channel(self, creator, context, handle) for creator in found]
            body["items"] = _requested_parts(context, channels)
        return json_response(body)

    def _channel(self, filter_name: str, name: str) -> Creator | None:
        creator = self.world.find(self.platform, name)
        if creator is None or creator.kind is CreatorKind.GONE:
            return None
        by_id = name == creator.external_id
        return creator if by_id == (filter_name == "id") and not name.startswith("UU") else None

    def _playlist_items(self, context: CallContext) -> HttpResponse:
        query = context.request.query
        size = parse_number(query.get("maxResults"), 5)
        if size is None or size > _MAX_IDS:
            return youtube_error(400, "invalidParameter", "Values must be within the range: [0, 50]")
        if not query.get("playlistId"):
            return youtube_error(400, "missingRequiredParameter", "No filter selected.")
        if query.get("pageToken") and _decode_cursor(context.request) is None:
            return youtube_error(400, "invalidPageToken", "The request specifies an invalid page token.")
        creator = self.world.find(self.platform, query["playlistId"])
        catalogue = self.catalogue(creator) if creator else None
        if creator is None or catalogue is None or catalogue.size == 0 or not query["playlistId"].startswith("UU"):
            return YOUTUBE_PLAYLIST_NOT_FOUND
        page = self.pager(creator, context, size).page(_decode_cursor(context.request))
        entries = resources.playlist_entries(self, creator, page, context)
        body = _list_body("playlistItem", catalogue.size, size)
        body["items"] = _requested_parts(context, entries)
        if page.next:
            body["nextPageToken"] = _encode_cursor(page.next)
        if page_number(_decode_cursor(context.request)) > 1 and context.distortion is not FaultKind.REPEATED_CURSOR:
            body["prevPageToken"] = _encode_cursor(Cursor(context.now + 1, 0))
        return HttpResponse(200, insert(compact_json(body), resources.playlist_fragments(creator)).encode())

    def _videos(self, context: CallContext) -> HttpResponse:
        ids = _ids(context.request)
        if not ids:
            return youtube_error(400, "missingRequiredParameter", "No filter selected.")
        if len(ids) > _MAX_IDS:
            return _too_many_ids()
        if "maxResults" in context.request.query:
            return youtube_error(400, "incompatibleParameters", "maxResults cannot be combined with id.")
        found = [video for video_id in dict.fromkeys(ids) if (video := resources.find_video(self, video_id, context))]
        body = _list_body("video", len(found), len(found))
        body["items"] = _requested_parts(context, [resources.video(self, video, context) for video in found])
        return json_response(body)


def _requested_parts(context: CallContext, found: list[dict[str, object]]) -> list[dict[str, object]]:
    requested = {part.strip() for part in context.request.query["part"].split(",")} | {"kind", "etag", "id"}
    return [{name: value for name, value in resource.items() if name in requested} for resource in found]


def _ids(request: HttpRequest) -> list[str]:
    return [video_id for video_id in request.query.get("id", "").split(",") if video_id]


def _too_many_ids() -> HttpResponse:
    return youtube_error(400, "invalidFilters", "The request specifies an invalid filter parameter.")


def _list_body(kind: str, total: int, size: int) -> dict[str, object]:
    return {
        "kind": f"youtube#{kind}ListResponse",
        "etag": base64url(f"{kind}{total}{size}".encode()),
        "pageInfo": {"totalResults": total, "resultsPerPage": size},
    }


def _decode_cursor(request: HttpRequest) -> Cursor | None:
    """Decode `pageToken`: base64 of the page number and the second of the preceding page's end."""
    data = decode_base64url(request.query.get("pageToken", ""))
    if data is None or len(data) != _TOKEN_BYTES or data[:1] != _TOKEN_PREFIX:
        return None
    return Cursor(int.from_bytes(data[3:]), int.from_bytes(data[1:3]))


def _encode_cursor(cursor: Cursor) -> str:
    return base64url(_TOKEN_PREFIX + cursor.page.to_bytes(2) + cursor.before.to_bytes(5))
