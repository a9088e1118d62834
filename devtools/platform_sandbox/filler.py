"""Filler for TikTok's and Instagram's responses: keys that clients ignore, in a realistic amount.

Each entry has a short marker key, and the filler replaces all markers of a page as text. Rendering a page of 100 KB
this way takes a fraction of a millisecond.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from devtools.platform_sandbox.http_messages import compact_json

_CDN = "https://v16-webapp-prime.tiktokcdn.example/video/tos/maliva/tos-maliva-ve-0068c799-us/"


def marker(name: str) -> dict[str, object]:
    """Return a placeholder key for a fragment, to be merged into an entry; `insert` replaces the placeholder."""
    return {f"@{name}@": 0}


def insert(body: str, fragments: Mapping[str, str]) -> str:
    """Return the body with each marker replaced by the keys of its fragment."""
    for name, fragment in fragments.items():
        body = body.replace(f'"@{name}@":0', fragment)
    return body


def keys_of(value: Mapping[str, object]) -> str:
    """Return a fragment: a JSON object's keys and values without the braces."""
    return compact_json(value)[1:-1]


@cache
def tiktok_video_keys(size: int) -> str:
    """Return the constant keys of a TikTok `video`, about `size` characters."""
    return keys_of(_TIKTOK_VIDEO | {"bitrateInfo": _repeated(_TIKTOK_BIT_RATE, size)})


@cache
def instagram_video_keys(size: int) -> str:
    """Return the constant keys of an Instagram video or reel, about `size` characters."""
    return keys_of(_INSTAGRAM_VIDEO | {"video_versions": _repeated(_INSTAGRAM_VIDEO_VERSION, size)})


def _repeated(entry: object, size: int) -> list[object]:
    return [entry] * max(1, size // len(compact_json(entry)))


_TIKTOK_BIT_RATE = {
    "Bitrate": 1_213_948,
    "BitrateFPS": 30,
    "CodecType": "h265_hvc1",
    "Format": "mp4",
    "GearName": "adapt_lowest_1080_1",
    "MVMAF": '{"v2.0": {"srv1": {"v1080": 96.2, "v960": 96.9, "v864": 97.6, "v720": 98.1}}}',
    "PlayAddr": {
        "DataSize": 4_402_085,
        "FileCs": "c:0-44211-9d1e",
        "FileHash": "5d1f0f1e0b1c4a4f9a6d2c0a3b7e8f10",
        "Height": 1024,
        "Uri": "v15044gf0000cuo3vjnog65s3k0g",
        "UrlKey": "v15044gf0000cuo3vjnog65s3k0g_bytevc1_1080p_1213948",
        "UrlList": [
            _CDN + "o" + "k4Vf9" * 9 + f"/?a=1988&bti={'ODszNWYuMDE6' * 4}&mime_type=video_mp4&n={n}" for n in "ab"
        ],
        "Width": 576,
    },
    "QualityType": 28,
}

_INSTAGRAM_VIDEO_VERSION = {
    "bandwidth": 1_450_113,
    "height": 1280,
    "id": "1073741824v",
    "type": 101,
    "url": "https://scontent.cdninstagram.example/o1/v/t2/f2/m86/" + "AQMx0Vb7" * 12 + ".mp4?efg=" + "eyJ4cHYi" * 30,
    "width": 720,
}

_TIKTOK_VIDEO: dict[str, object] = {
    "codecType": "h264",
    "definition": "720p",
    "encodedType": "normal",
    "format": "mp4",
    "height": 1024,
    "ratio": "720p",
    "videoQuality": "normal",
    "width": 576,
}

_INSTAGRAM_VIDEO: dict[str, object] = {
    "video_duration": 21.5,
    "has_audio": True,
    "clips_metadata": {
        "audio_type": "original_sounds",
        "clips_creation_entry_point": "clips",
        "branded_content_tag_info": {"can_add_tag": False},
        "music_info": None,
        "original_sound_info": {"audio_asset_id": "637000000000000", "duration_in_ms": 42_000, "is_explicit": False},
        "template_info": None,
        "viewer_interaction_settings": None,
    },
}

TIKTOK_ITEM: dict[str, object] = {
    "AIGCDescription": "",
    "authorStats": {"diggCount": 0, "followerCount": 0, "followingCount": 74, "heart": 0, "videoCount": 0},
    "challenges": [{"coverLarger": "", "desc": "", "id": "229207", "isCommerce": False, "title": "fyp"}],
    "collected": False,
    "digged": False,
    "duetDisplay": 0,
    "forFriend": False,
    "isAd": False,
    "itemCommentStatus": 0,
    "music": {
        "album": "",
        "authorName": "original sound",
        "coverLarge": "https://p16-sign-va.tiktokcdn.example/tos-maliva-avt-0068/music~c5_1080x1080.webp",
        "coverMedium": "https://p16-sign-va.tiktokcdn.example/tos-maliva-avt-0068/music~c5_720x720.webp",
        "coverThumb": "https://p16-sign-va.tiktokcdn.example/tos-maliva-avt-0068/music~c5_100x100.webp",
        "duration": 42,
        "id": "7300000000000000000",
        "original": True,
        "playUrl": _CDN + "music/",
        "private": False,
        "title": "original sound",
    },
    "officalItem": False,
    "originalItem": False,
    "privateItem": False,
    "secret": False,
    "shareEnabled": True,
    "textExtra": [],
}
"""Constant keys of an entry of TikTok's list (the misspelling of `officalItem` is the platform's)."""

INSTAGRAM_ITEM: dict[str, object] = {
    "caption_is_edited": False,
    "filter_type": 0,
    "original_width": 720,
    "original_height": 1280,
    "is_paid_partnership": False,
    "can_viewer_reshare": True,
    "has_liked": False,
    "has_more_comments": True,
    "commerciality_status": "not_commercial",
    "comment_threading_enabled": True,
    "integrity_review_decision": "pending",
    "is_unified_video": False,
    "product_suggestions": [],
    "share_count_disabled": False,
    "should_request_ads": False,
}
"""Constant keys of a media of Instagram's lists."""
