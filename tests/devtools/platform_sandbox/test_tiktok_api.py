from __future__ import annotations

from itertools import chain, islice

import pytest

from devtools.platform_sandbox import CreatorKind
from tests.support.sandbox_client import NOON, SandboxClient


def test_a_profile_has_the_creators_id_and_sec_uid(sandbox: SandboxClient) -> None:
    creator = sandbox.server.world.creator("TikTok", 0)
    user = sandbox.tiktok("info", uniqueId=creator.username).json()["userInfo"]["user"]
    assert (user["id"], user["secUid"], user["uniqueId"]) == (creator.external_id, creator.sec_id, creator.username)
    assert user["privateAccount"] is False


def test_a_renamed_creator_is_unknown_by_the_former_name_and_listed_by_sec_uid(sandbox: SandboxClient) -> None:
    creator = next(sandbox.server.world.creators("TikTok", CreatorKind.RENAMED))
    assert sandbox.tiktok("info", uniqueId=creator.former_username).json()["statusCode"] == 10221
    item = next(sandbox.tiktok_pages(creator))["itemList"][0]
    assert item["author"]["uniqueId"] == creator.username


def test_a_full_page_has_about_100_kilobytes(sandbox: SandboxClient) -> None:
    creator = sandbox.server.world.creator("TikTok", 0)
    response = sandbox.tiktok("posts", secUid=creator.sec_id, count=35, cursor=0)
    assert len(response.json()["data"]["itemList"]) == 30
    assert 80_000 < len(response.content) < 120_000


def test_the_pages_list_every_video_and_repeat_less_than_one_a_page(sandbox: SandboxClient) -> None:
    for creator in islice(sandbox.server.world.creators("TikTok", CreatorKind.NORMAL), 20):
        pages = [page["itemList"] for page in sandbox.tiktok_pages(creator)]
        size = sandbox.tiktok("info", uniqueId=creator.username).json()["userInfo"]["stats"]["videoCount"]
        items = list(chain.from_iterable(pages))
        repeated = len(items) - size
        assert 0 <= repeated < len(pages)
        readable = {item["id"] for item in items if "id" in item}
        assert size - 10 < len(readable) <= size


def test_traps_occur_among_ordinary_creators(sandbox: SandboxClient) -> None:
    creators = islice(sandbox.server.world.creators("TikTok", CreatorKind.NORMAL), 40)
    pages = [list(sandbox.tiktok_pages(creator)) for creator in creators]
    flat = [page for of_creator in pages for page in of_creator]
    items = [item for page in flat for item in page["itemList"]]
    assert any(len(page["itemList"]) < 30 and page["hasMore"] for page in flat), "short pages"
    assert any(not page["itemList"] for page in flat), "empty pages after a page that promised more"
    assert any("id" not in item for item in items), "malformed entries"
    assert any("imagePost" in item for item in items), "photo posts"
    assert any(int(item["statsV2"]["playCount"]) < 0 for item in items if "id" in item), "overflowing counters"
    assert {type(item["createTime"]) for item in items if "id" in item} == {int, str}
    assert any("diggCount" not in item["statsV2"] for item in items if "id" in item), "hidden likes"


def test_pinned_videos_come_first_out_of_date_order(sandbox: SandboxClient) -> None:
    creator = next(sandbox.server.world.creators("TikTok", CreatorKind.PINS))
    items = next(sandbox.tiktok_pages(creator))["itemList"]
    times = [int(item["createTime"]) for item in items if "id" in item]
    assert [bool(item.get("isPinnedItem")) for item in items[:4]] == [True, True, True, False]
    assert times != sorted(times, reverse=True)


def test_a_video_id_has_19_digits_and_begins_with_the_second_of_publication(sandbox: SandboxClient) -> None:
    items = next(sandbox.tiktok_pages(sandbox.server.world.creator("TikTok", 0)))["itemList"]
    for item in (item for item in items if "id" in item):
        assert len(item["id"]) == 19
        assert int(item["id"]) >> 32 == int(item["createTime"])


@pytest.mark.parametrize(("kind", "codes"), [(CreatorKind.PRIVATE, {10222}), (CreatorKind.GONE, {10221, 10202, 10204})])
def test_an_error_about_a_user_is_a_code_in_a_200_body(
    sandbox: SandboxClient, kind: CreatorKind, codes: set[int]
) -> None:
    creators = islice(sandbox.server.world.creators("TikTok", kind), 3)
    responses = [sandbox.tiktok("posts", secUid=creator.sec_id, cursor=0) for creator in creators]
    assert {response.status_code for response in responses} == {200}
    assert {response.json()["statusCode"] for response in responses} == codes


def test_a_private_profile_is_marked_as_private(sandbox: SandboxClient) -> None:
    creator = next(sandbox.server.world.creators("TikTok", CreatorKind.PRIVATE))
    assert sandbox.tiktok("info", uniqueId=creator.username).json()["userInfo"]["user"]["privateAccount"] is True


def test_an_empty_creator_has_an_empty_list(sandbox: SandboxClient) -> None:
    creator = next(sandbox.server.world.creators("TikTok", CreatorKind.EMPTY))
    data = sandbox.tiktok("posts", secUid=creator.sec_id, cursor=0).json()["data"]
    assert (data["itemList"], data["hasMore"], data["statusCode"]) == ([], False, 0)


def test_a_missing_key_is_401_and_an_invalid_key_is_403(sandbox: SandboxClient) -> None:
    url = f"{sandbox.server.tiktok_url}/api/user/info"
    assert sandbox.get(url, {"x-rapidapi-key": None}).status_code == 401
    rejected = sandbox.get(url, {"x-rapidapi-key": "invalid-key"})
    assert (rejected.status_code, rejected.json()) == (403, {"message": "You are not subscribed to this API."})


def test_a_response_has_the_simulated_time(sandbox: SandboxClient) -> None:
    creator = sandbox.server.world.creator("TikTok", 0)
    assert sandbox.tiktok("info", uniqueId=creator.username).json()["extra"]["now"] == NOON.timestamp() * 1000
