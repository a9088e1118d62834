"""Faults that change a platform's normal response: the same videos, written as platforms were seen to write them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from devtools.platform_sandbox.faults import FaultKind
from devtools.platform_sandbox.http_messages import HttpResponse, json_response
from devtools.platform_sandbox.world import PlatformName

Body = Any
"""A decoded body of a platform, which the functions of this module change in place."""

_MICROSECONDS = 1_000_000
_ADVERTISER = "9007199254740993"
_SUCCESS = 200


def distorted_response(kind: FaultKind, platform: PlatformName, response: HttpResponse) -> HttpResponse | None:
    """Return the response as changed by a fault; None if the platform does not support the fault.

    An error, and a body without the part that the fault changes, is returned unchanged.
    """
    distort = _DISTORTIONS[platform].get(kind)
    if distort is None:
        return None
    if response.status != _SUCCESS:
        return response
    body = json.loads(response.body)
    distort(body)
    return replace(response, body=json_response(body).body)


def _tiktok_list(body: Body) -> Body:
    """Return the layer of a page of posts that has `itemList`, or an empty object for any other body."""
    return body.get("data", {})


def _tiktok_items(body: Body) -> list[Body]:
    items: list[Body] = _tiktok_list(body).get("itemList", [])
    return items


def _instagram_list(body: Body) -> Body:
    return body.get("response", {})


def _instagram_items(body: Body) -> list[Body]:
    """Return the media of a page of clips or posts, without their wrapping and without cards."""
    media = (item.get("media", item) for item in _instagram_list(body).get("items", []))
    return [each for each in media if "suggested_users" not in each]


def _youtube_items(body: Body) -> list[Body]:
    items: list[Body] = body.get("items", [])
    return items


def _is_of_clips(body: Body) -> bool:
    return "paging_info" in _instagram_list(body)


def _remove_tiktok_list(body: Body) -> None:
    _tiktok_list(body).pop("itemList", None)


def _nullify_tiktok_list(body: Body) -> None:
    if "itemList" in _tiktok_list(body):
        body["data"]["itemList"] = None


def _remove_instagram_list(body: Body) -> None:
    _instagram_list(body).pop("items", None)


def _nullify_instagram_list(body: Body) -> None:
    if "items" in _instagram_list(body):
        body["response"]["items"] = None


def _remove_youtube_list(body: Body) -> None:
    body.pop("items", None)


def _nullify_youtube_list(body: Body) -> None:
    if "items" in body:
        body["items"] = None


def _mark_tiktok_posts_as_ads(body: Body) -> None:
    for item in _tiktok_items(body)[::2]:
        item["isAd"] = True


def _mark_instagram_posts_as_ads(body: Body) -> None:
    for media in _instagram_items(body)[::2]:
        media["is_ad"] = True


def _insert_tiktok_ad(body: Body) -> None:
    items = _tiktok_items(body)
    named = next((item for item in items if "id" in item), None)
    if named is not None:
        author = named["author"] | {"id": _ADVERTISER, "secUid": "MS4wLjABinventedadvertiser", "uniqueId": "advertiser"}
        items.insert(1, named | {"id": str(int(named["id"]) + 1), "isAd": True, "author": author})


def _insert_instagram_ad(body: Body) -> None:
    items = _instagram_list(body).get("items", [])
    named = next((media for media in _instagram_items(body) if media.get("pk")), None)
    if named is not None:
        pk = int(named["pk"]) + 1
        owner = named["user"] | {"pk": _ADVERTISER, "pk_id": _ADVERTISER, "id": _ADVERTISER, "username": "advertiser"}
        ids = {"pk": pk, "id": f"{pk}_{_ADVERTISER}", "user": owner, "owner": owner, "coauthor_producers": []}
        media = named | ids | {"ad_id": "23850000000000000"}
        items.insert(1, {"media": media} if _is_of_clips(body) else media)


def _leave_out_clips(body: Body) -> None:
    if _is_of_clips(body):
        del body["response"]["items"][::2]


def _unmark_tiktok_pins(body: Body) -> None:
    for item in _tiktok_items(body):
        item.pop("isPinnedItem", None)


def _unmark_instagram_pins(body: Body) -> None:
    for media in _instagram_items(body):
        media["timeline_pinned_user_ids"] = media["clips_tab_pinned_user_ids"] = []


def _zero_tiktok_views(body: Body) -> None:
    for item in _tiktok_items(body):
        if item.get("stats"):
            item["stats"]["playCount"], item["statsV2"]["playCount"] = 0, "0"


def _zero_instagram_views(body: Body) -> None:
    for media in _instagram_items(body):
        media.update(dict.fromkeys(media.keys() & {"play_count", "ig_play_count"}, 0))


def _zero_youtube_views(body: Body) -> None:
    for item in _youtube_items(body):
        if "viewCount" in item.get("statistics", {}):
            item["statistics"]["viewCount"] = "0"


def _write_tiktok_list_as_data(body: Body) -> None:
    layer = _tiktok_list(body)
    if "itemList" in layer:
        cursor = layer["cursor"] if layer["hasMore"] else None
        body.clear()
        body |= {"data": layer["itemList"], "nextCursor": cursor}


def _remove_media_type_of_clips(body: Body) -> None:
    if _is_of_clips(body):
        for media in _instagram_items(body):
            media.pop("media_type", None)


def _write_tiktok_microseconds(body: Body) -> None:
    for item in _tiktok_items(body):
        if "createTime" in item:
            item["createTime"] = int(item["createTime"]) * _MICROSECONDS


def _write_instagram_microseconds(body: Body) -> None:
    for media in _instagram_items(body):
        if "device_timestamp" in media:
            media["taken_at"] = media["device_timestamp"]


def _become_private(body: Body) -> None:
    if "itemList" in _tiktok_list(body):
        body["data"] |= {"itemList": [], "cursor": "0", "hasMore": False}
    if "userInfo" in body:
        body["userInfo"]["user"]["privateAccount"] = True


def _state_private_code(body: Body) -> None:
    if "userInfo" in body:
        body |= {"statusCode": 10222, "status_code": 10222, "status_msg": "user is private"}
        body["userInfo"]["user"]["privateAccount"] = True


_DISTORTIONS: dict[PlatformName, dict[FaultKind, Callable[[Body], None]]] = {
    PlatformName.TIKTOK: {
        FaultKind.LIST_MISSING: _remove_tiktok_list,
        FaultKind.LIST_NULL: _nullify_tiktok_list,
        FaultKind.OWN_ADVERTISEMENTS: _mark_tiktok_posts_as_ads,
        FaultKind.FOREIGN_ADVERTISEMENT: _insert_tiktok_ad,
        FaultKind.UNMARKED_PINS: _unmark_tiktok_pins,
        FaultKind.ZERO_VIEWS: _zero_tiktok_views,
        FaultKind.LIST_AS_DATA: _write_tiktok_list_as_data,
        FaultKind.MICROSECONDS: _write_tiktok_microseconds,
        FaultKind.BECAME_PRIVATE: _become_private,
        FaultKind.PRIVATE_PROFILE_WITH_CODE: _state_private_code,
    },
    PlatformName.INSTAGRAM: {
        FaultKind.LIST_MISSING: _remove_instagram_list,
        FaultKind.LIST_NULL: _nullify_instagram_list,
        FaultKind.OWN_ADVERTISEMENTS: _mark_instagram_posts_as_ads,
        FaultKind.FOREIGN_ADVERTISEMENT: _insert_instagram_ad,
        FaultKind.CLIPS_LEFT_OUT: _leave_out_clips,
        FaultKind.UNMARKED_PINS: _unmark_instagram_pins,
        FaultKind.ZERO_VIEWS: _zero_instagram_views,
        FaultKind.NO_MEDIA_TYPE: _remove_media_type_of_clips,
        FaultKind.MICROSECONDS: _write_instagram_microseconds,
    },
    PlatformName.YOUTUBE: {
        FaultKind.LIST_MISSING: _remove_youtube_list,
        FaultKind.LIST_NULL: _nullify_youtube_list,
        FaultKind.ZERO_VIEWS: _zero_youtube_views,
    },
}
