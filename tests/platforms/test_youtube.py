"""YouTube client: channels, uploads and videos of the Data API v3 (docs/platforms.md)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from blogger_tracking.domain.models import BloggerProfile, LiveState, Platform, VideoStatistics
from blogger_tracking.domain.platform_errors import ErrorKind, PlatformError
from blogger_tracking.platforms import PlatformService, YouTubeService
from blogger_tracking.platforms.json_values import Json
from tests.support.platform_accounts import ACCOUNTS
from tests.support.scripted_server import Scripted, ScriptedServer

Body = Callable[[Platform, str], Json]

MIRA = ACCOUNTS[Platform.YOUTUBE]
UPLOADS = "UUinvented_Mira_00000001"
UNKNOWN = {"kind": "youtube#channelListResponse", "pageInfo": {"totalResults": 0}, "items": []}
NO_PLAYLIST = Scripted({"error": {"code": 404, "errors": [{"reason": "playlistNotFound"}]}}, status=404)
STALE = Scripted({"error": {"code": 400, "errors": [{"reason": "invalidPageToken"}]}}, status=400)


@pytest.fixture
def service(connect: Callable[[Platform], PlatformService]) -> YouTubeService:
    created = connect(Platform.YOUTUBE)
    assert isinstance(created, YouTubeService)
    return created


@pytest.fixture
def youtube(body: Body) -> Callable[[str], Json]:
    return lambda name: body(Platform.YOUTUBE, name)


def test_a_channel_is_read_as_a_profile(
    service: YouTubeService, platform_server: ScriptedServer, youtube: Callable[[str], Json]
) -> None:
    platform_server.play(youtube("channel"))
    assert service.get_user_info("@mira-invented") == BloggerProfile(
        platform=Platform.YOUTUBE,
        external_id=MIRA.external_id,
        sec_id=None,
        username="mira-invented",
        channel_name="Mira Invents",
        subscribers=123_000,
        thumbnail_url="https://i.ytimg.invalid/vi/mira/high.jpg",
        video_count=412,
    )


def test_hidden_subscribers_are_unknown_and_a_channel_without_a_handle_keeps_the_requested_name(
    service: YouTubeService, platform_server: ScriptedServer, youtube: Callable[[str], Json]
) -> None:
    platform_server.play(youtube("channel_hidden_subscribers"))
    profile = service.get_user_info("mira-invented")
    assert (profile.subscribers, profile.username, profile.thumbnail_url) == (None, "mira-invented", None)


@pytest.mark.parametrize(
    ("username", "filters"),
    [
        ("@mira-invented", [{"forHandle": "@mira-invented"}]),
        ("mira-invented", [{"forHandle": "@mira-invented"}, {"forUsername": "mira-invented"}]),
        ("UCinvented_Mira_00000001", [{"id": "UCinvented_Mira_00000001"}, {"forHandle": "@UCinvented_Mira_00000001"}]),
    ],
)
@pytest.mark.parametrize("unknown", ["channel_unknown", None])
def test_a_channel_is_not_found_only_after_look_ups_by_id_handle_and_legacy_name(
    username: str,
    filters: list[dict[str, str]],
    unknown: str | None,
    service: YouTubeService,
    platform_server: ScriptedServer,
    youtube: Callable[[str], Json],
) -> None:
    platform_server.play(youtube(unknown) if unknown else UNKNOWN)
    with pytest.raises(PlatformError) as raised:
        service.get_user_info(username)
    assert raised.value.kind is ErrorKind.NOT_FOUND
    part = {"part": "snippet,statistics,contentDetails"}
    assert platform_server.queries == [part | channel_filter for channel_filter in filters]


def test_uploads_are_listed_from_the_playlist_derived_from_the_channel_id(
    service: YouTubeService, platform_server: ScriptedServer, youtube: Callable[[str], Json]
) -> None:
    platform_server.play(youtube("uploads_page_1"), youtube("uploads_page_2"))
    batch = service.get_user_videos_batch(MIRA, 50)
    fixed = {"part": "snippet,contentDetails,status", "playlistId": UPLOADS, "maxResults": "50"}
    assert platform_server.queries == [fixed, fixed | {"pageToken": "EAAaBlBUOkNESQ"}]
    assert [video.external_video_id for video in batch] == ["vid_newest1", "vid_earlier", "vid_nothumb", "vid_snippet"]
    newest = batch[0]
    assert newest.title == "Soup for two"
    assert newest.video_url == "https://www.youtube.com/watch?v=vid_newest1"
    assert newest.thumbnail_url == "https://i.ytimg.invalid/vi/vid_newest1/maxres.jpg"
    assert newest.published_at == datetime(2026, 3, 9, 18, 0, 5, tzinfo=UTC)
    assert {video.statistics for video in batch} == {None}
    assert (batch.pages, batch.interrupted_by) == (2, None)


def test_placeholders_are_skipped_but_not_a_public_video_with_a_placeholders_title(
    service: YouTubeService, platform_server: ScriptedServer, youtube: Callable[[str], Json]
) -> None:
    platform_server.play(youtube("uploads_page_1"), youtube("uploads_page_2"))
    batch = service.get_user_videos_batch(MIRA, 50)
    assert batch.skipped == {"placeholder": 2, "not_a_video": 1}
    public = next(video for video in batch if video.external_video_id == "vid_nothumb")
    assert (public.title, public.thumbnail_url) == ("Private video", None)


def test_a_listed_video_is_dated_by_its_publication_if_known_else_by_its_listing(
    service: YouTubeService, platform_server: ScriptedServer, youtube: Callable[[str], Json]
) -> None:
    platform_server.play(youtube("uploads_page_2"))
    dates = {video.external_video_id: video.published_at for video in service.get_user_videos_batch(MIRA, 50)}
    assert dates["vid_earlier"] == datetime(2026, 3, 7, 12, tzinfo=UTC)
    assert dates["vid_snippet"] == datetime(2026, 3, 1, 9, tzinfo=UTC)


def test_a_channel_without_an_uploads_playlist_and_without_videos_is_empty_not_missing(
    service: YouTubeService, platform_server: ScriptedServer, youtube: Callable[[str], Json]
) -> None:
    channel = youtube("channel")
    channel["items"][0]["statistics"]["videoCount"] = "0"
    platform_server.play(NO_PLAYLIST, channel)
    batch = service.get_user_videos_batch(MIRA, 50)
    assert (list(batch), batch.interrupted_by) == ([], None)
    assert platform_server.queries[1]["id"] == MIRA.external_id


@pytest.mark.parametrize("videos", ["412", None])
def test_a_missing_playlist_is_not_believed_without_a_channel_that_has_no_videos(
    videos: str | None,
    service: YouTubeService,
    platform_server: ScriptedServer,
    youtube: Callable[[str], Json],
) -> None:
    channel = youtube("channel")
    channel["items"][0]["statistics"]["videoCount"] = videos
    platform_server.play(NO_PLAYLIST, channel)
    with pytest.raises(PlatformError) as raised:
        service.get_user_videos_batch(MIRA, 50)
    assert raised.value.kind is ErrorKind.INCOMPLETE_LIST


def test_a_missing_playlist_of_an_unknown_channel_is_not_found(
    service: YouTubeService, platform_server: ScriptedServer, youtube: Callable[[str], Json]
) -> None:
    platform_server.play(NO_PLAYLIST, youtube("channel_unknown"))
    with pytest.raises(PlatformError) as raised:
        service.get_user_videos_batch(MIRA, 50)
    assert raised.value.kind is ErrorKind.NOT_FOUND


def test_a_channel_that_names_another_uploads_playlist_is_listed_from_it(
    service: YouTubeService, platform_server: ScriptedServer, youtube: Callable[[str], Json]
) -> None:
    channel = youtube("channel")
    channel["items"][0]["contentDetails"]["relatedPlaylists"]["uploads"] = "UUanother_playlist"
    platform_server.play(NO_PLAYLIST, channel, youtube("uploads_page_2"))
    assert len(service.get_user_videos_batch(MIRA, 50)) == 3
    assert platform_server.queries[2]["playlistId"] == "UUanother_playlist"


def test_an_external_id_that_is_not_a_channel_id_is_looked_up(
    service: YouTubeService, platform_server: ScriptedServer, youtube: Callable[[str], Json]
) -> None:
    platform_server.play(youtube("channel"), youtube("uploads_page_2"))
    service.get_user_videos_batch(MIRA.model_copy(update={"external_id": "legacy-mira"}), 50)
    assert [query.get("id") or query["playlistId"] for query in platform_server.queries] == ["legacy-mira", UPLOADS]


@pytest.mark.parametrize("page_info", [{}, {"pageInfo": {"totalResults": 0}}])
def test_a_playlist_of_no_items_is_empty(
    page_info: dict[str, Json], service: YouTubeService, platform_server: ScriptedServer
) -> None:
    platform_server.play({"kind": "youtube#playlistItemListResponse", "items": [], **page_info})
    batch = service.get_user_videos_batch(MIRA, 50)
    assert (list(batch), batch.interrupted_by) == ([], None)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"items": None},
        {"pageInfo": {"totalResults": 412}},
        {"items": [], "pageInfo": {"totalResults": 412}},
        {"items": None, "nextPageToken": "EAAaBlBUOkNESQ"},
    ],
)
def test_a_playlist_without_items_is_malformed(
    body: dict[str, Json], service: YouTubeService, platform_server: ScriptedServer
) -> None:
    platform_server.play({"kind": "youtube#playlistItemListResponse", **body})
    with pytest.raises(PlatformError) as raised:
        service.get_user_videos_batch(MIRA, 50)
    assert raised.value.kind is ErrorKind.MALFORMED_RESPONSE


@pytest.mark.parametrize("body", [{}, {"items": None}, {"items": [], "pageInfo": {"totalResults": 1}}])
def test_a_body_without_the_channel_that_it_reports_is_malformed_not_not_found(
    body: dict[str, Json], service: YouTubeService, platform_server: ScriptedServer
) -> None:
    platform_server.play({"kind": "youtube#channelListResponse", "pageInfo": {"totalResults": 1}, **body})
    with pytest.raises(PlatformError) as raised:
        service.get_user_info("@mira-invented")
    assert raised.value.kind is ErrorKind.MALFORMED_RESPONSE


@pytest.mark.parametrize("body", [{}, {"items": None}, {"items": [], "pageInfo": {"totalResults": 1}}])
def test_a_body_without_videos_that_reports_some_is_malformed(
    body: dict[str, Json], service: YouTubeService, platform_server: ScriptedServer
) -> None:
    platform_server.play({"kind": "youtube#videoListResponse", "pageInfo": {"totalResults": 1}, **body})
    with pytest.raises(PlatformError) as raised:
        service.get_videos(["vid_newest1"])
    assert raised.value.kind is ErrorKind.MALFORMED_RESPONSE


def test_a_stale_page_token_restarts_the_list_once(
    service: YouTubeService, platform_server: ScriptedServer, youtube: Callable[[str], Json]
) -> None:
    platform_server.play(youtube("uploads_page_1"), STALE, youtube("uploads_page_1"), youtube("uploads_page_2"))
    batch = service.get_user_videos_batch(MIRA, 50)
    assert len(batch) == 4
    assert batch.skipped == {"placeholder": 2, "not_a_video": 1}
    assert batch.interrupted_by is None


def test_an_error_on_the_second_page_keeps_the_first_page(
    service: YouTubeService, platform_server: ScriptedServer, youtube: Callable[[str], Json]
) -> None:
    platform_server.play(youtube("uploads_page_1"), Scripted(status=500))
    batch = service.get_user_videos_batch(MIRA, 50)
    assert [video.external_video_id for video in batch] == ["vid_newest1", "vid_nothumb"]
    assert batch.interrupted_by is not None
    assert batch.interrupted_by.kind is ErrorKind.UNAVAILABLE


def test_videos_are_matched_by_id_and_omitted_videos_are_absent(
    service: YouTubeService, platform_server: ScriptedServer, youtube: Callable[[str], Json]
) -> None:
    platform_server.play(youtube("videos"))
    ids = ["vid_newest1", "vid_private", "vid_hidden1", "vid_live_01", "vid_upcoming"]
    videos = service.get_videos(ids)
    assert platform_server.queries[0]["id"] == ",".join(ids)
    assert "maxResults" not in platform_server.queries[0]
    assert set(videos) == set(ids) - {"vid_private"}
    assert all(found.external_video_id == video_id for video_id, found in videos.items())
    newest = videos["vid_newest1"]
    assert newest.published_at == datetime(2026, 3, 9, 18, tzinfo=UTC)
    assert newest.statistics == VideoStatistics(
        external_video_id="vid_newest1", views=48_210, likes=1_203, comments=77, reposts=None
    )


def test_hidden_counts_are_unknown_and_a_real_zero_is_zero(
    service: YouTubeService, platform_server: ScriptedServer, youtube: Callable[[str], Json]
) -> None:
    platform_server.play(youtube("videos"))
    videos = service.get_videos(["vid_hidden1"])
    hidden, live = videos["vid_hidden1"].statistics, videos["vid_live_01"].statistics
    assert hidden == VideoStatistics(external_video_id="vid_hidden1", views=905)
    assert live is not None
    assert live.comments == 0


def test_the_live_state_is_read(
    service: YouTubeService, platform_server: ScriptedServer, youtube: Callable[[str], Json]
) -> None:
    platform_server.play(youtube("videos"))
    states = {video_id: video.live_state for video_id, video in service.get_videos(["vid_live_01"]).items()}
    assert states == {
        "vid_live_01": LiveState.LIVE,
        "vid_newest1": LiveState.NONE,
        "vid_hidden1": LiveState.NONE,
        "vid_upcoming": LiveState.UPCOMING,
    }


def test_no_ids_and_more_than_fifty_ids_send_no_request(
    service: YouTubeService, platform_server: ScriptedServer
) -> None:
    assert service.get_videos([]) == {}
    with pytest.raises(ValueError, match="at most 50"):
        service.get_videos([f"vid_{number}" for number in range(51)])
    assert platform_server.asked == []
