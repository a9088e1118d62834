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


def test_a_channel_is_found_by_id_and_by_handle_with_or_without_at(sandbox: SandboxClient) -> None:
    creator = sandbox.server.world.creator("YouTube", 0)
    filters = [{"id": creator.external_id}, {"forHandle": creator.username}, {"forHandle": f"@{creator.username}"}]
    for given in filters:
        channel = sandbox.youtube("channels", **given).json()["items"][0]
        assert channel["id"] == creator.external_id
        assert channel["contentDetails"]["relatedPlaylists"]["uploads"] == uploads_playlist(creator)


def test_an_unknown_or_gone_channel_is_200_without_items(sandbox: SandboxClient) -> None:
    gone = next(sandbox.server.world.creators("YouTube", CreatorKind.GONE))
    for channel_id in (gone.external_id, "UC0000000000000000000000"):
        response = sandbox.youtube("channels", id=channel_id)
        assert (response.status_code, response.json().get("items")) == (200, None)


def test_subscriber_counts_have_three_significant_figures_or_are_hidden(sandbox: SandboxClient) -> None:
    creators = list(islice(sandbox.server.world.creators("YouTube", CreatorKind.NORMAL), 20))
    found = sandbox.youtube("channels", id=",".join(creator.external_id for creator in creators)).json()["items"]
    assert all(set(item["statistics"]["subscriberCount"][3:]) <= {"0"} for item in found)
    hiding = next(sandbox.server.world.creators("YouTube", CreatorKind.HIDES_SUBSCRIBERS))
    statistics = sandbox.youtube("channels", id=hiding.external_id).json()["items"][0]["statistics"]
    assert statistics["hiddenSubscriberCount"] is True
    assert "subscriberCount" not in statistics


def test_a_resource_has_only_the_requested_parts(sandbox: SandboxClient) -> None:
    creator = sandbox.server.world.creator("YouTube", 0)
    response = sandbox.get(f"{sandbox.server.youtube_url}channels", part="snippet", id=creator.external_id)
    assert set(response.json()["items"][0]) == {"kind", "etag", "id", "snippet"}


def test_uploads_are_paged_to_the_end(sandbox: SandboxClient) -> None:
    creator = next(sandbox.server.world.creators("YouTube", CreatorKind.LARGE))
    pages = list(sandbox.youtube_pages(creator))
    found = {
        item["snippet"]["resourceId"]["videoId"] for page in pages for item in page["items"] if item["contentDetails"]
    }
    assert 580 < len(found) <= 600
    assert "nextPageToken" not in pages[-1]


def test_a_page_has_five_items_by_default(sandbox: SandboxClient) -> None:
    playlist = uploads_playlist(sandbox.server.world.creator("YouTube", 0))
    assert len(sandbox.youtube("playlistItems", playlistId=playlist).json()["items"]) == 5


def test_50_ids_are_accepted_and_51_rejected(sandbox: SandboxClient) -> None:
    ids = video_ids(sandbox)
    assert len(ids) > 50
    assert len(sandbox.youtube("videos", id=",".join(ids[:50])).json()["items"]) == 50
    rejected = sandbox.youtube("videos", id=",".join(ids[:51]))
    assert (rejected.status_code, reason(rejected)) == (400, "invalidFilters")


def test_unknown_videos_are_omitted(sandbox: SandboxClient) -> None:
    known = video_ids(sandbox)[0]
    items = sandbox.youtube("videos", id=f"AAAAAAAAAAA,{known}").json()["items"]
    assert [item["id"] for item in items] == [known]


def test_placeholders_have_no_thumbnail_no_owner_and_no_video(sandbox: SandboxClient) -> None:
    items = items_of_kind(sandbox, CreatorKind.UNTIDY)
    placeholders = [item for item in items if item["snippet"]["title"] in {"Private video", "Deleted video"}]
    assert {item["snippet"]["title"] for item in placeholders} == {"Private video", "Deleted video"}
    assert all(item["snippet"]["thumbnails"] == {} for item in placeholders)
    assert not any("videoOwnerChannelId" in item["snippet"] for item in placeholders)
    assert not any("videoPublishedAt" in item["contentDetails"] for item in placeholders)
    ids = [item["snippet"]["resourceId"]["videoId"] for item in placeholders]
    assert sandbox.youtube("videos", id=",".join(ids[:50])).json()["items"] == []


def test_the_dates_of_an_item_are_not_before_the_publication_of_its_video(sandbox: SandboxClient) -> None:
    page = next(sandbox.youtube_pages(sandbox.server.world.creator("YouTube", 0)))
    listed = {item["contentDetails"]["videoId"]: item for item in page["items"] if item["contentDetails"]}
    for video in sandbox.youtube("videos", id=",".join(listed)).json()["items"]:
        item = listed[video["id"]]
        true_date = datetime.fromisoformat(video["snippet"]["publishedAt"])
        nearer = datetime.fromisoformat(item["contentDetails"]["videoPublishedAt"])
        added = datetime.fromisoformat(item["snippet"]["publishedAt"])
        assert true_date <= nearer
        assert true_date <= added
        assert (nearer - true_date).total_seconds() <= 60


def test_counts_are_strings_and_hidden_likes_absent(sandbox: SandboxClient) -> None:
    hidden = items_of_kind(sandbox, CreatorKind.HIDES_LIKES)
    ids = [item["contentDetails"]["videoId"] for item in hidden if item["contentDetails"]][:50]
    statistics = [video["statistics"] for video in sandbox.youtube("videos", id=",".join(ids)).json()["items"]]
    assert statistics
    assert not any("likeCount" in counts for counts in statistics)
    assert all(isinstance(counts["viewCount"], str) for counts in statistics)


def test_an_upcoming_broadcast_is_the_first_item_and_its_date_changes_when_it_goes_live(
    fresh_sandbox: SandboxClient,
) -> None:
    item = items_of_kind(fresh_sandbox, CreatorKind.BROADCASTS)[0]
    video_id = item["snippet"]["resourceId"]["videoId"]

    def snippet() -> tuple[str, str]:
        found = fresh_sandbox.youtube("videos", id=video_id).json()["items"][0]["snippet"]
        return found["liveBroadcastContent"], found["publishedAt"]

    state, announced = snippet()
    assert state == "upcoming"
    broadcast = fresh_sandbox.youtube("videos", id=video_id).json()["items"][0]["liveStreamingDetails"]
    scheduled = broadcast["scheduledStartTime"]
    fresh_sandbox.server.clock.set(datetime.fromisoformat(scheduled).replace(second=0))
    fresh_sandbox.server.clock.advance(120)
    assert snippet() == ("live", scheduled)
    fresh_sandbox.server.clock.advance(4 * 3600)
    assert snippet() == ("none", scheduled)
    assert announced < scheduled


def test_a_channel_without_videos_has_no_playlist(sandbox: SandboxClient) -> None:
    for kind in (CreatorKind.EMPTY, CreatorKind.GONE):
        creator = next(sandbox.server.world.creators("YouTube", kind))
        response = sandbox.youtube("playlistItems", playlistId=uploads_playlist(creator))
        assert (response.status_code, reason(response)) == (404, "playlistNotFound")


def test_an_unknown_page_token_is_rejected(sandbox: SandboxClient) -> None:
    playlist = uploads_playlist(sandbox.server.world.creator("YouTube", 0))
    response = sandbox.youtube("playlistItems", playlistId=playlist, pageToken="made-up")
    assert (response.status_code, reason(response)) == (400, "invalidPageToken")


@pytest.mark.parametrize(("key", "status", "word"), [(None, 403, "unregistered"), ("invalid-key", 400, "not valid")])
def test_a_missing_and_an_invalid_key_have_different_errors(
    sandbox: SandboxClient, key: str | None, status: int, word: str
) -> None:
    response = sandbox.get(f"{sandbox.server.youtube_url}channels", {"X-Goog-Api-Key": key}, part="id", id="x")
    assert response.status_code == status
    assert word in response.json()["error"]["message"]


def test_used_up_units_are_restored_at_midnight_pacific(
    start_sandbox: Callable[[SandboxOptions], SandboxClient],
) -> None:
    client = start_sandbox(SandboxOptions(time=NOON, youtube_daily_units=2))
    assert [client.youtube("channels", id="x").status_code for _ in range(2)] == [200, 200]
    exceeded = client.youtube("channels", id="x")
    assert (exceeded.status_code, reason(exceeded)) == (403, "quotaExceeded")
    client.server.clock.set(datetime.fromisoformat("2026-06-15T23:59:00-07:00"))
    assert client.youtube("channels", id="x").status_code == 403
    client.server.clock.advance(60)
    assert client.youtube("channels", id="x").status_code == 200


def test_an_invalid_request_costs_a_unit(fresh_sandbox: SandboxClient) -> None:
    assert fresh_sandbox.youtube("videos").status_code == 400
    assert fresh_sandbox.server.youtube_units == 1
