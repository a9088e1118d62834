"""YouTube client, through the Data API v3. Wire format: docs/platforms.md.

Lists a channel by its uploads playlist, never by search. The playlist has no statistics: `videos.list` (`get_videos`)
supplies statistics and the true publication date, 50 ids for one unit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

from blogger_tracking.domain.ledger import RequestUse
from blogger_tracking.domain.models import (
    Account,
    BloggerProfile,
    CommonVideo,
    LiveState,
    Platform,
    VideoStatistics,
    YouTubeVideo,
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
    as_id,
    as_known_flag,
    as_name,
    as_seconds,
    as_text,
    as_url,
    get_path,
)
from blogger_tracking.platforms.listing import Entry, EntrySkipReason, Page, VideoBatch, read_entries
from blogger_tracking.platforms.paging import collect
from blogger_tracking.platforms.service import PlatformService
from blogger_tracking.settings import Settings

MAX_VIDEO_IDS = 50
"""Maximum number of ids in one call of `videos.list`."""

_PAGE_SIZE = 50
_KIND_VIDEO = "youtube#video"
_CHANNEL_ID = re.compile(r"UC[A-Za-z0-9_-]{22}")
_THUMBNAILS_LARGEST_FIRST = ("maxres", "standard", "high", "medium", "default")


class YouTubeService(PlatformService):
    """Client of YouTube's channels and videos."""

    platform: ClassVar[Platform] = Platform.YOUTUBE

    def get_user_info(self, username: str) -> BloggerProfile:
        """Return the channel of a handle, a legacy user name or a channel id. Raises PlatformError."""
        handle = f"@{username.removeprefix('@')}"
        filters = [{"forHandle": handle}]
        if _CHANNEL_ID.fullmatch(username):
            filters.insert(0, {"id": username})
        elif not username.startswith("@"):
            filters.append({"forUsername": username})
        for channel_filter in filters:
            channel = self._find_channel(channel_filter)
            if channel is not None:
                return _read_profile(channel, username)
        raise self._channel_missing(username)

    def get_user_videos_batch(self, account: Account, target_count: int, max_pages: int | None = None) -> VideoBatch:
        """Return the newest uploads, without statistics. Raises PlatformError, ValueError.

        Derives the id of the uploads playlist from the channel id. If that playlist does not exist, the channel is
        requested once: it may name another playlist, report no videos (an empty batch), report videos
        (INCOMPLETE_LIST: at times YouTube does not find a list that exists), or be missing (NOT_FOUND).
        """
        page_limit = self._max_pages(target_count, max_pages, _PAGE_SIZE)
        derived = _derived_uploads_playlist(account.external_id)
        batch = self._list(derived, target_count, page_limit) if derived else None
        if batch is not None:
            return batch
        channel = self._find_channel({"id": account.external_id})
        if channel is None:
            raise self._channel_missing(account.external_id)
        actual = as_id(get_path(channel, "contentDetails", "relatedPlaylists", "uploads"))
        batch = self._list(actual, target_count, page_limit) if actual and actual != derived else None
        if batch is not None:
            return batch
        videos = as_count(get_path(channel, "statistics", "videoCount"))
        if videos == 0:
            return VideoBatch()
        detail = f"no uploads playlist; videos that the channel reports: {'unknown' if videos is None else videos}"
        raise PlatformError(ErrorKind.INCOMPLETE_LIST, self.platform, detail)

    def get_videos(self, ids: Sequence[str]) -> dict[str, YouTubeVideo]:
        """Return up to 50 videos with statistics, by id. YouTube omits private and deleted videos.

        Costs one unit, and nothing without ids. Raises PlatformError, and ValueError for more ids than MAX_VIDEO_IDS.
        """
        if len(ids) > MAX_VIDEO_IDS:
            raise ValueError(f"{len(ids)} ids; videos.list takes at most {MAX_VIDEO_IDS}.")
        if not ids:
            return {}
        part = "snippet,statistics,contentDetails,liveStreamingDetails,status"
        call = Call("videos", {"part": part, "id": ",".join(ids)}, use=RequestUse.STATISTICS)
        return self._http.get(call, _read_videos)

    def _list(self, playlist_id: str, target_count: int, page_limit: int) -> VideoBatch | None:
        """Return the newest videos of a playlist, or None if the playlist does not exist."""
        fixed = {"part": "snippet,contentDetails,status", "playlistId": playlist_id, "maxResults": str(_PAGE_SIZE)}

        def read_page(cursor: str | None, number: int) -> Page:
            params = {**fixed, "pageToken": cursor} if cursor else fixed
            return self._http.get(Call("playlistItems", params, number), _read_page if cursor else _read_first_page)

        try:
            return collect(self.platform, read_page, target_count, page_limit)
        except PlatformError as error:
            if error.kind is ErrorKind.NO_ENTRIES:
                return None
            raise

    def _find_channel(self, channel_filter: Mapping[str, str]) -> Json | None:
        """Return the channel that matches, or None: YouTube's response is a 200 that reports no results, or a 404."""
        params = {"part": "snippet,statistics,contentDetails", **channel_filter}
        try:
            return self._http.get(Call("channels", params, use=RequestUse.PROFILE), _first_channel)
        except PlatformError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                return None
            raise

    def _channel_missing(self, name: str) -> PlatformError:
        return PlatformError(ErrorKind.NOT_FOUND, self.platform, f"no channel {name}")

    @staticmethod
    def _headers(config: PlatformConfig) -> Mapping[str, str]:
        return {"X-Goog-Api-Key": config.key}

    @staticmethod
    def _requests_per_second(settings: Settings) -> float:
        return settings.youtube_requests_per_second


def _derived_uploads_playlist(external_id: str) -> str | None:
    return f"UU{external_id[2:]}" if external_id.startswith("UC") else None


def _items(body: Json) -> list[Json]:
    items = get_path(body, "items")
    if isinstance(items, list):
        return items
    raise MalformedResponseError("response without items")


def _first_channel(body: Json) -> Json | None:
    # The response for an unknown channel has no items at all.
    if get_path(body, "items") is None and _total_results(body) == 0:
        return None
    channel = get_path(_items(body), 0)
    if channel is None and _total_results(body):
        raise MalformedResponseError("no channel, although pageInfo reports one")
    if channel is not None and not as_name(get_path(channel, "id")):
        raise MalformedResponseError("channel without id")
    return channel


def _total_results(body: Json) -> int | None:
    return as_count(get_path(body, "pageInfo", "totalResults"))


def _read_profile(channel: Json, requested_name: str) -> BloggerProfile:
    snippet = get_path(channel, "snippet")
    return BloggerProfile(
        platform=Platform.YOUTUBE,
        external_id=as_text(get_path(channel, "id")),
        sec_id=None,
        username=(as_name(get_path(snippet, "customUrl")) or requested_name).removeprefix("@"),
        channel_name=as_text(get_path(snippet, "title")),
        subscribers=_subscribers(get_path(channel, "statistics")),
        thumbnail_url=_thumbnail(snippet),
        video_count=as_count(get_path(channel, "statistics", "videoCount")),
    )


def _subscribers(statistics: Json) -> int | None:
    hidden = as_known_flag(get_path(statistics, "hiddenSubscriberCount"))
    subscribers = as_count(get_path(statistics, "subscriberCount"))
    # YouTube writes zero for a hidden count: without a flag that can be read, zero is unknown, too.
    return None if hidden or (hidden is None and subscribers == 0) else subscribers


def _read_first_page(body: Json) -> Page:
    page = _read_page(body)
    # `totalResults` is too unreliable to count with, but a list of results that has none is not empty.
    if not page.entries and not page.has_more and _total_results(body):
        raise MalformedResponseError("no items, although pageInfo reports results")
    return page


def _read_page(body: Json) -> Page:
    token = get_path(body, "nextPageToken")
    # A token that cannot be read announces a page, too.
    has_more = token is not None and token != ""
    return Page(read_entries(_items(body), _read_entry), next_cursor=as_cursor(token), has_more=has_more)


def _read_entry(item: Json) -> Entry:
    snippet, details = get_path(item, "snippet"), get_path(item, "contentDetails")
    video_id = as_id(get_path(details, "videoId")) or as_id(get_path(snippet, "resourceId", "videoId"))
    if not video_id:
        is_other_kind = as_text(get_path(snippet, "resourceId", "kind")) not in {"", _KIND_VIDEO}
        return Entry(None, skipped=EntrySkipReason.NOT_A_VIDEO if is_other_kind else EntrySkipReason.MALFORMED)
    if _is_placeholder(snippet, details):
        return Entry(video_id, skipped=EntrySkipReason.PLACEHOLDER)
    published = as_datetime(get_path(details, "videoPublishedAt")) or as_datetime(get_path(snippet, "publishedAt"))
    video = CommonVideo(
        external_video_id=video_id,
        platform=Platform.YOUTUBE,
        video_url=_video_url(video_id),
        title=as_text(get_path(snippet, "title")),
        thumbnail_url=_thumbnail(snippet),
        published_at=published,
    )
    return Entry(video_id, video)


def _is_placeholder(snippet: Json, details: Json) -> bool:
    """Return True for a private or deleted video.

    The title proves nothing: the title of a public video may be `Private video`.
    """
    parts_of_a_public_video = (
        get_path(snippet, "thumbnails"),
        get_path(snippet, "videoOwnerChannelId"),
        get_path(details, "videoPublishedAt"),
    )
    return not any(parts_of_a_public_video)


def _read_videos(body: Json) -> dict[str, YouTubeVideo]:
    items = _items(body)
    if not items and _total_results(body):
        raise MalformedResponseError("no videos, although pageInfo reports some")
    entries = read_entries(items, _read_video)
    return {entry.video.external_video_id: entry.video for entry in entries if isinstance(entry.video, YouTubeVideo)}


def _read_video(item: Json) -> Entry:
    snippet, statistics = get_path(item, "snippet"), get_path(item, "statistics")
    video_id = as_id(get_path(item, "id"))
    if not video_id:
        return Entry(None, skipped=EntrySkipReason.MALFORMED)
    live_state = as_text(get_path(snippet, "liveBroadcastContent"))
    video = YouTubeVideo(
        external_video_id=video_id,
        platform=Platform.YOUTUBE,
        video_url=_video_url(video_id),
        title=as_text(get_path(snippet, "title")),
        thumbnail_url=_thumbnail(snippet),
        published_at=as_datetime(get_path(snippet, "publishedAt")),
        statistics=VideoStatistics(
            external_video_id=video_id,
            views=as_count(get_path(statistics, "viewCount")),
            likes=as_count(get_path(statistics, "likeCount")),
            comments=as_count(get_path(statistics, "commentCount")),
        ),
        duration_seconds=as_seconds(get_path(item, "contentDetails", "duration")),
        live_state=LiveState(live_state) if live_state in set(LiveState) else LiveState.NONE,
    )
    return Entry(video_id, video)


def _video_url(video_id: str) -> str:
    return f"https://www.youtube.com/watch?v={video_id}"


def _thumbnail(snippet: Json) -> str | None:
    urls = (as_url(get_path(snippet, "thumbnails", size, "url")) for size in _THUMBNAILS_LARGEST_FIRST)
    return next(filter(None, urls), None)
