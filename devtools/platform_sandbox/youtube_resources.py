"""Resources of the YouTube Data API: channel, playlist item, video. Every count is a string."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from devtools.platform_sandbox.catalogue import Video
from devtools.platform_sandbox.cursor_pages import SandboxPage
from devtools.platform_sandbox.filler import keys_of, marker
from devtools.platform_sandbox.identifiers import base64url
from devtools.platform_sandbox.platform_api import CallContext, PlatformApi
from devtools.platform_sandbox.world import Creator, CreatorKind, is_handle_in_other_script, uploads_playlist

_LIVE_SECONDS = 3 * 3600
_ANNOUNCED_BEFORE_SECONDS = 2 * 24 * 3600
_SIZES = {
    "default": {"width": 120, "height": 90},
    "medium": {"width": 320, "height": 180},
    "high": {"width": 480, "height": 360},
    "standard": {"width": 640, "height": 480},
    "maxres": {"width": 1280, "height": 720},
}
_SIZE_NAMES = tuple(_SIZES)
_DESCRIPTION = (
    "An invented video of an invented creator, for tests. Nothing here happened, nobody here exists, "
    "and every number was made up by arithmetic. Thanks for watching! 🎈\n\n#invented #sandbox"
)


def channel(api: PlatformApi, creator: Creator, context: CallContext, requested: str = "") -> dict[str, object]:
    """Return a channel; `subscriberCount` has three significant figures and is absent if hidden.

    `requested` is the name that the channel was requested by: a handle in another script is the channel's handle then.
    """
    catalogue = api.catalogue(creator)
    hidden = creator.kind is CreatorKind.HIDES_SUBSCRIBERS
    statistics: dict[str, object] = {
        "viewCount": str(creator.followers * 190),
        "hiddenSubscriberCount": hidden,
        "videoCount": str(catalogue.size),
    }
    if not hidden:
        statistics["subscriberCount"] = str(_three_figures(creator.followers))
    text = {"title": creator.display_name, "description": _DESCRIPTION}
    return {
        "kind": "youtube#channel",
        "etag": _etag(creator.external_id),
        "id": creator.external_id,
        "snippet": {
            **text,
            "customUrl": f"@{requested if is_handle_in_other_script(requested) else creator.username}",
            "publishedAt": "2015-01-01T00:00:00Z",
            "thumbnails": _thumbnails(api, creator.external_id, context, ("default", "medium", "high")),
            "localized": text,
        },
        "contentDetails": {"relatedPlaylists": {"likes": "", "uploads": uploads_playlist(creator)}},
        "statistics": statistics,
    }


def playlist_entries(
    api: PlatformApi, creator: Creator, page: SandboxPage, context: CallContext
) -> list[dict[str, object]]:
    """Return the items of a page of uploads.

    An upcoming broadcast is the first item; the second and third item of an untidy channel are swapped.
    """
    videos = list(page.videos)
    is_first = "pageToken" not in context.request.query
    if creator.kind is CreatorKind.BROADCASTS and is_first:
        catalogue = api.catalogue(creator)
        videos.insert(0, catalogue.video(catalogue.newest(context.now) + 1))
    if api.options.traps and creator.kind is CreatorKind.UNTIDY:
        videos[1:3] = reversed(videos[1:3])
    return [_playlist_item(api, video, position, context) for position, video in enumerate(videos)]


def playlist_fragments(creator: Creator) -> dict[str, str]:
    """Return the constant keys of the snippets of a channel's playlist items; a placeholder has fewer."""
    channel_keys: dict[str, object] = {
        "channelId": creator.external_id,
        "channelTitle": creator.display_name,
        "playlistId": uploads_playlist(creator),
    }
    owner = {"videoOwnerChannelTitle": creator.display_name, "videoOwnerChannelId": creator.external_id}
    return {
        "snippet": keys_of({"description": _DESCRIPTION} | channel_keys | owner),
        "placeholder": keys_of({"description": "This video is unavailable."} | channel_keys),
    }


def find_video(api: PlatformApi, video_id: str, context: CallContext) -> Video | None:
    """Return the public video with this id, or None if there is none at the time of the request."""
    owner = api.world.identifiers.youtube_video_owner(video_id)
    if owner is None or owner[0] >= api.world.creators_per_platform:
        return None
    creator = api.world.creator(api.platform, owner[0])
    catalogue = api.catalogue(creator)
    newest = catalogue.newest(context.now) + (1 if creator.kind is CreatorKind.BROADCASTS else 0)
    found = catalogue.video(owner[1])
    return found if 0 <= owner[1] <= newest and catalogue.size and not _is_placeholder(api, found) else None


def video(api: PlatformApi, found: Video, context: CallContext) -> dict[str, object]:
    """Return a video; hidden likes are absent.

    The date of a broadcast is that of the announcement until the broadcast goes live.
    """
    state = _broadcast_state(found, context.now)
    video_id = _video_id(api, found)
    text = {"title": found.title, "description": _DESCRIPTION}
    published = found.published - _ANNOUNCED_BEFORE_SECONDS if state == "upcoming" else found.published
    resource: dict[str, object] = {
        "kind": "youtube#video",
        "etag": _etag(video_id),
        "id": video_id,
        "snippet": {
            "publishedAt": _rfc3339(published),
            "channelId": found.owner.external_id,
            **text,
            "thumbnails": _thumbnails(api, video_id, context, _sizes(found)),
            "channelTitle": found.owner.display_name,
            "tags": ["invented", "sandbox"],
            "categoryId": "22",
            "liveBroadcastContent": state,
            "localized": text,
        },
        "contentDetails": {
            "duration": "P0D" if state != "none" else f"PT{found.seconds // 60}M{found.seconds % 60}S",
            "dimension": "2d",
            "definition": "hd",
            "caption": "false",
            "licensedContent": False,
            "projection": "rectangular",
        },
        "status": _status("public"),
        "statistics": _statistics(found, context.now),
    }
    if found.owner.kind is CreatorKind.BROADCASTS:
        resource["liveStreamingDetails"] = _live_details(found, state)
    return resource


def _playlist_item(api: PlatformApi, listed: Video, position: int, context: CallContext) -> dict[str, object]:
    video_id = _video_id(api, listed)
    creator = listed.owner
    placeholder = _is_placeholder(api, listed)
    removed = placeholder and listed.number % 2 == 0
    title = ("Deleted video" if removed else "Private video") if placeholder else listed.title
    added = min(listed.published + (listed.bits >> 12) % (6 * 3600), context.now)
    snippet: dict[str, object] = {
        "publishedAt": _rfc3339(added),
        "title": title,
        "thumbnails": {} if placeholder else _thumbnails(api, video_id, context, _sizes(listed)),
        "position": position,
        "resourceId": {"kind": "youtube#video", "videoId": video_id},
        **marker("placeholder" if placeholder else "snippet"),
    }
    content: dict[str, object] = {"videoId": video_id}
    if not placeholder:
        content["videoPublishedAt"] = _rfc3339(listed.published + (listed.bits >> 9) % 4 * 20)
    if api.options.traps and listed.malformed and not placeholder:
        del snippet["resourceId"]
        content = {}
    privacy = "private" if placeholder and not removed else "public"
    return {
        "kind": "youtube#playlistItem",
        "etag": _etag(video_id),
        "id": base64url(f"{creator.external_id}.{video_id}".encode()),
        "snippet": snippet,
        "contentDetails": content,
        "status": {"privacyStatus": "privacyStatusUnspecified" if removed else privacy},
    }


def _is_placeholder(api: PlatformApi, listed: Video) -> bool:
    """Return True for all videos of a private channel and some of an untidy channel: listed, but without content."""
    if listed.owner.kind is CreatorKind.PRIVATE:
        return True
    return api.options.traps and listed.owner.kind is CreatorKind.UNTIDY and listed.one_in(5, 23)


def _video_id(api: PlatformApi, found: Video) -> str:
    return api.world.identifiers.youtube_video(found.owner.index, found.number)


def _broadcast_state(found: Video, now: int) -> str:
    if found.owner.kind is not CreatorKind.BROADCASTS or now - found.published > _LIVE_SECONDS:
        return "none"
    return "live" if now >= found.published else "upcoming"


def _live_details(found: Video, state: str) -> dict[str, object]:
    details: dict[str, object] = {"scheduledStartTime": _rfc3339(found.published)}
    if state != "upcoming":
        details["actualStartTime"] = _rfc3339(found.published)
    if state == "none":
        details["actualEndTime"] = _rfc3339(found.published + _LIVE_SECONDS)
    return details


def _statistics(found: Video, now: int) -> dict[str, object]:
    counters = found.counters(now)
    statistics: dict[str, object] = {"viewCount": str(counters.views), "favoriteCount": "0"}
    if not found.hides_likes:
        statistics["likeCount"] = str(counters.likes)
    if not found.one_in(29, 13):
        statistics["commentCount"] = str(counters.comments)
    return statistics


def _status(privacy: str) -> dict[str, object]:
    return {
        "uploadStatus": "processed",
        "privacyStatus": privacy,
        "license": "youtube",
        "embeddable": True,
        "publicStatsViewable": True,
        "madeForKids": False,
    }


def _sizes(found: Video) -> Sequence[str]:
    return _SIZE_NAMES[: 3 + found.bits % 3]


def _thumbnails(api: PlatformApi, video_id: str, context: CallContext, names: Sequence[str]) -> dict[str, object]:
    url = api.thumbnail_url(context, video_id)
    return {name: {"url": url, **_SIZES[name]} for name in names}


def _three_figures(number: int) -> int:
    step = int("1" + "0" * max(0, len(str(number)) - 3))
    return number - number % step


def _etag(text: str) -> str:
    return f"{text[-8:]}-invented-etag"


def _rfc3339(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat().replace("+00:00", "Z")
