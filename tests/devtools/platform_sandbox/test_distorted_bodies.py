"""Faults that change a normal response: what they change, and that nothing else is changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from devtools.platform_sandbox import Creator, CreatorKind, Fault, FaultKind, handles_in_other_scripts, uploads_playlist
from tests.support.sandbox_client import SandboxClient

Body = dict[str, Any]


def creator_of(client: SandboxClient, platform: str, kind: CreatorKind = CreatorKind.NORMAL) -> Creator:
    return next(client.server.world.creators(platform, kind))


def tiktok_posts(client: SandboxClient, creator: Creator, cursor: str = "0") -> Body:
    body: Body = client.tiktok("posts", secUid=creator.sec_id, count=35, cursor=cursor).json()
    return body


def clips(client: SandboxClient, creator: Creator, call: str = "clips") -> list[Body]:
    items = client.instagram(call, user_id=creator.external_id).json()["response"]["items"]
    return [item.get("media", item) for item in items]


def uploads(client: SandboxClient, creator: Creator, token: str | None = None) -> Body:
    response = client.youtube("playlistItems", playlistId=uploads_playlist(creator), maxResults=50, pageToken=token)
    body: Body = response.json()
    return body


def ids(items: list[Body]) -> list[str]:
    return [str(item["id"]) for item in items if "id" in item]


def test_an_empty_page_promises_more_and_the_next_page_has_its_entries(fresh_sandbox: SandboxClient) -> None:
    creator = creator_of(fresh_sandbox, "TikTok")
    first = tiktok_posts(fresh_sandbox, creator)["data"]
    fresh_sandbox.server.add_fault(Fault(FaultKind.EMPTY_PAGE, creator=creator.username, page=1))
    empty = tiktok_posts(fresh_sandbox, creator)["data"]
    assert (empty["itemList"], empty["hasMore"]) == ([], True)
    behind = tiktok_posts(fresh_sandbox, creator, empty["cursor"])["data"]
    assert ids(behind["itemList"])[:20] == ids(first["itemList"])[:20]


def test_empty_pages_without_a_page_go_on_without_end_and_never_repeat_a_cursor(fresh_sandbox: SandboxClient) -> None:
    creator = creator_of(fresh_sandbox, "YouTube")
    fresh_sandbox.server.add_fault(Fault(FaultKind.EMPTY_PAGE, creator=creator.username))
    tokens: list[str | None] = [None]
    for _ in range(6):
        body = uploads(fresh_sandbox, creator, tokens[-1])
        assert body["items"] == []
        tokens.append(body["nextPageToken"])
    assert len(set(tokens)) == len(tokens)


@pytest.mark.parametrize("kind", [FaultKind.LIST_MISSING, FaultKind.LIST_NULL])
def test_a_missing_list_leaves_the_counts_and_cursors_beside_it(fresh_sandbox: SandboxClient, kind: FaultKind) -> None:
    youtube, tiktok, instagram = (creator_of(fresh_sandbox, name) for name in ("YouTube", "TikTok", "Instagram"))
    fresh_sandbox.server.add_fault(Fault(kind))
    page = uploads(fresh_sandbox, youtube)
    assert page["pageInfo"]["totalResults"] > 0
    assert page["nextPageToken"]
    posts = tiktok_posts(fresh_sandbox, tiktok)["data"]
    reels = fresh_sandbox.instagram("clips", user_id=instagram.external_id).json()["response"]
    assert posts["hasMore"] is reels["paging_info"]["more_available"] is True
    lists = [(page, "items"), (posts, "itemList"), (reels, "items")]
    assert [layer.get(key) for layer, key in lists] == [None] * 3
    assert [key in layer for layer, key in lists] == [kind is FaultKind.LIST_NULL] * 3


def test_clips_that_are_left_out_are_among_the_posts(fresh_sandbox: SandboxClient) -> None:
    creator = creator_of(fresh_sandbox, "Instagram")
    before = clips(fresh_sandbox, creator)
    fresh_sandbox.server.add_fault(Fault(FaultKind.CLIPS_LEFT_OUT, creator=creator.username))
    assert ids(clips(fresh_sandbox, creator)) == ids(before)[1::2]
    assert ids(before)[0] in ids(clips(fresh_sandbox, creator, "medias"))


def test_own_posts_are_marked_as_advertisements_and_stay_the_creators_own(fresh_sandbox: SandboxClient) -> None:
    tiktok, instagram = creator_of(fresh_sandbox, "TikTok"), creator_of(fresh_sandbox, "Instagram")
    fresh_sandbox.server.add_fault(Fault(FaultKind.OWN_ADVERTISEMENTS))
    marked = [item for item in tiktok_posts(fresh_sandbox, tiktok)["data"]["itemList"] if item.get("isAd")]
    assert {item["author"]["id"] for item in marked if "author" in item} == {tiktok.external_id}
    assert len(marked) == 15
    assert len([media for media in clips(fresh_sandbox, instagram) if media.get("is_ad")]) == 6


def test_a_foreign_advertisement_is_the_second_entry_and_takes_no_place(fresh_sandbox: SandboxClient) -> None:
    tiktok, instagram = creator_of(fresh_sandbox, "TikTok"), creator_of(fresh_sandbox, "Instagram")
    own = (
        ids(tiktok_posts(fresh_sandbox, tiktok)["data"]["itemList"]),
        ids(clips(fresh_sandbox, instagram)),
        ids(clips(fresh_sandbox, instagram, "medias")),
    )
    fresh_sandbox.server.add_fault(Fault(FaultKind.FOREIGN_ADVERTISEMENT))
    lists = (
        tiktok_posts(fresh_sandbox, tiktok)["data"]["itemList"],
        clips(fresh_sandbox, instagram),
        clips(fresh_sandbox, instagram, "medias"),
    )
    for before, items in zip(own, lists, strict=True):
        advertisement = items.pop(1)
        owner = advertisement.get("author") or advertisement["user"]
        assert owner["id"] not in {tiktok.external_id, instagram.external_id}
        assert advertisement.get("isAd") or advertisement["ad_id"]
        assert ids(items) == before


def test_unmarked_pins_are_first_and_nothing_marks_them(fresh_sandbox: SandboxClient) -> None:
    tiktok = creator_of(fresh_sandbox, "TikTok", CreatorKind.PINS)
    instagram = creator_of(fresh_sandbox, "Instagram", CreatorKind.PINS)
    before = ids(tiktok_posts(fresh_sandbox, tiktok)["data"]["itemList"]), ids(clips(fresh_sandbox, instagram))
    fresh_sandbox.server.add_fault(Fault(FaultKind.UNMARKED_PINS))
    posts, reels = tiktok_posts(fresh_sandbox, tiktok)["data"]["itemList"], clips(fresh_sandbox, instagram)
    assert (ids(posts), ids(reels)) == before
    assert not any(item.get("isPinnedItem") for item in posts)
    assert not any(media.get("timeline_pinned_user_ids") or media["clips_tab_pinned_user_ids"] for media in reels)


def test_zero_views_stand_beside_the_normal_likes(fresh_sandbox: SandboxClient) -> None:
    creators = [creator_of(fresh_sandbox, name) for name in ("TikTok", "Instagram", "YouTube")]
    video_id = uploads(fresh_sandbox, creators[2])["items"][6]["contentDetails"]["videoId"]
    fresh_sandbox.server.add_fault(Fault(FaultKind.ZERO_VIEWS))
    post = tiktok_posts(fresh_sandbox, creators[0])["data"]["itemList"][5]
    reel = clips(fresh_sandbox, creators[1])[5]
    video = fresh_sandbox.youtube("videos", id=video_id).json()["items"][0]["statistics"]
    assert (post["stats"]["playCount"], post["statsV2"]["playCount"]) == (0, "0")
    assert (reel["play_count"], reel["ig_play_count"], video["viewCount"]) == (0, 0, "0")
    assert min(post["stats"]["diggCount"], reel["like_count"], int(video["likeCount"])) > 0


def test_the_list_itself_is_the_data_and_its_last_page_has_a_cursor_of_null(fresh_sandbox: SandboxClient) -> None:
    creator = creator_of(fresh_sandbox, "TikTok")
    pages = [page["itemList"] for page in fresh_sandbox.tiktok_pages(creator)]
    fresh_sandbox.server.add_fault(Fault(FaultKind.LIST_AS_DATA))
    cursor: str | None = "0"
    for expected in pages:
        assert cursor
        body = tiktok_posts(fresh_sandbox, creator, cursor)
        assert ids(body["data"]) == ids(expected)
        cursor = body["nextCursor"]
    assert cursor is None


def test_clips_without_a_media_type_and_times_in_microseconds(fresh_sandbox: SandboxClient) -> None:
    creator = creator_of(fresh_sandbox, "Instagram")
    seconds = clips(fresh_sandbox, creator)[0]["device_timestamp"] // 1_000_000
    fresh_sandbox.server.add_fault(Fault(FaultKind.NO_MEDIA_TYPE, times=1))
    assert not any("media_type" in media for media in clips(fresh_sandbox, creator))
    fresh_sandbox.server.add_fault(Fault(FaultKind.MICROSECONDS))
    assert clips(fresh_sandbox, creator)[0]["taken_at"] == seconds * 1_000_000
    post = tiktok_posts(fresh_sandbox, creator_of(fresh_sandbox, "TikTok"))["data"]["itemList"][0]
    assert int(post["id"]) >> 32 == post["createTime"] // 1_000_000


def test_an_account_that_became_private_lists_nothing_and_only_its_profile_says_so(
    fresh_sandbox: SandboxClient,
) -> None:
    creator = creator_of(fresh_sandbox, "TikTok")
    fresh_sandbox.server.add_fault(Fault(FaultKind.BECAME_PRIVATE, creator=creator.username))
    posts = tiktok_posts(fresh_sandbox, creator)["data"]
    assert (posts["itemList"], posts["hasMore"], posts["statusCode"]) == ([], False, 0)
    profile = fresh_sandbox.tiktok("info", uniqueId=creator.username).json()
    assert (profile["statusCode"], profile["userInfo"]["user"]["privateAccount"]) == (0, True)


def test_a_private_profile_comes_whole_beside_its_code(fresh_sandbox: SandboxClient) -> None:
    creator = creator_of(fresh_sandbox, "TikTok", CreatorKind.PRIVATE)
    fresh_sandbox.server.add_fault(Fault(FaultKind.PRIVATE_PROFILE_WITH_CODE, creator=creator.username))
    profile = fresh_sandbox.tiktok("info", uniqueId=creator.username).json()
    assert (profile["statusCode"], profile["userInfo"]["user"]["id"]) == (10222, creator.external_id)


REFUSALS: list[tuple[FaultKind, str, int, str]] = [
    (FaultKind.PLAYLIST_NOT_FOUND, "YouTube", 404, "playlistNotFound"),
    (FaultKind.PROJECT_SUSPENDED, "YouTube", 403, "CONSUMER_SUSPENDED"),
    (FaultKind.REFERER_BLOCKED, "YouTube", 403, "Requests from referer"),
    (FaultKind.UNREGISTERED_CALLER, "YouTube", 403, "unregistered callers"),
    (FaultKind.RESTRICTED_USER, "TikTok", 403, "Restricted user"),
    (FaultKind.ENTRIES_NOT_FOUND, "Instagram", 404, "Entries not found"),
    (FaultKind.WAIT_A_FEW_MINUTES, "Instagram", 401, "Please wait a few minutes"),
    (FaultKind.CHALLENGE_REQUIRED, "Instagram", 400, "challenge_required"),
    *((FaultKind.UNKNOWN_REFUSAL, platform, 403, "cannot be served") for platform in ("TikTok", "YouTube")),
    (FaultKind.UNKNOWN_REFUSAL, "Instagram", 409, "cannot be served"),
    *((FaultKind.AUTOMATED_QUERIES, name, 403, "automated queries") for name in ("TikTok", "Instagram", "YouTube")),
]


def request(client: SandboxClient, platform: str) -> requests.Response:
    calls: dict[str, Callable[[], requests.Response]] = {
        "TikTok": lambda: client.tiktok("info", uniqueId="x"),
        "Instagram": lambda: client.instagram("clips", user_id="1"),
        "YouTube": lambda: client.youtube("channels", id="x"),
    }
    return calls[platform]()


@pytest.mark.parametrize(("kind", "platform", "status", "text"), REFUSALS)
def test_a_refusal_has_the_platforms_status_and_words(
    fresh_sandbox: SandboxClient, kind: FaultKind, platform: str, status: int, text: str
) -> None:
    fresh_sandbox.server.add_fault(Fault(kind, platform=platform))
    response = request(fresh_sandbox, platform)
    assert response.status_code == status
    assert text in response.text


def test_a_referer_block_states_no_reason_but_in_words(fresh_sandbox: SandboxClient) -> None:
    fresh_sandbox.server.add_fault(Fault(FaultKind.REFERER_BLOCKED))
    error = request(fresh_sandbox, "YouTube").json()["error"]
    assert "errors" not in error
    assert not any("reason" in detail for detail in error["details"])


def test_a_redirect_leads_to_a_page_of_another_host(fresh_sandbox: SandboxClient) -> None:
    fresh_sandbox.server.add_fault(Fault(FaultKind.SORRY_REDIRECT))
    response = request(fresh_sandbox, "Instagram")
    assert response.status_code == 302
    assert "/sorry/" in response.headers["Location"]


def test_a_fault_on_one_creators_list_does_not_change_the_list_of_another(fresh_sandbox: SandboxClient) -> None:
    one, other = fresh_sandbox.server.world.creator("TikTok", 0), fresh_sandbox.server.world.creator("TikTok", 1)
    before = tiktok_posts(fresh_sandbox, other)
    fresh_sandbox.server.add_fault(Fault(FaultKind.ZERO_VIEWS, creator=one.username))
    tiktok_posts(fresh_sandbox, one)
    assert tiktok_posts(fresh_sandbox, other) == before


def test_a_distortion_of_another_platform_is_501(fresh_sandbox: SandboxClient) -> None:
    fresh_sandbox.server.add_fault(Fault(FaultKind.NO_MEDIA_TYPE))
    assert request(fresh_sandbox, "TikTok").status_code == 501


def test_an_error_is_returned_unchanged(fresh_sandbox: SandboxClient) -> None:
    fresh_sandbox.server.add_fault(Fault(FaultKind.ZERO_VIEWS))
    assert request(fresh_sandbox, "Instagram").status_code == 404


def test_a_channel_is_found_by_its_handles_in_other_scripts_and_its_profile_names_them(sandbox: SandboxClient) -> None:
    creator = sandbox.server.world.creator("YouTube", 5)
    handles = handles_in_other_scripts(creator)
    for handle in handles.values():
        channel = sandbox.youtube("channels", forHandle=f"@{handle}").json()["items"][0]
        assert (channel["id"], channel["snippet"]["customUrl"]) == (creator.external_id, f"@{handle}")
    by_name = sandbox.youtube("channels", forHandle=creator.username).json()["items"][0]
    assert by_name["snippet"]["customUrl"] == f"@{creator.username}"
    assert sandbox.server.world.find("TikTok", handles["Thai"]) is None
