"""The clients against recorded responses of the platforms, which are not part of the project.

The environment variable TEST_RECORDED_ANSWERS names the folder of the responses; without it the tests are skipped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.platform_errors import ErrorKind, PlatformError
from blogger_tracking.platforms import PlatformService, YouTubeService
from blogger_tracking.platforms.instagram import media_number, shortcode
from blogger_tracking.platforms.json_values import Json
from tests.support.platform_accounts import ACCOUNTS
from tests.support.scripted_server import Scripted, ScriptedServer

FOLDER = os.environ.get("TEST_RECORDED_ANSWERS", "")
RECORDED = Path(FOLDER)

pytestmark = pytest.mark.skipif(not FOLDER, reason="TEST_RECORDED_ANSWERS names no folder of recorded responses")

Connect = Callable[[Platform], PlatformService]


def recorded(name: str) -> Json:
    return json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))


def test_recorded_uploads_are_read_page_by_page(connect: Connect, platform_server: ScriptedServer) -> None:
    first, second = recorded("youtube-playlistitems-1"), recorded("youtube-playlistitems-2")
    platform_server.play(first, second)
    batch = connect(Platform.YOUTUBE).get_user_videos_batch(ACCOUNTS[Platform.YOUTUBE], 50)
    assert {video.external_video_id for video in batch} == {
        item["snippet"]["resourceId"]["videoId"] for item in (*first["items"], *second["items"])
    }
    assert all(video.title and video.thumbnail_url and video.published_at for video in batch)
    assert batch.skipped == {}


def test_recorded_channels_are_read(connect: Connect, platform_server: ScriptedServer) -> None:
    body = recorded("youtube-channel-4")
    platform_server.play(body)
    profile, channel = connect(Platform.YOUTUBE).get_user_info("anybody"), body["items"][0]
    assert (profile.external_id, profile.channel_name) == (channel["id"], channel["snippet"]["title"])
    assert profile.subscribers == int(channel["statistics"]["subscriberCount"])
    assert channel["contentDetails"]["relatedPlaylists"]["uploads"] == f"UU{profile.external_id[2:]}"


def test_recorded_videos_are_read_with_their_statistics(connect: Connect, platform_server: ScriptedServer) -> None:
    body = recorded("youtube-videos-2")
    platform_server.play(body)
    service = connect(Platform.YOUTUBE)
    assert isinstance(service, YouTubeService)
    videos = service.get_videos(["any"])
    assert len(videos) == len(body["items"])
    for item in body["items"]:
        statistics = videos[item["id"]].statistics
        assert statistics is not None
        views = item.get("statistics", {}).get("viewCount")
        assert statistics.views == (int(views) if views else None)


@pytest.mark.parametrize("name", ["youtube-error-1", "youtube-error-2"])
def test_recorded_refusals_concern_the_caller(name: str, connect: Connect, platform_server: ScriptedServer) -> None:
    body = recorded(name)
    platform_server.play(Scripted(body, status=body["error"]["code"]))
    with pytest.raises(PlatformError) as raised:
        connect(Platform.YOUTUBE).get_user_info("anybody")
    assert raised.value.kind is ErrorKind.INVALID_CREDENTIALS


def test_a_recorded_page_of_tiktoks_app_is_read(connect: Connect, platform_server: ScriptedServer) -> None:
    body = recorded("tiktok-awemelist-2")
    platform_server.play(body)
    batch = connect(Platform.TIKTOK).get_user_videos_batch(ACCOUNTS[Platform.TIKTOK], 1)
    (video,), (item,) = batch, body["aweme_list"]
    assert video.external_video_id == item["aweme_id"]
    assert video.published_at is not None
    assert video.published_at.timestamp() == item["create_time"]
    assert video.thumbnail_url == item["video"]["cover"]["url_list"][0]
    assert video.statistics is not None
    assert video.statistics.views == item["statistics"]["play_count"]
    assert video.statistics.reposts == item["statistics"]["share_count"]


def test_recorded_reels_are_read(connect: Connect, platform_server: ScriptedServer) -> None:
    body = recorded("instagram-clips-2")
    platform_server.play(body, Scripted({"detail": "Entries not found"}, status=404))
    batch = connect(Platform.INSTAGRAM).get_user_videos_batch(ACCOUNTS[Platform.INSTAGRAM], 12)
    (video,), media = batch, body["items"][0]["media"]
    assert video.external_video_id == media["pk"]
    assert video.video_url == f"https://www.instagram.com/reel/{media['code']}/"
    assert video.title == ""
    assert video.statistics is not None
    assert (video.statistics.views, video.statistics.likes) == (media["ig_play_count"], media["like_count"])


def test_reels_among_recorded_posts_are_kept(connect: Connect, platform_server: ScriptedServer) -> None:
    no_clips = Scripted({"detail": "Entries not found"}, status=404)
    body = recorded("instagram-medias-2")
    platform_server.play(no_clips, body, no_clips)
    batch = connect(Platform.INSTAGRAM).get_user_videos_batch(ACCOUNTS[Platform.INSTAGRAM], 12)
    (video,), (media,) = batch, body["items"]
    assert (video.external_video_id, batch.skipped, batch.pages) == (media["pk"], {}, 3)
    assert video.video_url == f"https://www.instagram.com/reel/{media['code']}/"


def test_recorded_shortcodes_are_the_base_64_of_their_media_numbers() -> None:
    clip, post = recorded("instagram-clips-2")["items"][0]["media"], recorded("instagram-medias-2")["items"][0]
    for media in (clip, post):
        number = media_number(media["id"])
        assert number is not None
        assert shortcode(number) == media["code"]
