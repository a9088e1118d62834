"""Instagram through HikerAPI v2: `/v2/user/by/username`, `/v2/user/clips`, `/v2/user/medias`."""

from __future__ import annotations

import base64
import binascii

from devtools.platform_sandbox.fault_answers import instagram_error
from devtools.platform_sandbox.filler import insert
from devtools.platform_sandbox.identifiers import roll
from devtools.platform_sandbox.instagram_media import MediaKind, MediaWriter, media_fragments, media_kind
from devtools.platform_sandbox.messages import Request, Response, compact, json_response
from devtools.platform_sandbox.paging import Cursor, Page
from devtools.platform_sandbox.platform_api import CallFacts, Moment, PlatformApi, cursor_page
from devtools.platform_sandbox.platforms import Platform
from devtools.platform_sandbox.world import Creator, CreatorKind

_CALLS = {
    "/instagram/v2/user/by/username": "by_username",
    "/instagram/v2/user/clips": "clips",
    "/instagram/v2/user/medias": "medias",
}


class InstagramApi(PlatformApi):
    """Instagram lists reels and posts apart; both are addressed by the user's `pk`."""

    platform = Platform.INSTAGRAM
    prefix = "/instagram/"
    key_header = "x-access-key"

    def facts(self, request: Request) -> CallFacts:
        """See `PlatformApi`."""
        call = _CALLS.get(request.path, request.path)
        named = request.query.get("user_id") or request.query.get("username")
        creator = self.world.find(self.platform, named) if named else None
        return CallFacts(call, creator, cursor_page(_cursor(request)))

    def bad_key(self) -> Response:
        """See `PlatformApi`."""
        return instagram_error(401, "Unauthorized", "Access key is not valid")

    def missing_key(self) -> Response:
        """See `PlatformApi`."""
        return instagram_error(401, "Unauthorized", "Access key is required")

    def answer(self, moment: Moment) -> Response:
        """See `PlatformApi`."""
        facts = self.facts(moment.request)
        query = moment.request.query
        if facts.call not in _CALLS.values():
            return instagram_error(404, "NotFound", "Not Found")
        if not query.get("username" if facts.call == "by_username" else "user_id"):
            return instagram_error(422, "ValidationError", "field required")
        creator = facts.creator
        if creator is None or creator.kind is CreatorKind.GONE:
            return instagram_error(404, "UserNotFound", "User not found")
        if facts.call == "by_username":
            return self._profile(creator, moment)
        return self._list(creator, moment, clips=facts.call == "clips")

    def _profile(self, creator: Creator, moment: Moment) -> Response:
        user = {
            "pk": int(creator.external_id) if creator.index % 2 else creator.external_id,
            "pk_id": creator.external_id,
            "id": creator.external_id,
            "username": creator.username,
            "full_name": creator.display_name,
            "is_private": creator.kind is CreatorKind.PRIVATE,
            "is_verified": creator.index % 17 == 0,
            "biography": "invented for tests 🎈",
            "media_count": self.catalogue(creator).size,
            "follower_count": 900 + roll(creator.external_id, "followers") % 3_000_000,
            "following_count": 74,
            "profile_pic_url": self.thumbnail_url(moment, creator.external_id),
            "account_type": 2,
        }
        return json_response({"user": user, "status": "ok"})

    def _list(self, creator: Creator, moment: Moment, *, clips: bool) -> Response:
        if creator.kind is CreatorKind.PRIVATE:
            return instagram_error(403, "PrivateAccount", "This account is private")
        cursor = _cursor(moment.request)
        page = self._page(creator, moment, cursor, clips=clips)
        if not page.videos and (cursor is None or creator.index % 3 == 0) and page.next is None:
            return instagram_error(404, "NotFoundError", "Entries not found")
        writer = MediaWriter(self, creator, moment, clips=clips)
        items = writer.items(page)
        response = _clips_envelope(items, page) if clips else _posts_envelope(items, page)
        body = {"response": response} | self._next_page(creator, page)
        weight = self.options.body_bytes // self.options.page_size(self.platform)
        return Response(200, insert(compact(body), media_fragments(weight)).encode())

    def _page(self, creator: Creator, moment: Moment, cursor: Cursor | None, *, clips: bool) -> Page:
        pager = self.pager(creator, moment, self.options.page_size(self.platform))
        if clips:
            return pager.page(cursor, lambda video: media_kind(video) in {MediaKind.CLIP, MediaKind.COLLAB})
        return pager.page(cursor)

    def _next_page(self, creator: Creator, page: Page) -> dict[str, object]:
        if page.next is not None:
            return {"next_page_id": _cursor_text(page.next)}
        endings: tuple[dict[str, object], ...] = ({"next_page_id": None}, {"next_page_id": ""}, {})
        return endings[creator.index % len(endings)]


def _clips_envelope(items: list[object], page: Page) -> dict[str, object]:
    wrapped = [{"media": item} for item in items]
    max_id = _cursor_text(page.next) if page.next else ""
    return {
        "items": wrapped,
        "paging_info": {"max_id": max_id, "more_available": page.next is not None},
        "status": "ok",
    }


def _posts_envelope(items: list[object], page: Page) -> dict[str, object]:
    envelope: dict[str, object] = {
        "items": items,
        "num_results": len(items),
        "more_available": page.next is not None,
        "auto_load_more_enabled": False,
        "status": "ok",
    }
    if page.next:
        envelope["next_max_id"] = _cursor_text(page.next)
    return envelope


def _cursor(request: Request) -> Cursor | None:
    """`page_id` is base64 of the page, the second to go on before, and a filler that makes it end in `==`."""
    try:
        page, before = base64.b64decode(request.query.get("page_id", ""), validate=True).decode().split("|")[1:3]
        return Cursor(int(before), int(page))
    except (binascii.Error, ValueError):
        return None


def _cursor_text(cursor: Cursor) -> str:
    text = f"QVFC|{cursor.page}|{cursor.before}|"
    return base64.b64encode(text.ljust(len(text) + (1 - len(text)) % 3, "x").encode()).decode()
