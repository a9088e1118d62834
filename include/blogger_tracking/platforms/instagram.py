"""Instagram client, through a gateway (default: HikerAPI v2). Wire format: docs/platforms.md.

Merges two lists of an account: clips (reels, with play counts) and posts, which add the videos that are not reels and
the reels that the clips leave out.
Reads the envelopes of v2, v1's `[items, cursor]` and the private API's bare envelope.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import ClassVar

from blogger_tracking.domain.alerts import alerts
from blogger_tracking.domain.instagram_posts import PostsReading, plan_posts_reading
from blogger_tracking.domain.ledger import RequestUse
from blogger_tracking.domain.models import (
    Account,
    BloggerProfile,
    CommonVideo,
    Platform,
    PostsHistory,
    VideoStatistics,
    newest_first,
)
from blogger_tracking.domain.platform_errors import ErrorKind, PlatformError
from blogger_tracking.platforms.config import PlatformConfig
from blogger_tracking.platforms.http_client import Call
from blogger_tracking.platforms.json_values import (
    Json,
    MalformedResponseError,
    as_count,
    as_cursor,
    as_datetime,
    as_flag,
    as_id,
    as_known_flag,
    as_name,
    as_text,
    as_url,
    first_known,
    first_of,
    get_path,
)
from blogger_tracking.platforms.listing import Entry, EntrySkipReason, Page, VideoBatch, read_entries
from blogger_tracking.platforms.paging import collect
from blogger_tracking.platforms.service import PlatformService
from blogger_tracking.settings import InstagramPosts, Settings

SHORTCODE_ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"

_PAGE_SIZE = 12
_LISTS = 2
_REEL_PATH = "/reel/"
_LIST_OF_CLIPS = "v2/user/clips"
_LIST_OF_POSTS = "v2/user/medias"
_MEDIA_TYPE_VIDEO = 2
_MEDIA_TYPES_PHOTO_AND_CAROUSEL = {1, 8}
_LIKES_SHOWN_WHEN_HIDDEN = 3
_LEADING_DIGITS = re.compile(r"[0-9]+")
_ADVERTISEMENT_KEYS = ("ad_id", "is_ad", "injected")
_CARD_KEYS = ("user", "users", "suggested_users", "suggestions")


class InstagramService(PlatformService):
    """Client of Instagram's profiles, reels and other videos."""

    platform: ClassVar[Platform] = Platform.INSTAGRAM

    def get_user_info(self, username: str) -> BloggerProfile:
        """Return the profile of a username. Raises PlatformError."""
        call = Call("v2/user/by/username", {"username": username.removeprefix("@")}, use=RequestUse.PROFILE)
        return self._http.get(call, _read_profile)

    def get_user_videos_batch(self, account: Account, target_count: int, max_pages: int | None = None) -> VideoBatch:
        """Return the newest reels and other videos. Raises PlatformError, ValueError.

        Reads clips first, and the posts if the account's history makes them necessary (see domain/instagram_posts.py).
        `max_pages` limits both lists together; by default each list may be read as far as the target needs, because
        either list may hold all of the newest videos.
        """
        now = self._clock.now()
        page_limit = self._max_pages(_LISTS * target_count, max_pages, _PAGE_SIZE)
        clips = self._list(_LIST_OF_CLIPS, account, target_count, page_limit)
        pages_left = page_limit - clips.pages
        reading = self._posts_reading(account, clips, target_count, now)
        if reading is None or pages_left < 1 or _failed(clips):
            return clips
        try:
            posts = self._list(_LIST_OF_POSTS, account, target_count, pages_left, reading.not_before)
        except PlatformError as error:
            if not clips:
                raise
            posts = VideoBatch(interrupted_by=error)
        merged = _merge(clips, posts, target_count)
        if posts.interrupted_by is None:
            merged.posts_history = _posts_history(account.posts_history, clips, posts, now)
        return merged

    def _posts_reading(
        self, account: Account, clips: VideoBatch, target_count: int, now: datetime
    ) -> PostsReading | None:
        oldest_clip = clips[-1].published_at if len(clips) == target_count else None
        # Without clips only a complete reading of the posts proves that the account has no videos.
        always = not clips or self._settings.instagram_posts is InstagramPosts.ALWAYS
        return PostsReading(oldest_clip) if always else plan_posts_reading(account.posts_history, oldest_clip, now)

    def _list(
        self, path: str, account: Account, target_count: int, page_limit: int, not_before: datetime | None = None
    ) -> VideoBatch:
        read = partial(_read_entry, account=account, is_post=path == _LIST_OF_POSTS)

        def read_page(cursor: str | None, number: int) -> Page:
            params = {"user_id": account.external_id, **({"page_id": cursor} if cursor else {})}
            try:
                return self._http.get(Call(path, params, number), lambda body: _read_page(body, read))
            except PlatformError as error:
                if error.kind is ErrorKind.NO_ENTRIES or (cursor and _ends_list(error)):
                    return Page(())
                raise

        return collect(self.platform, read_page, target_count, page_limit, not_before=not_before)

    @staticmethod
    def _headers(config: PlatformConfig) -> Mapping[str, str]:
        return {"x-access-key": config.key}

    @staticmethod
    def _requests_per_second(settings: Settings) -> float:
        return settings.instagram_requests_per_second


def _ends_list(error: PlatformError) -> bool:
    """Return True for any 404 of the API after the first page. A page of HTML behind a 404 is a block."""
    return error.status == HTTPStatus.NOT_FOUND and error.kind is not ErrorKind.BLOCKED


def _failed(clips: VideoBatch) -> bool:
    """Return True if a request failed. A list of clips that is incomplete may be made up for by the posts."""
    return clips.interrupted_by is not None and clips.interrupted_by.kind is not ErrorKind.INCOMPLETE_LIST


def _merge(clips: VideoBatch, posts: VideoBatch, target_count: int) -> VideoBatch:
    """Merge the lists by id. Of a video in both, the clips' copy is kept, which has the plays."""
    videos = {video.external_video_id: video for video in (*posts, *clips)}
    return VideoBatch(
        newest_first(videos.values())[:target_count],
        pages=clips.pages + posts.pages,
        skipped=Counter(clips.skipped) + Counter(posts.skipped),
        interrupted_by=clips.interrupted_by or posts.interrupted_by,
    )


def _posts_history(history: PostsHistory | None, clips: VideoBatch, posts: VideoBatch, now: datetime) -> PostsHistory:
    """Return the account's history after a complete reading of its posts.

    A reel that is older than the clips that were read may be among the clips that were not.
    """
    known = {video.external_video_id for video in clips}
    oldest_clip = clips[-1].published_at if clips else None
    found = [history.newest_posts_only_at] if history else []
    for video in posts:
        date = video.published_at
        may_be_a_clip = _is_reel(video) and oldest_clip and date and date < oldest_clip
        if video.external_video_id not in known and not may_be_a_clip:
            found.append(date)
    return PostsHistory(read_at=now, newest_posts_only_at=max(filter(None, found), default=None))


def _is_reel(video: CommonVideo) -> bool:
    return _REEL_PATH in video.video_url


def _unwrap(body: Json) -> Json:
    inner = first_of(body, ("response", "data"))
    return inner if isinstance(inner, Mapping) else body


def _read_profile(body: Json) -> BloggerProfile:
    layer = _unwrap(body)
    user = get_path(layer, "user") or layer
    external_id, username = as_id(first_of(user, ("pk", "pk_id", "id"))), as_name(get_path(user, "username"))
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
        video_count=as_count(get_path(user, "media_count")),
    )


def _read_page(body: Json, read: Callable[[Json], Entry]) -> Page:
    if isinstance(body, list):
        items, flag, cursors = get_path(body, 0), None, body[1:2]
    else:
        layer = _unwrap(body)
        items, flag, cursors = get_path(layer, "items"), as_known_flag(_more_available(layer)), _cursors(body, layer)
    if not isinstance(items, list):
        raise MalformedResponseError("response without a list of media")
    next_cursor = next(filter(None, map(as_cursor, cursors)), None)
    # Without the flag, a list ends only with a cursor of null or an empty one: a page without any cursor, or with a
    # cursor that cannot be read, does not say that there is no more.
    says_end = bool(cursors) and all(cursor is None or cursor == "" for cursor in cursors)
    if not items and flag is None and next_cursor is None and not says_end:
        raise MalformedResponseError("an empty list that does not say whether there is more")
    has_more = not says_end if flag is None else flag
    return Page(read_entries(items, read), next_cursor=next_cursor, has_more=has_more)


def _cursors(body: Json, layer: Json) -> list[Json]:
    """Return the values under the keys of cursors, the first of which counts.

    `next_page_id` is the gateway's own cursor. If the key exists, even with null, Instagram's cursors do not count.
    """
    if isinstance(body, Mapping) and "next_page_id" in body:
        return [body["next_page_id"]]
    places = ((get_path(layer, "paging_info"), "max_id"), (layer, "next_max_id"))
    return [place[key] for place, key in places if isinstance(place, Mapping) and key in place]


def _more_available(layer: Json) -> Json:
    in_paging_info = get_path(layer, "paging_info", "more_available")
    return get_path(layer, "more_available") if in_paging_info is None else in_paging_info


def _read_entry(item: Json, account: Account, *, is_post: bool) -> Entry:
    media = get_path(item, "media") or item
    media_id = _media_id(media)
    if not media_id:
        is_card = any(get_path(item, key) for key in _CARD_KEYS)
        return Entry(None, skipped=EntrySkipReason.NOT_A_VIDEO if is_card else EntrySkipReason.MALFORMED)
    flagged = any(get_path(layer, key) for layer in (item, media) for key in _ADVERTISEMENT_KEYS)
    if flagged and account.external_id not in _account_ids(media):
        return Entry(media_id, skipped=EntrySkipReason.FOREIGN)
    media_type = as_count(get_path(media, "media_type"))
    if media_type in _MEDIA_TYPES_PHOTO_AND_CAROUSEL:
        published_at = as_datetime(get_path(media, "taken_at"))
        return Entry(media_id, skipped=EntrySkipReason.PHOTO, published_at=published_at)
    is_reel = not is_post or get_path(media, "product_type") == "clips"
    if media_type != _MEDIA_TYPE_VIDEO and not (is_reel and get_path(media, "media_type") is None):
        return Entry(media_id, skipped=EntrySkipReason.MALFORMED)
    return _read_media(media, media_id, is_post=is_post)


def _account_ids(media: Json) -> set[str | None]:
    """Return the ids of the accounts that a media belongs to: its owner and the other accounts of a joint post."""
    joint = get_path(media, "coauthor_producers")
    users = [get_path(media, "user"), *(joint if isinstance(joint, list) else ())]
    owner_in_id = (as_id(get_path(media, "id")) or "").partition("_")[2]
    return {owner_in_id, *(as_id(first_of(user, ("pk", "pk_id", "id"))) for user in users)}


def _read_media(media: Json, media_id: str, *, is_post: bool) -> Entry:
    code = _code(media)
    if not code:
        alerts.warning("Skipped an Instagram video with neither code nor numeric id: pk %s has no URL.", media_id)
        return Entry(media_id, skipped=EntrySkipReason.NO_ADDRESS)
    path = _REEL_PATH if get_path(media, "product_type") == "clips" else "/p/"
    video = CommonVideo(
        external_video_id=media_id,
        platform=Platform.INSTAGRAM,
        video_url=f"https://www.instagram.com{path}{code}/",
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
    # Without a flag that can be read, three likes may stand for hidden ones.
    shown = as_known_flag(get_path(media, "like_and_view_counts_disabled")) is False
    return None if likes == _LIKES_SHOWN_WHEN_HIDDEN and not shown else likes


def _is_pinned(media: Json) -> bool:
    return any(get_path(media, key) for key in ("timeline_pinned_user_ids", "clips_tab_pinned_user_ids"))


def _thumbnail(media: Json) -> str | None:
    return as_url(get_path(media, "image_versions2", "candidates", 0, "url")) or as_url(
        get_path(media, "thumbnail_url")
    )
