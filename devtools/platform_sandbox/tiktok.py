"""TikTok through the gateway tiktok-api23: `/api/user/info` and `/api/user/posts`, the web app's shape."""

from __future__ import annotations

from devtools.platform_sandbox.catalogue import Video
from devtools.platform_sandbox.fault_answers import tiktok_status
from devtools.platform_sandbox.filler import TIKTOK_ITEM, insert, keys_of, marker, tiktok_video_keys
from devtools.platform_sandbox.identifiers import roll
from devtools.platform_sandbox.messages import Request, Response, compact, json_response
from devtools.platform_sandbox.paging import Cursor, Page
from devtools.platform_sandbox.platform_api import CallFacts, Moment, PlatformApi, cursor_page, whole_number
from devtools.platform_sandbox.platforms import Platform
from devtools.platform_sandbox.world import Creator, CreatorKind

_CALLS = {"/tiktok/api/user/info": "info", "/tiktok/api/user/posts": "posts"}
_GONE_CODES = (10221, 10202, 10204)
_LARGEST_PAGE = 35
_SHOWN_EXACTLY = 10_000
_ITEMS_IN_FULL_PAGE = 30
_ITEM_WITHOUT_BULK = 2_150


class TikTokApi(PlatformApi):
    """TikTok's list of a user is addressed by `secUid`, so that it survives a rename."""

    platform = Platform.TIKTOK
    prefix = "/tiktok/"
    key_header = "x-rapidapi-key"

    def facts(self, request: Request) -> CallFacts:
        """See `PlatformApi`."""
        call = _CALLS.get(request.path, request.path)
        named = request.query.get("secUid") or request.query.get("uniqueId")
        creator = self.world.find(self.platform, named) if named else None
        return CallFacts(call, creator, cursor_page(_cursor(request)))

    def bad_key(self) -> Response:
        """The gateway knows no bad keys, only keys without a subscription."""
        return json_response({"message": "You are not subscribed to this API."}, 403)

    def missing_key(self) -> Response:
        """See `PlatformApi`."""
        return json_response({"message": "Invalid API key. Go to https://docs.rapidapi.com/docs/keys"}, 401)

    def answer(self, moment: Moment) -> Response:
        """See `PlatformApi`. Errors about a user are codes in a 200 body."""
        facts = self.facts(moment.request)
        if facts.call not in _CALLS.values():
            return json_response({"message": f"Endpoint '{moment.request.path}' does not exist"}, 404)
        creator = facts.creator
        if creator is None:
            return tiktok_status(10221, "user doesn't exist")
        if creator.kind is CreatorKind.GONE:
            return tiktok_status(_GONE_CODES[creator.index // 100 % len(_GONE_CODES)])
        return self._info(creator, moment) if facts.call == "info" else self._posts(creator, moment)

    def _info(self, creator: Creator, moment: Moment) -> Response:
        if moment.request.query.get("uniqueId", "").removeprefix("@").lower() != creator.username:
            return tiktok_status(10221, "user doesn't exist")
        followers = 900 + roll(creator.external_id, "followers") % 3_000_000
        videos = self.catalogue(creator).size
        stats = {"followerCount": followers, "followingCount": 74, "heartCount": followers * 9, "videoCount": videos}
        info = {
            "user": self._author(creator, moment) | {"privateAccount": creator.kind is CreatorKind.PRIVATE},
            "stats": stats | {"diggCount": 0, "friendCount": 12, "heart": followers * 9},
            "statsV2": {name: str(number) for name, number in stats.items()},
            "itemList": [],
        }
        status = {"statusCode": 0, "status_code": 0, "status_msg": ""}
        return json_response({"extra": {"now": moment.now * 1000}, **status, "userInfo": info})

    def _posts(self, creator: Creator, moment: Moment) -> Response:
        if creator.kind is CreatorKind.PRIVATE:
            return tiktok_status(10222)
        count = whole_number(moment.request.query.get("count"), _LARGEST_PAGE)
        if not count:
            return tiktok_status(10201, "invalid parameters")
        page = self.pager(creator, moment, min(count, _LARGEST_PAGE)).page(_cursor(moment.request))
        items = [self._item(video, moment, pinned=place < page.pinned) for place, video in enumerate(page.videos)]
        data = {
            "cursor": _cursor_text(page.next or page.end),
            "extra": {"fatal_item_ids": [], "logid": f"{moment.now:x}", "now": moment.now * 1000},
            "hasMore": page.next is not None or self._lies_about_more(creator, page),
            "itemList": items,
            "log_pb": {"impr_id": f"{moment.now:x}"},
            "statusCode": 0,
            "status_code": 0,
            "status_msg": "",
        }
        bulk = max(0, self.options.body_bytes // _ITEMS_IN_FULL_PAGE - _ITEM_WITHOUT_BULK)
        fragments = {
            "item": keys_of({"author": self._author(creator, moment)} | TIKTOK_ITEM),
            "video": tiktok_video_keys(bulk),
        }
        return Response(200, insert(compact({"data": data}), fragments).encode())

    def _lies_about_more(self, creator: Creator, page: Page) -> bool:
        return self.options.traps and len(page.videos) > 0 and (creator.index + 1) % 13 == 0

    def _author(self, creator: Creator, moment: Moment) -> dict[str, object]:
        avatar = self.thumbnail_url(moment, creator.external_id)
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

    def _item(self, video: Video, moment: Moment, *, pinned: bool) -> dict[str, object]:
        if self.options.traps and video.malformed:
            return {"desc": video.title, "stats": None, "video": {}}
        video_id = self.world.identifiers.tiktok_video(video.owner.index, video.published)
        photo = video.one_in(16, 8)
        item: dict[str, object] = {
            **marker("item"),
            "createTime": str(video.published) if video.owner.index % 2 else video.published,
            "desc": video.title,
            "id": video_id,
            **_statistics(video, moment.now),
            "video": self._media(video, video_id, moment, photo=photo),
        }
        if pinned:
            item["isPinnedItem"] = True
        if photo:
            item["imagePost"] = {"title": video.title, "images": [{"imageHeight": 1440, "imageWidth": 1080}]}
        return item

    def _media(self, video: Video, video_id: str, moment: Moment, *, photo: bool) -> dict[str, object]:
        cover = self.thumbnail_url(moment, video_id)
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
    return number if number < _SHOWN_EXACTLY else number // 100 * 100


def _cursor(request: Request) -> Cursor | None:
    """`cursor` is milliseconds; the last three digits count the pages, the rest is the second to go on before."""
    moment = whole_number(request.query.get("cursor"), 0)
    return Cursor(moment // 1000, moment % 1000) if moment else None


def _cursor_text(cursor: Cursor) -> str:
    return "0" if cursor.page == 0 else str(cursor.before * 1000 + cursor.page)
