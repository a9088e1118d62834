"""TikTok client, through a gateway (default: RapidAPI's tiktok-api23). Wire format: docs/platforms.md.

Reads the response formats of TikTok's web site and of its app, wrapped in `data` or not. Lists videos by `secUid`,
which, like the numeric id, does not change when the account is renamed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from blogger_tracking.domain.ledger import RequestUse
from blogger_tracking.domain.models import Account, BloggerProfile, CommonVideo, Platform, VideoStatistics
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
from blogger_tracking.settings import Settings

_PAGE_SIZE = 30
"""Minimum number of entries of a full page."""

_REQUESTED_PER_PAGE = 35
"""The gateway's maximum; some pages have as many."""

_FIRST_CURSOR = "0"
_LIST_KEYS = ("itemList", "items", "aweme_list", "data")
_CARD_KEYS = ("user", "userInfo", "user_info", "userList", "user_list")


class TikTokService(PlatformService):
    """Client of TikTok's profiles and videos."""

    platform: ClassVar[Platform] = Platform.TIKTOK

    def get_user_info(self, username: str) -> BloggerProfile:
        """Return the profile of a username. Raises PlatformError."""
        # A private account's profile may come whole beside the code of a private account.
        call = Call(
            "api/user/info",
            {"uniqueId": username.removeprefix("@")},
            use=RequestUse.PROFILE,
            tolerated=frozenset({ErrorKind.PRIVATE}),
        )
        return self._http.get(call, _read_profile)

    def get_user_videos_batch(self, account: Account, target_count: int, max_pages: int | None = None) -> VideoBatch:
        """Return the newest videos. Raises PlatformError, ValueError.

        An account without `sec_id` costs one request more: the id is looked up by username and put into the batch.
        So does an empty list: TikTok lists nothing for an account that has become private, and only the profile tells.
        """
        page_limit = self._max_pages(target_count, max_pages, _PAGE_SIZE)
        sec_id = account.sec_id or self._look_up_sec_id(account)
        listed = account.model_copy(update={"sec_id": sec_id})
        names: set[str] = set()

        def read(body: Json) -> Page:
            page = _read_page(body, listed)
            names.update(_own_names(body, listed))
            return page

        def read_page(cursor: str | None, number: int) -> Page:
            params = {"secUid": sec_id, "count": str(_REQUESTED_PER_PAGE), "cursor": cursor or _FIRST_CURSOR}
            return self._http.get(Call("api/user/posts", params, number), read)

        batch = collect(self.platform, read_page, target_count, page_limit, first_cursor=_FIRST_CURSOR)
        batch.sec_id = None if account.sec_id else sec_id
        # After a rename some entries may still have the older name.
        batch.username = names.pop() if len(names) == 1 else None
        if not batch and not batch.skipped and batch.interrupted_by is None:
            self._require_profile_without_videos(account)
        return batch

    def _look_up_sec_id(self, account: Account) -> str:
        if not account.username:
            raise self._error(ErrorKind.BAD_REQUEST, "the account has neither sec_id nor username")
        profile = self.get_user_info(account.username)
        if profile.external_id != account.external_id:
            raise self._error(ErrorKind.NOT_FOUND, f"@{account.username} is now the name of another account")
        if profile.is_private:
            raise self._error(ErrorKind.PRIVATE, f"@{account.username} is private")
        if not profile.sec_id:
            raise self._error(ErrorKind.MALFORMED_RESPONSE, f"the profile of @{account.username} has no secUid")
        return profile.sec_id

    def _require_profile_without_videos(self, account: Account) -> None:
        """Raise PlatformError if the profile contradicts an empty list: the account is private, or has videos.

        A profile that cannot be found by the username, or is another account's, contradicts nothing.
        """
        if not account.username:
            return
        try:
            profile = self.get_user_info(account.username)
        except PlatformError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                return
            raise
        if profile.external_id != account.external_id:
            return
        if profile.is_private:
            raise self._error(ErrorKind.PRIVATE, f"@{account.username} is private")
        if profile.video_count:
            detail = f"the list of @{account.username} is empty, but the profile reports {profile.video_count} videos"
            raise self._error(ErrorKind.INCOMPLETE_LIST, detail)

    def _error(self, kind: ErrorKind, detail: str) -> PlatformError:
        return PlatformError(kind, self.platform, detail)

    @staticmethod
    def _headers(config: PlatformConfig) -> Mapping[str, str]:
        return {"x-rapidapi-key": config.key, "x-rapidapi-host": config.gateway_host or config.host}

    @staticmethod
    def _requests_per_second(settings: Settings) -> float:
        return settings.tiktok_requests_per_second


def _unwrap(body: Json) -> Json:
    """Return the layer that has the list: `data`, or the body itself, whose `data` may be the list."""
    inner = get_path(body, "data")
    return inner if isinstance(inner, Mapping) else body


def _read_profile(body: Json) -> BloggerProfile:
    info = get_path(_unwrap(body), "userInfo")
    user = get_path(info, "user")
    external_id, username = as_id(get_path(user, "id")), as_name(get_path(user, "uniqueId"))
    if not external_id or not username:
        raise MalformedResponseError("profile without id or uniqueId")
    avatars = (as_url(get_path(user, size)) for size in ("avatarLarger", "avatarMedium", "avatarThumb"))

    def count(name: str) -> int | None:
        return first_known(as_count(get_path(info, stats, name)) for stats in ("statsV2", "stats"))

    return BloggerProfile(
        platform=Platform.TIKTOK,
        external_id=external_id,
        sec_id=as_text(get_path(user, "secUid")) or None,
        username=username,
        channel_name=as_text(get_path(user, "nickname")) or username,
        subscribers=count("followerCount"),
        thumbnail_url=next(filter(None, avatars), None),
        is_private=as_flag(get_path(user, "privateAccount")),
        video_count=count("videoCount"),
    )


def _read_page(body: Json, account: Account) -> Page:
    listing = _unwrap(body)
    next_cursor = as_cursor(first_of(listing, ("cursor", "max_cursor", "nextCursor")))
    announces_page = next_cursor not in {None, _FIRST_CURSOR}
    flag = as_known_flag(first_of(listing, ("hasMore", "has_more")))
    items = _items(listing)
    lists_own = any(_is_own(item, account) for item in items)
    entries = read_entries(items, lambda item: _read_entry(item, account, lists_own=lists_own))
    # Without the flag, a cursor announces a next page. An empty list with neither is no statement about the account.
    if not entries and flag is None and not announces_page and not _has_key(listing, ("nextCursor",)):
        raise MalformedResponseError("an empty list that does not say whether there is more")
    return Page(entries, next_cursor=next_cursor, has_more=announces_page if flag is None else flag)


def _items(listing: Json) -> list[Json]:
    keys = [key for key in _LIST_KEYS if _has_key(listing, (key,))]
    items = first_of(listing, keys)
    if isinstance(items, list):
        return items
    # Some gateways write an empty list as null. A body without any of the keys is the response to a blocked request.
    if keys and items is None and as_known_flag(first_of(listing, ("hasMore", "has_more"))) is False:
        return []
    raise MalformedResponseError("response without a list of videos")


def _has_key(value: Json, keys: Sequence[str]) -> bool:
    return isinstance(value, Mapping) and any(key in value for key in keys)


def _read_entry(item: Json, account: Account, *, lists_own: bool) -> Entry:
    """Read an entry. `lists_own`: the page has entries that are known to be the account's own."""
    video_id = as_id(first_of(item, ("aweme_id", "id")))
    if not video_id:
        is_card = any(get_path(item, key) for key in _CARD_KEYS)
        return Entry(None, skipped=EntrySkipReason.NOT_A_VIDEO if is_card else EntrySkipReason.MALFORMED)
    flagged = any(as_flag(get_path(item, key)) for key in ("isAd", "is_ads"))
    # An advertisement without an author, among entries that have one, is not the account's either.
    is_own = False if flagged and lists_own and not _is_own(item, account) else _is_own(item, account)
    if is_own is False and (flagged or lists_own):
        return Entry(video_id, skipped=EntrySkipReason.FOREIGN)
    published_at = as_datetime(first_of(item, ("createTime", "create_time")))
    if get_path(item, "imagePost") or get_path(item, "image_post_info"):
        return Entry(video_id, skipped=EntrySkipReason.PHOTO, published_at=published_at)
    author = as_text(first_of(get_path(item, "author"), ("uniqueId", "unique_id"))) or account.username
    video = CommonVideo(
        external_video_id=video_id,
        platform=Platform.TIKTOK,
        video_url=f"https://www.tiktok.com/@{author}/video/{video_id}",
        title=as_text(get_path(item, "desc")),
        thumbnail_url=_cover(get_path(item, "video")),
        published_at=published_at,
        statistics=_statistics(item, video_id),
    )
    return Entry(video_id, video, pinned=as_flag(first_of(item, ("isPinnedItem", "is_top"))))


def _is_own(item: Json, account: Account) -> bool | None:
    """Return True if the entry's author is the account, and None if the entry does not tell.

    The flags `isAd` and `is_ads` do not tell: TikTok also sets the flags on an account's own promoted posts. Neither
    does the author's username, which may be an older or a newer name of the account.
    """
    author = get_path(item, "author")
    ids = (
        (as_id(first_of(author, ("id", "uid"))), account.external_id),
        (as_text(first_of(author, ("secUid", "sec_uid"))), account.sec_id),
    )
    matches = [found == expected for found, expected in ids if found and expected]
    return any(matches) if matches else None


def _own_names(body: Json, account: Account) -> Iterator[str]:
    """Yield the account's username in each entry whose author has the account's id."""
    for item in _items(_unwrap(body)):
        name = as_name(first_of(get_path(item, "author"), ("uniqueId", "unique_id")))
        if name and _is_own(item, account):
            yield name


def _statistics(item: Json, video_id: str) -> VideoStatistics:
    def count(name: str) -> int | None:
        web = (as_count(get_path(item, stats, f"{name}Count")) for stats in ("statsV2", "stats"))
        return first_known((*web, as_count(get_path(item, "statistics", f"{name}_count"))))

    # `repostCount` is "0" in every recorded response; the share count is the number that TikTok shows to people.
    return VideoStatistics(
        external_video_id=video_id,
        views=count("play"),
        likes=count("digg"),
        comments=count("comment"),
        reposts=count("share"),
    )


def _cover(video: Json) -> str | None:
    keys = ("cover", "originCover", "origin_cover", "dynamicCover", "dynamic_cover")
    covers = (as_url(get_path(video, key)) or as_url(get_path(video, key, "url_list", 0)) for key in keys)
    return next(filter(None, covers), None)
