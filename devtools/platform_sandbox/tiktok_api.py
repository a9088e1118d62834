"""Imitation of TikTok through the gateway tiktok-api23: `/api/user/info` and `/api/user/posts`.

The bodies have the shape of TikTok's web app.
"""

from __future__ import annotations

from devtools.platform_sandbox.catalogue import Video
from devtools.platform_sandbox.cursor_pages import Cursor, SandboxPage, page_number
from devtools.platform_sandbox.fault_responses import TIKTOK_NOT_SUBSCRIBED, tiktok_status
from devtools.platform_sandbox.filler import TIKTOK_ITEM, insert, keys_of, marker, tiktok_video_keys
from devtools.platform_sandbox.http_messages import HttpRequest, HttpResponse, compact_json, json_response
from devtools.platform_sandbox.platform_api import CallContext, CallDescription, PlatformApi, parse_number
from devtools.platform_sandbox.world import Creator, CreatorKind, PlatformName

_CALLS = {"/tiktok/api/user/info": "info", "/tiktok/api/user/posts": "posts"}
_GONE_CODES = (10221, 10202, 10204)
_MAX_PAGE_SIZE = 35
_MAX_EXACT_COUNTER = 10_000
_ITEMS_IN_FULL_PAGE = 30
_ITEM_SIZE_WITHOUT_FILLER = 2_150


class TikTokApi(PlatformApi):
    """TikTok's API. The list of a user is addressed by `secUid`, which does not change when the user is renamed."""

    platform = PlatformName.TIKTOK
    prefix = "/tiktok/"
    key_header = "x-rapidapi-key"

    def describe(self, request: HttpRequest) -> CallDescription:
        """See `PlatformApi`."""
        call = _CALLS.get(request.path, request.path)
        named = request.query.get("secUid") or request.query.get("uniqueId")
        creator = self.world.find(self.platform, named) if named else None
        return CallDescription(call, creator, page_number(_decode_cursor(request)))

    def invalid_key_response(self) -> HttpResponse:
        """Return the error for a key without a subscription, because the gateway has no error for an unknown key."""
        return TIKTOK_NOT_SUBSCRIBED

    def missing_key_response(self) -> HttpResponse:
        """See `PlatformApi`."""
        return json_response({"message": "Invalid API key. Go to https://docs.rapidapi.com/docs/keys"}, 401)

    def respond(self, context: CallContext) -> HttpResponse:
        """See `PlatformApi`. Errors about a user are codes in a 200 body."""
        call = self.describe(context.request)
        if call.name not in _CALLS.values():
            return json_response({"message": f"Endpoint '{context.request.path}' does not exist"}, 404)
        creator = call.creator
        if creator is None:
            return tiktok_status(10221, "user doesn't exist")
        if creator.kind is CreatorKind.GONE:
            return tiktok_status(_GONE_CODES[creator.index // 100 % len(_GONE_CODES)])
        return self._info(creator, context) if call.name == "info" else self._posts(creator, context)

    def _info(self, creator: Creator, context: CallContext) -> HttpResponse:
        if context.request.query.get("uniqueId", "").removeprefix("@").lower() != creator.username:
            return tiktok_status(10221, "user doesn't exist")
        videos = self.catalogue(creator).size
        stats = {
            "followerCount": creator.followers,
            "followingCount": 74,
            "heartCount": creator.followers * 9,
            "videoCount": videos,
        }
        info = {
            "user": self._author(creator, context) | {"privateAccount": creator.kind is CreatorKind.PRIVATE},
            "stats": stats | {"diggCount": 0, "friendCount": 12, "heart": creator.followers * 9},
            "statsV2": {name: str(number) for name, number in stats.items()},
            "itemList": [],
        }
        status = {"statusCode": 0, "status_code": 0, "status_msg": ""}
        return json_response({"extra": {"now": context.now * 1000}, **status, "userInfo": info})

    def _posts(self, creator: Creator, context: CallContext) -> HttpResponse:
        if creator.kind is CreatorKind.PRIVATE:
            return tiktok_status(10222)
        count = parse_number(context.request.query.get("count"), _MAX_PAGE_SIZE)
        if not count:
            return tiktok_status(10201, "invalid parameters")
        page = self.pager(creator, context, min(count, _MAX_PAGE_SIZE)).page(_decode_cursor(context.request))
        items = [self._item(video, context, pinned=place < page.pinned) for place, video in enumerate(page.videos)]
        data = {
            "cursor": _encode_cursor(page.next or page.end),
            "extra": {"fatal_item_ids": [], "logid": f"{context.now:x}", "now": context.now * 1000},
            "hasMore": page.next is not None or self._falsely_promises_more(creator, page),
            "itemList": items,
            "log_pb": {"impr_id": f"{context.now:x}"},
            "statusCode": 0,
            "status_code": 0,
            "status_msg": "",
        }
        filler_size = max(0, self.options.body_bytes // _ITEMS_IN_FULL_PAGE - _ITEM_SIZE_WITHOUT_FILLER)
        fragments = {
            "item": keys_of({"author": self._author(creator, context)} | TIKTOK_ITEM),
            "video": tiktok_video_keys(filler_size),
        }
        return HttpResponse(200, insert(compact_json({"data": data}), fragments).encode())

    def _falsely_promises_more(self, creator: Creator, page: SandboxPage) -> bool:
        return self.options.traps and len(page.videos) > 0 and (creator.index + 1) % 13 == 0

    def _author(self, creator: Creator, context: CallContext) -> dict[str, object]:
        avatar = self.thumbnail_url(context, creator.external_id)
        return {
            "avatarLarger": avatar,
            "avatarMedium": avatar,
            "avatarThumb": avatar,
            "commentSetting": 0,
            "downloadSetting": 0,
            "duetSetting": 0,
            "ftc": False,
            "id": creator.external_id,
            "nickname": creator.display_name,
            "openFavorite": False,
            "privateAccount": False,
            "relation": 0,
            "secUid": creator.sec_id,
            "secret": False,
            "signature": "invented for tests 🎈",
            "stitchSetting": 0,
            "uniqueId": creator.username,
            "verified": creator.index % 17 == 0,
        }

    def _item(self, video: Video, context: CallContext, *, pinned: bool) -> dict[str, object]:
        if self.options.traps and video.malformed:
            return {"desc": video.title, "stats": None, "video": {}}
        video_id = self.world.identifiers.tiktok_video(video.owner.index, video.published)
        photo = video.one_in(16, 8)
        item: dict[str, object] = {
            **marker("item"),
            "createTime": str(video.published) if video.owner.index % 2 else video.published,
            "desc": video.title,
            "id": video_id,
            **_statistics(video, context.now),
            "video": self._media(video, video_id, context, photo=photo),
        }
        if pinned:
            item["isPinnedItem"] = True
        if photo:
            item["imagePost"] = {"title": video.title, "images": [{"imageHeight": 1440, "imageWidth": 1080}]}
        return item

    def _media(self, video: Video, video_id: str, context: CallContext, *, photo: bool) -> dict[str, object]:
        cover = self.thumbnail_url(context, video_id)
        media: dict[str, object] = {"cover": cover, "duration": 0 if photo else video.seconds, "id": video_id}
        if photo:
            return media | {"originCover": "", "dynamicCover": ""}
        return media | {"originCover": cover, "dynamicCover": cover} | marker("video")


def _statistics(video: Video, now: int) -> dict[str, object]:
    counters = video.counters(now)
    exact = {
        "collectCount": counters.shares // 2,
        "commentCount": counters.comments,
        "diggCount": counters.likes,
        "playCount": counters.views - 2**32 if video.one_in(61, 19) else counters.views,
        "repostCount": 0,
        "shareCount": counters.shares,
    }
    if video.hides_likes:
        del exact["diggCount"]
    rounded = {name: _rounded(number) for name, number in exact.items()}
    return {"stats": rounded, "statsV2": {name: str(number) for name, number in exact.items()}}


def _rounded(number: int) -> int:
    return number if number < _MAX_EXACT_COUNTER else number // 100 * 100


def _decode_cursor(request: HttpRequest) -> Cursor | None:
    """Decode `cursor`, which looks like milliseconds: the second of the preceding page's end, then the page number."""
    number = parse_number(request.query.get("cursor"), 0)
    return Cursor(number // 1000, number % 1000) if number else None


def _encode_cursor(cursor: Cursor) -> str:
    return "0" if cursor.page == 0 else str(cursor.before * 1000 + cursor.page)
