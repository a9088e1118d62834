"""Imitation of Instagram through HikerAPI v2: `/v2/user/by/username`, `/v2/user/clips`, `/v2/user/medias`."""

from __future__ import annotations

import base64
import binascii

from devtools.platform_sandbox.cursor_pages import Cursor, SandboxPage, page_number
from devtools.platform_sandbox.fault_responses import (
    INSTAGRAM_ENTRIES_NOT_FOUND,
    INSTAGRAM_INVALID_CREDENTIALS,
    instagram_error,
)
from devtools.platform_sandbox.filler import insert
from devtools.platform_sandbox.http_messages import HttpRequest, HttpResponse, compact_json, json_response
from devtools.platform_sandbox.instagram_media import MediaWriter, is_among_clips, media_fragments
from devtools.platform_sandbox.platform_api import CallContext, CallDescription, PlatformApi
from devtools.platform_sandbox.world import Creator, CreatorKind, PlatformName

_CALLS = {
    "/instagram/v2/user/by/username": "by_username",
    "/instagram/v2/user/clips": "clips",
    "/instagram/v2/user/medias": "medias",
}


class InstagramApi(PlatformApi):
    """Instagram's API. Reels and posts are separate lists, both addressed by the user's `pk`."""

    platform = PlatformName.INSTAGRAM
    prefix = "/instagram/"
    key_header = "x-access-key"

    def describe(self, request: HttpRequest) -> CallDescription:
        """See `PlatformApi`."""
        call = _CALLS.get(request.path, request.path)
        named = request.query.get("user_id") or request.query.get("username")
        creator = self.world.find(self.platform, named) if named else None
        return CallDescription(call, creator, page_number(_decode_cursor(request)))

    def invalid_key_response(self) -> HttpResponse:
        """See `PlatformApi`."""
        return INSTAGRAM_INVALID_CREDENTIALS

    def missing_key_response(self) -> HttpResponse:
        """See `PlatformApi`."""
        return instagram_error(401, "Unauthorized", "Access key is required")

    def respond(self, context: CallContext) -> HttpResponse:
        """See `PlatformApi`."""
        call = self.describe(context.request)
        query = context.request.query
        if call.name not in _CALLS.values():
            return instagram_error(404, "NotFound", "Not Found")
        if not query.get("username" if call.name == "by_username" else "user_id"):
            return instagram_error(422, "ValidationError", "field required")
        creator = call.creator
        if creator is None or creator.kind is CreatorKind.GONE:
            return instagram_error(404, "UserNotFound", "User not found")
        if call.name == "by_username":
            return self._profile(creator, context)
        return self._list(creator, context, clips=call.name == "clips")

    def _profile(self, creator: Creator, context: CallContext) -> HttpResponse:
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
            "follower_count": creator.followers,
            "following_count": 74,
            "profile_pic_url": self.thumbnail_url(context, creator.external_id),
            "account_type": 2,
        }
        return json_response({"user": user, "status": "ok"})

    def _list(self, creator: Creator, context: CallContext, *, clips: bool) -> HttpResponse:
        if creator.kind is CreatorKind.PRIVATE:
            return instagram_error(403, "PrivateAccount", "This account is private")
        cursor = _decode_cursor(context.request)
        page = self._page(creator, context, cursor, clips=clips)
        if not page.videos and (cursor is None or creator.index % 3 == 0) and page.next is None:
            return INSTAGRAM_ENTRIES_NOT_FOUND
        writer = MediaWriter(self, creator, context, clips=clips)
        items = writer.items(page)
        response = _clips_envelope(items, page) if clips else _posts_envelope(items, page)
        body = {"response": response} | self._next_page(creator, page)
        item_size = self.options.body_bytes // self.options.page_size(self.platform)
        return HttpResponse(200, insert(compact_json(body), media_fragments(item_size)).encode())

    def _page(self, creator: Creator, context: CallContext, cursor: Cursor | None, *, clips: bool) -> SandboxPage:
        pager = self.pager(creator, context, self.options.page_size(self.platform))
        return pager.page(cursor, is_among_clips) if clips else pager.page(cursor)

    def _next_page(self, creator: Creator, page: SandboxPage) -> dict[str, object]:
        if page.next is not None:
            return {"next_page_id": _encode_cursor(page.next)}
        last_page_forms: tuple[dict[str, object], ...] = ({"next_page_id": None}, {"next_page_id": ""}, {})
        return last_page_forms[creator.index % len(last_page_forms)]


def _clips_envelope(items: list[object], page: SandboxPage) -> dict[str, object]:
    wrapped = [{"media": item} for item in items]
    max_id = _encode_cursor(page.next) if page.next else ""
    return {
        "items": wrapped,
        "paging_info": {"max_id": max_id, "more_available": page.next is not None},
        "status": "ok",
    }


def _posts_envelope(items: list[object], page: SandboxPage) -> dict[str, object]:
    envelope: dict[str, object] = {
        "items": items,
        "num_results": len(items),
        "more_available": page.next is not None,
        "auto_load_more_enabled": False,
        "status": "ok",
    }
    if page.next:
        envelope["next_max_id"] = _encode_cursor(page.next)
    return envelope


def _decode_cursor(request: HttpRequest) -> Cursor | None:
    """Decode `page_id`: base64 of the page number, the second of the preceding page's end, and padding.

    The padding makes every `page_id` end in `==`, as the platform's do.
    """
    try:
        page, before = base64.b64decode(request.query.get("page_id", ""), validate=True).decode().split("|")[1:3]
        return Cursor(int(before), int(page))
    except (binascii.Error, ValueError):
        return None


def _encode_cursor(cursor: Cursor) -> str:
    text = f"QVFC|{cursor.page}|{cursor.before}|"
    return base64.b64encode(text.ljust(len(text) + (1 - len(text)) % 3, "x").encode()).decode()
