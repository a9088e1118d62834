"""Instagram client, through a gateway (default: HikerAPI v2). Wire format: docs/platforms.md.

Merges two lists of an account: clips (reels, with play counts) and posts, which add the videos that are not reels.
Reads the envelopes of v2, v1's `[items, cursor]` and the private API's bare envelope.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import ClassVar

from blogger_tracking.domain.alerts import alerts
from blogger_tracking.domain.models import Account, BloggerProfile, CommonVideo, Platform, VideoStatistics, newest_first
from blogger_tracking.domain.platform_errors import ErrorKind, PlatformError
from blogger_tracking.platforms.config import PlatformConfig
from blogger_tracking.platforms.http_client import Call
from blogger_tracking.platforms.json_values import (
    Json,
    MalformedResponseError,
    as_count,
    as_datetime,
    as_flag,
    as_id,
    as_text,
    as_url,
    first_known,
    first_of,
    get_path,
)
from blogger_tracking.platforms.listing import Entry, EntrySkipReason, Page, VideoBatch, read_entries
from blogger_tracking.platforms.paging import collect
from blogger_tracking.platforms.service import PlatformService
from blogger_tracking.settings import Settings

SHORTCODE_ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"

_PAGE_SIZE = 12
_LISTS = 2
_MEDIA_TYPE_VIDEO = 2
_MEDIA_TYPES_PHOTO_AND_CAROUSEL = {1, 8}
_LIKES_SHOWN_WHEN_HIDDEN = 3
_LEADING_DIGITS = re.compile(r"[0-9]+")
_CARD_KEYS = ("user", "users", "suggested_users", "suggestions")


class InstagramService(PlatformService):
    """Client of Instagram's profiles, reels and other videos."""

    platform: ClassVar[Platform] = Platform.INSTAGRAM

    def get_user_info(self, username: str) -> BloggerProfile:
        """Return the profile of a username. Raises PlatformError."""
        return self._http.get(Call("v2/user/by/username", {"username": username.removeprefix("@")}), _read_profile)

    def get_user_videos_batch(self, account: Account, target_count: int, max_pages: int | None = None) -> VideoBatch:
        """Return the newest reels and other videos. Raises PlatformError, ValueError.

        Reads clips first. `max_pages` limits both lists together; by default each list may be read as far as the target
        needs, because either list may hold all of the newest videos.
        """
        page_limit = self._max_pages(_LISTS * target_count, max_pages, _PAGE_SIZE)
        clips = self._list("v2/user/clips", _read_clip, account, target_count, page_limit)
        pages_left = page_limit - clips.pages
        if clips.interrupted_by or pages_left < 1:
            return clips
        try:
            posts = self._list("v2/user/medias", _read_post, account, target_count, pages_left)
        except PlatformError as error:
            if not clips:
                raise
            posts = VideoBatch(interrupted_by=error)
        return _merge(clips, posts, target_count)

    def _list(
        self, path: str, read: Callable[[Json], Entry], account: Account, target_count: int, page_limit: int
    ) -> VideoBatch:
        def read_page(cursor: str | None, number: int) -> Page:
            params = {"user_id": account.external_id, **({"page_id": cursor} if cursor else {})}
            try:
                return self._http.get(Call(path, params, number), lambda body: _read_page(body, read))
            except PlatformError as error:
                # Any 404 after the first page is the end of the list.
                if error.kind is ErrorKind.NO_ENTRIES or (cursor and error.status == HTTPStatus.NOT_FOUND):
                    return Page(())
                raise

        return collect(read_page, target_count, page_limit)

    @staticmethod
    def _headers(config: PlatformConfig) -> Mapping[str, str]:
        return {"x-access-key": config.key}

    @staticmethod
    def _requests_per_second(settings: Settings) -> float:
        return settings.instagram_requests_per_second


def _merge(clips: VideoBatch, posts: VideoBatch, target_count: int) -> VideoBatch:
    videos = {video.external_video_id: video for video in (*posts, *clips)}
    return VideoBatch(
        newest_first(videos.values())[:target_count],
        pages=clips.pages + posts.pages,
        skipped=Counter(clips.skipped) + Counter(posts.skipped),
        interrupted_by=posts.interrupted_by,
    )


def _unwrap(body: Json) -> Json:
    inner = first_of(body, ("response", "data"))
    return inner if isinstance(inner, Mapping) else body


def _read_profile(body: Json) -> BloggerProfile:
    layer = _unwrap(body)
    user = get_path(layer, "user") or layer
    external_id, username = as_id(first_of(user, ("pk", "pk_id", "id"))), as_text(get_path(user, "username")).strip()
    if not external_id or not username:
        raise MalformedResponseError("profile without pk or username")
    return BloggerProfile(
        platform=Platform.INSTAGRAM,
        external_id=external_id,
        sec_id=None,
        username=username,
        channel_name=as_text(get_path(user, "full_name")) or username,
        subscribers=as_count(get_path(user, "follower_count")),
        thumbnail_url=as_url(get_path(user, "profile_pic_url")),
        is_private=as_flag(get_path(user, "is_private")),
    )


def _read_page(body: Json, read: Callable[[Json], Entry]) -> Page:
    if isinstance(body, list):
        items, cursor, more = get_path(body, 0), get_path(body, 1), None
    else:
        layer = _unwrap(body)
        items, cursor, more = get_path(layer, "items"), _cursor(body, layer), _more_available(layer)
    if not isinstance(items, list):
        raise MalformedResponseError("response without a list of media")
    next_cursor = as_id(cursor)
    has_more = next_cursor is not None if more is None else as_flag(more)
    return Page(read_entries(items, read), next_cursor=next_cursor, has_more=has_more)


def _cursor(body: Json, layer: Json) -> Json:
    # `next_page_id` is the gateway's own cursor. If the key exists, even with null, Instagram's cursors do not count.
    if isinstance(body, Mapping) and "next_page_id" in body:
        return body["next_page_id"]
    return get_path(layer, "paging_info", "max_id") or get_path(layer, "next_max_id")


def _more_available(layer: Json) -> Json:
    in_paging_info = get_path(layer, "paging_info", "more_available")
    return get_path(layer, "more_available") if in_paging_info is None else in_paging_info


def _read_clip(item: Json) -> Entry:
    media = get_path(item, "media") or item
    return _skipped_entry(item, media) or _read_media(media, is_post=False)


def _read_post(item: Json) -> Entry:
    media = get_path(item, "media") or item
    skipped = _skipped_entry(item, media)
    if skipped:
        return skipped
    # The list of clips supplies reels, with play counts.
    if get_path(media, "product_type") == "clips":
        return Entry(_media_id(media), pinned=_is_pinned(media))
    return _read_media(media, is_post=True)


def _skipped_entry(item: Json, media: Json) -> Entry | None:
    """Return a skipped entry for an item that is not a video, or None for a video."""
    media_id, media_type = _media_id(media), as_count(get_path(media, "media_type"))
    if not media_id:
        is_card = any(get_path(item, key) for key in _CARD_KEYS)
        return Entry(None, skipped=EntrySkipReason.NOT_A_VIDEO if is_card else EntrySkipReason.MALFORMED)
    if any(get_path(layer, key) for layer in (item, media) for key in ("ad_id", "is_ad", "injected")):
        return Entry(media_id, skipped=EntrySkipReason.ADVERTISEMENT)
    if media_type in _MEDIA_TYPES_PHOTO_AND_CAROUSEL:
        return Entry(media_id, skipped=EntrySkipReason.PHOTO)
    return None if media_type == _MEDIA_TYPE_VIDEO else Entry(media_id, skipped=EntrySkipReason.MALFORMED)


def _read_media(media: Json, *, is_post: bool) -> Entry:
    media_id = _media_id(media)
    code = _code(media)
    if not media_id or not code:
        alerts.warning("Skipped an Instagram video with neither code nor numeric id: pk %s has no URL.", media_id)
        return Entry(media_id, skipped=EntrySkipReason.NO_ADDRESS)
    kind = "reel" if get_path(media, "product_type") == "clips" else "p"
    video = CommonVideo(
        external_video_id=media_id,
        platform=Platform.INSTAGRAM,
        video_url=f"https://www.instagram.com/{kind}/{code}/",
        title=as_text(get_path(media, "caption", "text")) or as_text(get_path(media, "caption_text")),
        thumbnail_url=_thumbnail(media),
        published_at=as_datetime(get_path(media, "taken_at")),
        statistics=VideoStatistics(
            external_video_id=media_id,
            views=_views(media, is_post=is_post),
            likes=_likes(media),
            comments=as_count(get_path(media, "comment_count")),
            reposts=first_known(as_count(get_path(media, key)) for key in ("media_repost_count", "reshare_count")),
        ),
    )
    return Entry(media_id, video, pinned=_is_pinned(media))


def _media_id(media: Json) -> str | None:
    """Return `pk`, or the part of `id` before the owner's id."""
    return as_id(get_path(media, "pk")) or (as_id(get_path(media, "id")) or "").split("_")[0] or None


def _code(media: Json) -> str | None:
    code = as_text(get_path(media, "code")).strip()
    number = media_number(as_id(first_of(media, ("id", "pk"))) or "")
    return code or (shortcode(number) if number is not None else None)


def media_number(media_id: str) -> int | None:
    """Return the leading number of a media id (`NUMBER_OWNER` or `NUMBER`), or None without one."""
    match = _LEADING_DIGITS.match(media_id)
    return int(match.group()) if match else None


def shortcode(number: int) -> str:
    """Return a media number in base 64, most significant digit first. Raises ValueError for a negative number."""
    if number < 0:
        raise ValueError("A media number is not negative.")
    higher, digit = divmod(number, len(SHORTCODE_ALPHABET))
    return (shortcode(higher) if higher else "") + SHORTCODE_ALPHABET[digit]


def _views(media: Json, *, is_post: bool) -> int | None:
    plays = first_known(as_count(get_path(media, key)) for key in ("ig_play_count", "play_count"))
    # In posts a play count of zero means unknown, as `view_count` does in v1's clips.
    if plays is None or (is_post and plays == 0):
        plays = as_count(get_path(media, "view_count")) or None
    return plays


def _likes(media: Json) -> int | None:
    likes = as_count(get_path(media, "like_count"))
    hidden = likes == _LIKES_SHOWN_WHEN_HIDDEN and as_flag(get_path(media, "like_and_view_counts_disabled"))
    return None if hidden else likes


def _is_pinned(media: Json) -> bool:
    return any(get_path(media, key) for key in ("timeline_pinned_user_ids", "clips_tab_pinned_user_ids"))


def _thumbnail(media: Json) -> str | None:
    return as_url(get_path(media, "image_versions2", "candidates", 0, "url")) or as_url(
        get_path(media, "thumbnail_url")
    )
