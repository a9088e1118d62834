from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import islice
from typing import Any

import pytest
import requests

from devtools.platform_sandbox import CreatorKind, SandboxOptions, uploads_playlist
from tests.support.sandbox_client import NOON, SandboxClient


def reason(response: requests.Response) -> str:
    return str(response.json()["error"]["errors"][0]["reason"])


def video_ids(client: SandboxClient, index: int = 0) -> list[str]:
    creator = client.server.world.creator("YouTube", index)
    pages = client.youtube_pages(creator)
    return [item["contentDetails"]["videoId"] for page in pages for item in page["items"] if item["contentDetails"]]


def items_of_kind(client: SandboxClient, kind: CreatorKind) -> list[dict[str, Any]]:
    creator = next(client.server.world.creators("YouTube", kind))
    return [item for page in client.youtube_pages(creator) for item in page["items"]]


def test_a_channel_is_found_by_id_and_by_handle_with_or_without_at(shared: SandboxClient) -> None:
    creator = shared.server.world.creator("YouTube", 0)
    filters = [{"id": creator.external_id}, {"forHandle": creator.username}, {"forHandle": f"@{creator.username}"}]
    for given in filters:
        channel = shared.youtube("channels", **given).json()["items"][0]
        assert channel["id"] == creator.external_id
        assert channel["contentDetails"]["relatedPlaylists"]["uploads"] == uploads_playlist(creator)


def test_an_unknown_or_gone_channel_is_200_without_items(shared: SandboxClient) -> None:
    gone = next(shared.server.world.creators("YouTube", CreatorKind.GONE))
    for channel_id in (gone.external_id, "UC0000000000000000000000"):
        answer = shared.youtube("channels", id=channel_id)
        assert (answer.status_code, answer.json().get("items")) == (200, None)


def test_subscribers_have_three_figures_or_are_hidden(shared: SandboxClient) -> None:
    creators = list(islice(shared.server.world.creators("YouTube", CreatorKind.NORMAL), 20))
    found = shared.youtube("channels", id=",".join(creator.external_id for creator in creators)).json()["items"]
    assert all(set(item["statistics"]["subscriberCount"][3:]) <= {"0"} for item in found)
    hiding = next(shared.server.world.creators("YouTube", CreatorKind.HIDES_SUBSCRIBERS))
    statistics = shared.youtube("channels", id=hiding.external_id).json()["items"][0]["statistics"]
    assert statistics["hiddenSubscriberCount"] is True
    assert "subscriberCount" not in statistics


def test_only_the_parts_that_were_asked_for_are_given(shared: SandboxClient) -> None:
    creator = shared.server.world.creator("YouTube", 0)
    answer = shared.get(f"{shared.server.youtube_url}channels", part="snippet", id=creator.external_id)
    assert set(answer.json()["items"][0]) == {"kind", "etag", "id", "snippet"}


def test_uploads_are_paged_to_the_end(shared: SandboxClient) -> None:
    creator = next(shared.server.world.creators("YouTube", CreatorKind.LARGE))
    pages = list(shared.youtube_pages(creator))
    found = {
        item["snippet"]["resourceId"]["videoId"] for page in pages for item in page["items"] if item["contentDetails"]
    }
    assert 580 < len(found) <= 600
    assert "nextPageToken" not in pages[-1]


def test_a_page_has_five_items_unless_more_are_asked_for(shared: SandboxClient) -> None:
    playlist = uploads_playlist(shared.server.world.creator("YouTube", 0))
    assert len(shared.youtube("playlistItems", playlistId=playlist).json()["items"]) == 5


def test_51_ids_are_refused_and_50_answered(shared: SandboxClient) -> None:
    ids = video_ids(shared)
    assert len(ids) > 50
    assert len(shared.youtube("videos", id=",".join(ids[:50])).json()["items"]) == 50
    refused = shared.youtube("videos", id=",".join(ids[:51]))
    assert (refused.status_code, reason(refused)) == (400, "invalidFilters")


def test_unknown_videos_are_left_out(shared: SandboxClient) -> None:
    known = video_ids(shared)[0]
    items = shared.youtube("videos", id=f"AAAAAAAAAAA,{known}").json()["items"]
    assert [item["id"] for item in items] == [known]


def test_placeholders_have_no_picture_no_owner_and_no_video(shared: SandboxClient) -> None:
    items = items_of_kind(shared, CreatorKind.UNTIDY)
    placeholders = [item for item in items if item["snippet"]["title"] in {"Private video", "Deleted video"}]
    assert {item["snippet"]["title"] for item in placeholders} == {"Private video", "Deleted video"}
    assert all(item["snippet"]["thumbnails"] == {} for item in placeholders)
    assert not any("videoOwnerChannelId" in item["snippet"] for item in placeholders)
    assert not any("videoPublishedAt" in item["contentDetails"] for item in placeholders)
    ids = [item["snippet"]["resourceId"]["videoId"] for item in placeholders]
    assert shared.youtube("videos", id=",".join(ids[:50])).json()["items"] == []


def test_an_item_was_added_after_it_was_published(shared: SandboxClient) -> None:
    page = next(shared.youtube_pages(shared.server.world.creator("YouTube", 0)))
    listed = {item["contentDetails"]["videoId"]: item for item in page["items"] if item["contentDetails"]}
    for video in shared.youtube("videos", id=",".join(listed)).json()["items"]:
        item = listed[video["id"]]
        true_date = datetime.fromisoformat(video["snippet"]["publishedAt"])
        nearer = datetime.fromisoformat(item["contentDetails"]["videoPublishedAt"])
        added = datetime.fromisoformat(item["snippet"]["publishedAt"])
        assert true_date <= nearer
        assert true_date <= added
        assert (nearer - true_date).total_seconds() <= 60


def test_counts_are_strings_and_hidden_likes_absent(shared: SandboxClient) -> None:
    hidden = items_of_kind(shared, CreatorKind.HIDES_LIKES)
    ids = [item["contentDetails"]["videoId"] for item in hidden if item["contentDetails"]][:50]
    statistics = [video["statistics"] for video in shared.youtube("videos", id=",".join(ids)).json()["items"]]
    assert statistics
    assert not any("likeCount" in counts for counts in statistics)
    assert all(isinstance(counts["viewCount"], str) for counts in statistics)


def test_an_upcoming_broadcast_stands_first_and_its_date_moves(own: SandboxClient) -> None:
    item = items_of_kind(own, CreatorKind.BROADCASTS)[0]
    video_id = item["snippet"]["resourceId"]["videoId"]

    def snippet() -> tuple[str, str]:
        found = own.youtube("videos", id=video_id).json()["items"][0]["snippet"]
        return found["liveBroadcastContent"], found["publishedAt"]

    state, announced = snippet()
    assert state == "upcoming"
    scheduled = own.youtube("videos", id=video_id).json()["items"][0]["liveStreamingDetails"]["scheduledStartTime"]
    own.server.clock.set(datetime.fromisoformat(scheduled).replace(second=0))
    own.server.clock.advance(120)
    assert snippet() == ("live", scheduled)
    own.server.clock.advance(4 * 3600)
    assert snippet() == ("none", scheduled)
    assert announced < scheduled


def test_a_channel_without_videos_has_no_playlist(shared: SandboxClient) -> None:
    for kind in (CreatorKind.EMPTY, CreatorKind.GONE):
        creator = next(shared.server.world.creators("YouTube", kind))
        answer = shared.youtube("playlistItems", playlistId=uploads_playlist(creator))
        assert (answer.status_code, reason(answer)) == (404, "playlistNotFound")


def test_an_invented_page_token_is_refused(shared: SandboxClient) -> None:
    playlist = uploads_playlist(shared.server.world.creator("YouTube", 0))
    answer = shared.youtube("playlistItems", playlistId=playlist, pageToken="made-up")
    assert (answer.status_code, reason(answer)) == (400, "invalidPageToken")


@pytest.mark.parametrize(("key", "status", "word"), [(None, 403, "unregistered"), ("invalid-key", 400, "not valid")])
def test_a_missing_and_a_bad_key_are_told_apart(shared: SandboxClient, key: str | None, status: int, word: str) -> None:
    answer = shared.get(f"{shared.server.youtube_url}channels", {"X-Goog-Api-Key": key}, part="id", id="x")
    assert answer.status_code == status
    assert word in answer.json()["error"]["message"]


def test_units_are_gone_until_midnight_pacific(start: Callable[[SandboxOptions], SandboxClient]) -> None:
    client = start(SandboxOptions(time=NOON, youtube_daily_units=2))
    assert [client.youtube("channels", id="x").status_code for _ in range(2)] == [200, 200]
    gone = client.youtube("channels", id="x")
    assert (gone.status_code, reason(gone)) == (403, "quotaExceeded")
    client.server.clock.set(datetime.fromisoformat("2026-06-15T23:59:00-07:00"))
    assert client.youtube("channels", id="x").status_code == 403
    client.server.clock.advance(60)
    assert client.youtube("channels", id="x").status_code == 200


def test_an_invalid_request_costs_a_unit_too(own: SandboxClient) -> None:
    assert own.youtube("videos").status_code == 400
    assert own.server.youtube_units == 1
