"""Media in Instagram's lists: reels, feed videos, photos, carousels and posts shared with another account."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

from devtools.platform_sandbox.catalogue import Catalogue, Video
from devtools.platform_sandbox.cursor_pages import SandboxPage
from devtools.platform_sandbox.filler import INSTAGRAM_ITEM, instagram_video_keys, keys_of, marker
from devtools.platform_sandbox.identifiers import instagram_code
from devtools.platform_sandbox.platform_api import CallContext, PlatformApi
from devtools.platform_sandbox.world import Creator, CreatorKind

_ITEM_SIZE_WITHOUT_FILLER = 1_600
_LAST_FEED_VIDEOS = int(datetime(2022, 8, 1, tzinfo=UTC).timestamp())
_MIXED_ACCOUNTS = 4


class MediaKind(StrEnum):
    """Kind of a post. A collab is a reel of another account that is also part of the co-author's lists."""

    CLIP = "clip"
    FEED_VIDEO = "feed_video"
    PHOTO = "photo"
    CAROUSEL = "carousel"
    COLLAB = "collab"


_KINDS = (
    *(MediaKind.CLIP,) * 10,
    *(MediaKind.FEED_VIDEO,) * 2,
    *(MediaKind.PHOTO,) * 2,
    MediaKind.CAROUSEL,
    MediaKind.COLLAB,
)
_MEDIA_TYPES = {MediaKind.PHOTO: 1, MediaKind.CAROUSEL: 8}
_PRODUCT_TYPES = {MediaKind.FEED_VIDEO: "feed", MediaKind.PHOTO: "feed", MediaKind.CAROUSEL: "carousel_container"}


def is_mixed(creator: Creator) -> bool:
    """Return True for one in four creators: videos that only the posts have are among their newest.

    All other creators are accounts of reels, as since August 2022 Instagram makes a reel of each new video.
    """
    return creator.index % _MIXED_ACCOUNTS == 1


def media_kind(video: Video) -> MediaKind:
    """Return the kind of a post: ten of sixteen are reels, or twelve in an account of reels since August 2022."""
    kind = _KINDS[(video.bits >> 8) % len(_KINDS)]
    is_reel = kind is MediaKind.FEED_VIDEO and video.published >= _LAST_FEED_VIDEOS and not is_mixed(video.owner)
    return MediaKind.CLIP if is_reel else kind


def is_among_clips(video: Video) -> bool:
    """Return True for a reel that the list of clips has. Half of a mixed account's collabs are in the posts alone."""
    kind = media_kind(video)
    return kind is MediaKind.CLIP or (kind is MediaKind.COLLAB and not (is_mixed(video.owner) and video.one_in(2, 15)))


def media_fragments(size: int) -> dict[str, str]:
    """Return the filler that makes an item about `size` characters long."""
    return {"item": keys_of(INSTAGRAM_ITEM), "video": instagram_video_keys(max(0, size - _ITEM_SIZE_WITHOUT_FILLER))}


class MediaWriter:
    """Writer of the items of one page. Only the list of clips has play counts."""

    def __init__(self, api: PlatformApi, creator: Creator, context: CallContext, *, clips: bool) -> None:
        self._api = api
        self._creator = creator
        self._context = context
        self._clips = clips

    def items(self, page: SandboxPage) -> list[object]:
        """Return the page's items; the second item on an untidy account's page is a card of suggested users."""
        items = [self._item(video, pinned=place < page.pinned) for place, video in enumerate(page.videos)]
        if self._api.options.traps and self._creator.kind is CreatorKind.UNTIDY:
            items.insert(1, {"suggested_users": {"type": 2, "suggestions": [], "id": "8"}})
        return items

    def _item(self, listed: Video, *, pinned: bool) -> object:
        if self._api.options.traps and listed.malformed:
            return {"pk": None, "taken_at": "soon", "media_type": 2, "caption": None}
        kind = media_kind(listed)
        video = self._original(listed) if kind is MediaKind.COLLAB else listed
        pk = self._api.world.identifiers.instagram_media(video.owner.index, video.published)
        pinned_by = [int(self._creator.external_id)] if pinned else []
        return {
            "taken_at": self._taken_at(video),
            "pk": pk if self._creator.index % 2 else str(pk),
            "id": f"{pk}_{video.owner.external_id}",
            "fbid": str(17_800_000_000_000_000 + pk % 10**14),
            "device_timestamp": video.published * 1_000_000,
            "strong_id__": f"{pk}_{video.owner.external_id}",
            **marker("item"),
            "media_type": _MEDIA_TYPES.get(kind, 2),
            "code": instagram_code(pk),
            "caption": None if video.one_in(9, 5) else self._caption(video, pk),
            "timeline_pinned_user_ids": pinned_by,
            "clips_tab_pinned_user_ids": pinned_by if self._clips else [],
            "user": self._user(video.owner),
            "owner": self._user(video.owner),
            "coauthor_producers": [self._user(self._creator)] if kind is MediaKind.COLLAB else [],
            "product_type": _PRODUCT_TYPES.get(kind, "clips"),
            **self._numbers(video, kind),
            **self._thumbnails(kind, pk),
        }

    def _original(self, listed: Video) -> Video:
        """Return the partner's newest reel at the time of publication: the same media as in the partner's own list."""
        world = self._api.world
        partner = world.creator(listed.owner.platform, (listed.owner.index * 7 + 3) % world.creators_per_platform)
        if partner.kind is not CreatorKind.NORMAL or partner.index == listed.owner.index:
            return listed
        catalogue = Catalogue(world, partner)
        newest = catalogue.newest(listed.published)
        reels = (catalogue.video(number) for number in range(newest, newest - 100, -1))
        return next((video for video in reels if media_kind(video) is MediaKind.CLIP), listed)

    def _taken_at(self, video: Video) -> int | str:
        if self._creator.index % 5 == 0:
            return datetime.fromtimestamp(video.published, UTC).isoformat()
        return video.published

    def _caption(self, video: Video, pk: int) -> dict[str, object]:
        return {
            "pk": str(pk + 1),
            "text": video.title,
            "created_at": video.published,
            "created_at_utc": video.published,
            "content_type": "comment",
            "media_id": str(pk),
            "status": "Active",
            "type": 1,
            "user_id": video.owner.external_id,
        }

    def _user(self, creator: Creator) -> dict[str, object]:
        return {
            "pk": creator.external_id,
            "pk_id": creator.external_id,
            "id": creator.external_id,
            "username": creator.username,
            "full_name": creator.display_name,
            "is_private": False,
            "is_verified": creator.index % 17 == 0,
            "profile_pic_url": self._api.thumbnail_url(self._context, creator.external_id),
        }

    def _numbers(self, video: Video, kind: MediaKind) -> dict[str, object]:
        counters = video.counters(self._context.now)
        numbers: dict[str, object] = {"comment_count": counters.comments, "like_count": counters.likes}
        hidden = video.hides_likes
        if hidden:
            numbers |= ({}, {"like_count": -1}, {"like_count": 3})[video.number % 3]
        if hidden and video.number % 3 == 0:
            del numbers["like_count"]
        numbers["like_and_view_counts_disabled"] = hidden
        if self._clips and kind in {MediaKind.CLIP, MediaKind.COLLAB}:
            numbers |= {"play_count": counters.views, "ig_play_count": counters.views}
        repost_key = ("media_repost_count", "reshare_count", None)[video.number % 3]
        return numbers | ({repost_key: counters.shares} if repost_key else {})

    def _thumbnails(self, kind: MediaKind, pk: int) -> dict[str, object]:
        url = self._api.thumbnail_url(self._context, str(pk))
        versions = {"candidates": [{"width": 720, "height": 1280, "url": url}], "additional_candidates": {}}
        if kind is MediaKind.CAROUSEL:
            return {"carousel_media_count": 2, "carousel_media": [{"media_type": 1, "image_versions2": versions}] * 2}
        if kind is MediaKind.PHOTO:
            return {"image_versions2": versions}
        return {"image_versions2": versions} | marker("video")
