"""YouTube Data API v3: `channels`, `playlistItems` and `videos`."""

from __future__ import annotations

from datetime import datetime

from devtools.platform_sandbox import youtube_resources as resources
from devtools.platform_sandbox.fault_answers import youtube_bad_key, youtube_error, youtube_quota_gone
from devtools.platform_sandbox.faults import FaultKind
from devtools.platform_sandbox.filler import insert
from devtools.platform_sandbox.identifiers import base64url, decode_base64url
from devtools.platform_sandbox.messages import Request, Response, compact, json_response
from devtools.platform_sandbox.options import SandboxOptions
from devtools.platform_sandbox.paging import Cursor
from devtools.platform_sandbox.platform_api import CallFacts, Moment, PlatformApi, cursor_page, whole_number
from devtools.platform_sandbox.platforms import Platform
from devtools.platform_sandbox.world import Creator, CreatorKind, World
from devtools.platform_sandbox.youtube_units import DailyUnits

_CALLS = ("channels", "playlistItems", "videos")
_MOST_IDS = 50
_TOKEN_MARK = b"\x08"
_TOKEN_BYTES = 8
_CHANNEL_FILTERS = ("id", "forHandle", "forUsername")


class YouTubeApi(PlatformApi):
    """The uploads of a channel are a playlist; truth about a video is in `videos`."""

    platform = Platform.YOUTUBE
    prefix = "/youtube/"
    key_header = "x-goog-api-key"

    def __init__(self, world: World, options: SandboxOptions) -> None:
        super().__init__(world, options)
        self.units = DailyUnits(options.youtube_daily_units)

    def facts(self, request: Request) -> CallFacts:
        """See `PlatformApi`."""
        call = request.path.removeprefix("/youtube/v3/")
        named = next((request.query[name] for name in ("playlistId", *_CHANNEL_FILTERS) if name in request.query), "")
        creator = None if call == "videos" else self.world.find(self.platform, named)
        video_ids = len(_ids(request)) if call == "videos" else 0
        return CallFacts(call, creator, cursor_page(_cursor(request)), video_ids)

    def refusal(self, request: Request, now: datetime) -> Response | None:
        """A known key pays one unit a call, whether the call is valid or not."""
        refused = super().refusal(request, now)
        if refused is None and not self.units.charge(request.headers[self.key_header], now):
            return youtube_quota_gone()
        return refused

    def bad_key(self) -> Response:
        """See `PlatformApi`."""
        return youtube_bad_key()

    def missing_key(self) -> Response:
        """See `PlatformApi`."""
        message = "Method doesn't allow unregistered callers (callers without established identity)."
        return youtube_error(403, "forbidden", message, "global")

    def answer(self, moment: Moment) -> Response:
        """See `PlatformApi`. Only the parts that were asked for are in a resource."""
        request = moment.request
        call = self.facts(request).call
        if call not in _CALLS:
            return youtube_error(404, "notFound", "Not Found", "global")
        if not request.query.get("part"):
            return youtube_error(400, "missingRequiredParameter", "No part specified.")
        if call == "channels":
            return self._channels(moment)
        return self._playlist_items(moment) if call == "playlistItems" else self._videos(moment)

    def _channels(self, moment: Moment) -> Response:
        query = moment.request.query
        filters = [name for name in _CHANNEL_FILTERS if query.get(name)]
        if not filters:
            return youtube_error(400, "missingRequiredParameter", "No filter selected.")
        if len(filters) > 1:
            return youtube_error(400, "incompatibleParameters", "Incompatible parameters.")
        named = query[filters[0]].split(",") if filters == ["id"] else [query[filters[0]]]
        if len(named) > _MOST_IDS:
            return _too_many_ids()
        found = [creator for name in named if (creator := self._channel(filters[0], name))]
        body = _list_body("channel", len(found), len(named))
        if found:
            body["items"] = _asked_parts(moment, [resources.channel(self, creator, moment) for creator in found])
        return json_response(body)

    def _channel(self, filter_name: str, name: str) -> Creator | None:
        creator = self.world.find(self.platform, name)
        if creator is None or creator.kind is CreatorKind.GONE:
            return None
        by_id = name == creator.external_id
        return creator if by_id == (filter_name == "id") and not name.startswith("UU") else None

    def _playlist_items(self, moment: Moment) -> Response:
        query = moment.request.query
        size = whole_number(query.get("maxResults"), 5)
        if size is None or size > _MOST_IDS:
            return youtube_error(400, "invalidParameter", "Values must be within the range: [0, 50]")
        if not query.get("playlistId"):
            return youtube_error(400, "missingRequiredParameter", "No filter selected.")
        if query.get("pageToken") and _cursor(moment.request) is None:
            return youtube_error(400, "invalidPageToken", "The request specifies an invalid page token.")
        creator = self.world.find(self.platform, query["playlistId"])
        catalogue = self.catalogue(creator) if creator else None
        if creator is None or catalogue is None or catalogue.size == 0 or not query["playlistId"].startswith("UU"):
            message = "The playlist identified with the request's <code>playlistId</code> parameter cannot be found."
            return youtube_error(404, "playlistNotFound", message, "youtube.playlistItem")
        page = self.pager(creator, moment, size).page(_cursor(moment.request))
        entries = resources.playlist_entries(self, creator, page, moment)
        body = _list_body("playlistItem", catalogue.size, size)
        body["items"] = _asked_parts(moment, entries)
        if page.next:
            body["nextPageToken"] = _cursor_text(page.next)
        if cursor_page(_cursor(moment.request)) > 1 and moment.distortion is not FaultKind.REPEATED_CURSOR:
            body["prevPageToken"] = _cursor_text(Cursor(moment.now + 1, 0))
        return Response(200, insert(compact(body), resources.playlist_fragments(creator)).encode())

    def _videos(self, moment: Moment) -> Response:
        ids = _ids(moment.request)
        if not ids:
            return youtube_error(400, "missingRequiredParameter", "No filter selected.")
        if len(ids) > _MOST_IDS:
            return _too_many_ids()
        if "maxResults" in moment.request.query:
            return youtube_error(400, "incompatibleParameters", "maxResults cannot be combined with id.")
        found = [video for video_id in dict.fromkeys(ids) if (video := resources.find_video(self, video_id, moment))]
        body = _list_body("video", len(found), len(found))
        body["items"] = _asked_parts(moment, [resources.video(self, video, moment) for video in found])
        return json_response(body)


def _asked_parts(moment: Moment, found: list[dict[str, object]]) -> list[dict[str, object]]:
    asked = {part.strip() for part in moment.request.query["part"].split(",")} | {"kind", "etag", "id"}
    return [{name: value for name, value in resource.items() if name in asked} for resource in found]


def _ids(request: Request) -> list[str]:
    return [video_id for video_id in request.query.get("id", "").split(",") if video_id]


def _too_many_ids() -> Response:
    return youtube_error(400, "invalidFilters", "The request specifies an invalid filter parameter.")


def _list_body(kind: str, total: int, size: int) -> dict[str, object]:
    return {
        "kind": f"youtube#{kind}ListResponse",
        "etag": base64url(f"{kind}{total}{size}".encode()),
        "pageInfo": {"totalResults": total, "resultsPerPage": size},
    }


def _cursor(request: Request) -> Cursor | None:
    """`pageToken` is base64 of the page and the second to go on before."""
    data = decode_base64url(request.query.get("pageToken", ""))
    if data is None or len(data) != _TOKEN_BYTES or data[:1] != _TOKEN_MARK:
        return None
    return Cursor(int.from_bytes(data[3:]), int.from_bytes(data[1:3]))


def _cursor_text(cursor: Cursor) -> str:
    return base64url(_TOKEN_MARK + cursor.page.to_bytes(2) + cursor.before.to_bytes(5))
