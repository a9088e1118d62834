from __future__ import annotations

from itertools import chain, islice

import pytest

from devtools.platform_sandbox import CreatorKind
from tests.support.sandbox_client import NOON, SandboxClient


def test_a_profile_has_the_ids_that_survive_a_rename(shared: SandboxClient) -> None:
    creator = shared.server.world.creator("TikTok", 0)
    user = shared.tiktok("info", uniqueId=creator.username).json()["userInfo"]["user"]
    assert (user["id"], user["secUid"], user["uniqueId"]) == (creator.external_id, creator.sec_id, creator.username)
    assert user["privateAccount"] is False


def test_a_renamed_creator_is_unknown_by_the_former_name_and_listed_by_sec_uid(shared: SandboxClient) -> None:
    creator = next(shared.server.world.creators("TikTok", CreatorKind.RENAMED))
    assert shared.tiktok("info", uniqueId=creator.former_username).json()["statusCode"] == 10221
    item = next(shared.tiktok_pages(creator))["itemList"][0]
    assert item["author"]["uniqueId"] == creator.username


def test_a_full_page_weighs_about_a_hundred_kilobytes(shared: SandboxClient) -> None:
    creator = shared.server.world.creator("TikTok", 0)
    answer = shared.tiktok("posts", secUid=creator.sec_id, count=35, cursor=0)
    assert len(answer.json()["data"]["itemList"]) == 30
    assert 80_000 < len(answer.content) < 120_000


def test_pages_together_list_every_readable_video_once_repeated_ones_aside(shared: SandboxClient) -> None:
    for creator in islice(shared.server.world.creators("TikTok", CreatorKind.NORMAL), 20):
        pages = [page["itemList"] for page in shared.tiktok_pages(creator)]
        size = shared.tiktok("info", uniqueId=creator.username).json()["userInfo"]["stats"]["videoCount"]
        items = list(chain.from_iterable(pages))
        repeated = len(items) - size
        assert 0 <= repeated < len(pages)
        readable = {item["id"] for item in items if "id" in item}
        assert size - 10 < len(readable) <= size


def test_traps_occur_among_ordinary_creators(shared: SandboxClient) -> None:
    creators = islice(shared.server.world.creators("TikTok", CreatorKind.NORMAL), 40)
    pages = [list(shared.tiktok_pages(creator)) for creator in creators]
    flat = [page for of_creator in pages for page in of_creator]
    items = [item for page in flat for item in page["itemList"]]
    assert any(len(page["itemList"]) < 30 and page["hasMore"] for page in flat), "short pages"
    assert any(not page["itemList"] for page in flat), "a promise of more that was not kept"
    assert any("id" not in item for item in items), "malformed entries"
    assert any("imagePost" in item for item in items), "photo posts"
    assert any(int(item["statsV2"]["playCount"]) < 0 for item in items if "id" in item), "overflown counters"
    assert {type(item["createTime"]) for item in items if "id" in item} == {int, str}
    assert any("diggCount" not in item["statsV2"] for item in items if "id" in item), "hidden likes"


def test_pinned_videos_come_first_out_of_date_order(shared: SandboxClient) -> None:
    creator = next(shared.server.world.creators("TikTok", CreatorKind.PINS))
    items = next(shared.tiktok_pages(creator))["itemList"]
    times = [int(item["createTime"]) for item in items if "id" in item]
    assert [bool(item.get("isPinnedItem")) for item in items[:4]] == [True, True, True, False]
    assert times != sorted(times, reverse=True)


def test_an_id_has_19_digits_and_begins_with_the_second_of_publication(shared: SandboxClient) -> None:
    items = next(shared.tiktok_pages(shared.server.world.creator("TikTok", 0)))["itemList"]
    for item in (item for item in items if "id" in item):
        assert len(item["id"]) == 19
        assert int(item["id"]) >> 32 == int(item["createTime"])


@pytest.mark.parametrize(("kind", "codes"), [(CreatorKind.PRIVATE, {10222}), (CreatorKind.GONE, {10221, 10202, 10204})])
def test_trouble_with_a_user_is_a_code_in_a_200_body(shared: SandboxClient, kind: CreatorKind, codes: set[int]) -> None:
    creators = islice(shared.server.world.creators("TikTok", kind), 3)
    answers = [shared.tiktok("posts", secUid=creator.sec_id, cursor=0) for creator in creators]
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["statusCode"] for answer in answers} == codes


def test_a_private_profile_says_so(shared: SandboxClient) -> None:
    creator = next(shared.server.world.creators("TikTok", CreatorKind.PRIVATE))
    assert shared.tiktok("info", uniqueId=creator.username).json()["userInfo"]["user"]["privateAccount"] is True


def test_an_empty_creator_has_an_empty_list(shared: SandboxClient) -> None:
    creator = next(shared.server.world.creators("TikTok", CreatorKind.EMPTY))
    data = shared.tiktok("posts", secUid=creator.sec_id, cursor=0).json()["data"]
    assert (data["itemList"], data["hasMore"], data["statusCode"]) == ([], False, 0)


def test_without_a_key_and_with_a_bad_one_the_gateway_refuses(shared: SandboxClient) -> None:
    url = f"{shared.server.tiktok_url}/api/user/info"
    assert shared.get(url, {"x-rapidapi-key": None}).status_code == 401
    refused = shared.get(url, {"x-rapidapi-key": "invalid-key"})
    assert (refused.status_code, refused.json()) == (403, {"message": "You are not subscribed to this API."})


def test_the_clock_stands_at_noon(shared: SandboxClient) -> None:
    creator = shared.server.world.creator("TikTok", 0)
    assert shared.tiktok("info", uniqueId=creator.username).json()["extra"]["now"] == NOON.timestamp() * 1000
