"""TikTok client: the web shape and the app shape, wrapped or not (docs/platforms.md)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from blogger_tracking.domain.models import BloggerProfile, CommonVideo, Platform, VideoStatistics
from blogger_tracking.domain.platform_errors import ErrorKind, PlatformError
from blogger_tracking.platforms import PlatformService
from blogger_tracking.platforms.json_values import Json
from tests.support.platform_accounts import ACCOUNTS
from tests.support.scripted_server import Scripted, ScriptedServer

Body = Callable[[str], Json]

MIRA = ACCOUNTS[Platform.TIKTOK]
WITHOUT_SEC_ID = MIRA.model_copy(update={"sec_id": None})
NEWEST = "7301234567890123009"
END: dict[str, Json] = {"data": {"itemList": [], "cursor": "0", "hasMore": False, "statusCode": 0}}


@pytest.fixture
def service(connect: Callable[[Platform], PlatformService]) -> PlatformService:
    return connect(Platform.TIKTOK)


@pytest.fixture
def tiktok(body: Callable[[Platform, str], Json]) -> Body:
    return lambda name: body(Platform.TIKTOK, name)


def listed(service: PlatformService, target_count: int = 30) -> dict[str, CommonVideo]:
    return {video.external_video_id: video for video in service.get_user_videos_batch(MIRA, target_count)}


@pytest.mark.parametrize("wrap", [lambda response: response, lambda response: {"data": response}])
def test_a_profile_is_read_wrapped_or_not(
    wrap: Callable[[Json], Json], service: PlatformService, platform_server: ScriptedServer, tiktok: Body
) -> None:
    platform_server.play(wrap(tiktok("user_info")))
    assert service.get_user_info("@mira.renamed") == BloggerProfile(
        platform=Platform.TIKTOK,
        external_id=MIRA.external_id,
        sec_id=MIRA.sec_id,
        username="mira.renamed",
        channel_name="Mira Invents",
        subscribers=128_437,
        thumbnail_url="https://p16.invalid/mira-large.jpeg",
        video_count=321,
    )
    assert (platform_server.asked[0].path, platform_server.queries) == (
        "/api/user/info",
        [{"uniqueId": "mira.renamed"}],
    )


def test_a_private_profile_is_marked_private(
    service: PlatformService, platform_server: ScriptedServer, tiktok: Body
) -> None:
    private = tiktok("user_info")
    private["userInfo"]["user"]["privateAccount"] = True
    platform_server.play(private)
    assert service.get_user_info("mira.renamed").is_private


def test_an_empty_user_info_is_malformed_not_not_found(
    service: PlatformService, platform_server: ScriptedServer
) -> None:
    platform_server.play({"userInfo": {}, "statusCode": 0})
    with pytest.raises(PlatformError) as raised:
        service.get_user_info("mira.renamed")
    assert raised.value.kind is ErrorKind.MALFORMED_RESPONSE


def test_the_web_shape_is_read(service: PlatformService, platform_server: ScriptedServer, tiktok: Body) -> None:
    platform_server.play(tiktok("posts_web_wrapped"), END)
    assert listed(service)[NEWEST] == CommonVideo(
        external_video_id=NEWEST,
        platform=Platform.TIKTOK,
        video_url=f"https://www.tiktok.com/@mira.renamed/video/{NEWEST}",
        title="Soup for two #soup",
        thumbnail_url="https://p16.invalid/9-cover.jpeg?x-expires=1773200000",
        published_at=datetime(2026, 3, 10, 12, tzinfo=UTC),
        statistics=VideoStatistics(external_video_id=NEWEST, views=48_213, likes=3_107, comments=40, reposts=15),
    )
    first = {"secUid": MIRA.sec_id, "count": "35", "cursor": "0"}
    assert platform_server.queries == [first, first | {"cursor": "1772798400000"}]
    assert platform_server.asked[0].path == "/api/user/posts"


@pytest.mark.parametrize("wrap", [lambda response: response, lambda response: {"data": response}])
@pytest.mark.parametrize("shape", ["posts_web_bare", "posts_app"])
def test_the_app_shape_and_bare_lists_give_the_same_videos(
    shape: str,
    wrap: Callable[[Json], Json],
    service: PlatformService,
    platform_server: ScriptedServer,
    tiktok: Body,
) -> None:
    platform_server.play(wrap(tiktok(shape)), END)
    video = listed(service)[NEWEST]
    assert video.statistics == VideoStatistics(
        external_video_id=NEWEST, views=48_213, likes=3_107, comments=40, reposts=15
    )
    assert video.video_url == f"https://www.tiktok.com/@mira.renamed/video/{NEWEST}"
    assert video.published_at == datetime(2026, 3, 10, 12, tzinfo=UTC)
    assert (video.thumbnail_url or "").startswith("https://p16.invalid/9-cover.jpeg")
    assert platform_server.queries[1]["cursor"] == "1772798400000"


def test_photos_ads_cards_and_malformed_entries_are_counted_and_the_videos_are_kept(
    service: PlatformService, platform_server: ScriptedServer, tiktok: Body
) -> None:
    platform_server.play(tiktok("posts_web_wrapped"), END)
    batch = service.get_user_videos_batch(MIRA, 30)
    assert len(batch) == 4
    assert batch.skipped == {"photo": 1, "foreign": 1, "not_a_video": 1, "malformed": 1}


@pytest.mark.parametrize("shape", ["posts_web_wrapped", "posts_app"])
def test_a_pinned_item_does_not_displace_a_newer_one(
    shape: str, service: PlatformService, platform_server: ScriptedServer, tiktok: Body
) -> None:
    platform_server.play(tiktok(shape), END)
    assert list(listed(service, target_count=1)) == [NEWEST]


def test_pinned_items_do_not_count_toward_the_target(
    service: PlatformService, platform_server: ScriptedServer, tiktok: Body
) -> None:
    first, second = tiktok("posts_web_wrapped"), tiktok("posts_web_wrapped")
    pinned, newest, *_, earlier = first["data"]["itemList"]
    first["data"]["itemList"], second["data"]["itemList"] = [pinned, newest], [earlier]
    platform_server.play(first, second)
    assert list(listed(service, target_count=2)) == [newest["id"], earlier["id"]]


def test_a_cursor_back_to_the_start_ends_the_list(
    service: PlatformService, platform_server: ScriptedServer, tiktok: Body
) -> None:
    page = tiktok("posts_web_wrapped")
    page["data"]["cursor"] = "0"
    platform_server.play(page)
    assert len(listed(service)) == 4
    assert len(platform_server.asked) == 1


def test_an_overflowed_counter_is_unknown(
    service: PlatformService, platform_server: ScriptedServer, tiktok: Body
) -> None:
    platform_server.play(tiktok("posts_web_wrapped"), END)
    overflown = listed(service)["7301234567890123007"].statistics
    assert overflown == VideoStatistics(
        external_video_id="7301234567890123007", views=None, likes=12, comments=0, reposts=1
    )


def test_without_exact_counters_the_rounded_ones_are_used(
    service: PlatformService, platform_server: ScriptedServer, tiktok: Body
) -> None:
    platform_server.play(tiktok("posts_web_wrapped"), END)
    video = listed(service)["7301234567890123005"]
    assert video.statistics is not None
    assert video.statistics.views == 48_200
    assert video.thumbnail_url == "https://p16.invalid/5-origin.jpeg"
    assert video.video_url == "https://www.tiktok.com/@mira.invented/video/7301234567890123005"


def test_an_id_beyond_2_to_the_53_keeps_all_its_digits(
    service: PlatformService, platform_server: ScriptedServer, tiktok: Body
) -> None:
    app = tiktok("posts_app")
    assert app["aweme_list"][1]["id"] != int(NEWEST)
    platform_server.play(app, END)
    assert NEWEST in listed(service)


@pytest.mark.parametrize(
    "response",
    [
        END,
        {"itemList": [], "hasMore": False, "statusCode": 0},
        {"aweme_list": None, "has_more": 0, "max_cursor": 0, "status_code": 0},
        {"data": [], "nextCursor": None},
    ],
)
def test_an_account_without_videos_is_an_empty_batch(
    response: dict[str, Json], service: PlatformService, platform_server: ScriptedServer, tiktok: Body
) -> None:
    profile = tiktok("user_info")
    profile["userInfo"] |= {"stats": {"videoCount": 0}, "statsV2": {"videoCount": "0"}}
    platform_server.play(response, profile)
    batch = service.get_user_videos_batch(MIRA, 30)
    assert (list(batch), batch.interrupted_by, batch.sec_id) == ([], None, None)
    assert [asked.path for asked in platform_server.asked] == ["/api/user/posts", "/api/user/info"]


def test_an_empty_list_of_an_account_that_became_private_is_private(
    service: PlatformService, platform_server: ScriptedServer, tiktok: Body
) -> None:
    profile = tiktok("user_info")
    profile["userInfo"]["user"]["privateAccount"] = True
    platform_server.play(END, profile)
    with pytest.raises(PlatformError) as raised:
        service.get_user_videos_batch(MIRA, 30)
    assert raised.value.kind is ErrorKind.PRIVATE


def test_an_empty_list_is_not_believed_against_a_profile_with_videos(
    service: PlatformService, platform_server: ScriptedServer, tiktok: Body
) -> None:
    profile = tiktok("user_info")
    profile["userInfo"]["statsV2"]["videoCount"] = "21"
    platform_server.play(END, profile)
    with pytest.raises(PlatformError, match="21 videos") as raised:
        service.get_user_videos_batch(MIRA, 30)
    assert raised.value.kind is ErrorKind.INCOMPLETE_LIST


@pytest.mark.parametrize("profile", [{"statusCode": 10221}, {"userInfo": {"user": {"id": "1", "uniqueId": "taken"}}}])
def test_the_profile_of_another_account_says_nothing_about_an_empty_list(
    profile: Json, service: PlatformService, platform_server: ScriptedServer
) -> None:
    platform_server.play(END, profile)
    batch = service.get_user_videos_batch(MIRA, 30)
    assert (list(batch), batch.interrupted_by) == ([], None)


def post(number: int, author: str = MIRA.external_id, **flags: bool) -> dict[str, Json]:
    """Create a post in the web shape; the higher the number, the newer the post."""
    return {
        "id": str(7_300_000_000_000_000_000 + number),
        "desc": f"post {number}",
        "createTime": 1_772_000_000 + 86_400 * number,
        "author": {"id": author, "uniqueId": "mira.invented"},
        "video": {"cover": f"https://p16.invalid/{number}.jpeg"},
        **flags,
    }


def numbers(batch: list[CommonVideo]) -> list[int]:
    return [int(video.external_video_id) - 7_300_000_000_000_000_000 for video in batch]


@pytest.mark.parametrize("flag", ["isAd", "is_ads"])
def test_an_advertisement_is_told_by_its_author_and_not_by_its_flag(
    flag: str, service: PlatformService, platform_server: ScriptedServer
) -> None:
    items = [post(9, MIRA.external_id, **{flag: True}), post(8), post(7, "6900000000000000002", **{flag: True})]
    platform_server.play({"itemList": items, "hasMore": False})
    batch = service.get_user_videos_batch(MIRA, 30)
    assert (numbers(batch), batch.skipped) == ([9, 8], {"foreign": 1})


def test_an_entry_of_another_account_among_own_ones_is_foreign_without_a_flag_and_an_advertisement_without_an_author(
    service: PlatformService, platform_server: ScriptedServer
) -> None:
    nameless = post(6, isAd=True) | {"author": None}
    platform_server.play({"itemList": [post(9), post(8, "6900000000000000002"), nameless], "hasMore": False})
    batch = service.get_user_videos_batch(MIRA, 30)
    assert (numbers(batch), batch.skipped) == ([9], {"foreign": 2})


def test_an_account_whose_only_post_is_promoted_is_not_empty(
    service: PlatformService, platform_server: ScriptedServer
) -> None:
    platform_server.play({"itemList": [post(9, isAd=True)], "hasMore": False})
    assert numbers(service.get_user_videos_batch(MIRA, 30)) == [9]


def test_advertisements_of_others_alone_prove_no_empty_account(
    service: PlatformService, platform_server: ScriptedServer
) -> None:
    platform_server.play({"itemList": [post(9, author="6900000000000000002", isAd=True)], "hasMore": False})
    batch = service.get_user_videos_batch(MIRA, 30)
    assert list(batch) == []
    assert batch.interrupted_by is not None
    assert batch.interrupted_by.kind is ErrorKind.INCOMPLETE_LIST


def test_an_account_stored_under_another_id_keeps_its_posts(
    service: PlatformService, platform_server: ScriptedServer
) -> None:
    stored = MIRA.model_copy(update={"external_id": "mira.invented", "sec_id": MIRA.sec_id})
    platform_server.play({"itemList": [post(9), post(8)], "hasMore": False})
    assert numbers(service.get_user_videos_batch(stored, 30)) == [9, 8]


def test_an_empty_page_in_the_middle_is_followed(service: PlatformService, platform_server: ScriptedServer) -> None:
    platform_server.play(
        {"data": {"itemList": [post(9), post(8)], "cursor": "1", "hasMore": True}},
        {"data": {"itemList": [], "cursor": "2", "hasMore": True}},
        {"data": {"itemList": [post(7)], "cursor": "3", "hasMore": False}},
    )
    assert numbers(service.get_user_videos_batch(MIRA, 30)) == [9, 8, 7]


def test_a_list_directly_under_data_is_read_and_its_cursor_followed(
    service: PlatformService, platform_server: ScriptedServer
) -> None:
    platform_server.play({"data": [post(9)], "nextCursor": "1"}, {"data": [post(8)], "nextCursor": None})
    assert numbers(service.get_user_videos_batch(MIRA, 30)) == [9, 8]
    assert platform_server.queries[1]["cursor"] == "1"


@pytest.mark.parametrize("code", [0, 10222])
def test_a_private_profile_that_comes_whole_is_read_whatever_its_code(
    code: int, service: PlatformService, platform_server: ScriptedServer, tiktok: Body
) -> None:
    profile = tiktok("user_info") | {"statusCode": code, "statusMsg": "user is private"}
    profile["userInfo"]["user"]["privateAccount"] = True
    platform_server.play(profile)
    assert service.get_user_info("mira.renamed").is_private


def test_the_code_of_a_private_account_without_a_profile_is_private(
    service: PlatformService, platform_server: ScriptedServer
) -> None:
    platform_server.play({"statusCode": 10222, "userInfo": {}})
    with pytest.raises(PlatformError) as raised:
        service.get_user_info("mira.renamed")
    assert raised.value.kind is ErrorKind.PRIVATE


@pytest.mark.parametrize(
    "response",
    [
        {"data": {"hasMore": False, "cursor": "0", "statusCode": 0}},
        {"statusCode": 0, "status_msg": ""},
        {"itemList": None, "hasMore": True},
        {"itemList": "none", "hasMore": False},
        {"itemList": [], "cursor": "0"},
        {"data": []},
        {"itemList": [{"desc": "no id"}, {"renamed_id": "1"}], "hasMore": False},
    ],
)
def test_a_body_without_a_readable_list_is_never_an_empty_account(
    response: dict[str, Json], service: PlatformService, platform_server: ScriptedServer
) -> None:
    platform_server.play(response)
    with pytest.raises(PlatformError) as raised:
        service.get_user_videos_batch(MIRA, 30)
    assert raised.value.kind is ErrorKind.MALFORMED_RESPONSE


@pytest.mark.parametrize("response", [{"itemList": []}, {"itemList": [], "cursor": "0"}, {"data": []}])
def test_an_empty_list_that_does_not_say_whether_there_is_more_is_malformed_whatever_the_profile_says(
    response: dict[str, Json], service: PlatformService, platform_server: ScriptedServer
) -> None:
    platform_server.play(response, response, response, {"statusCode": 10221})
    with pytest.raises(PlatformError) as raised:
        service.get_user_videos_batch(MIRA, 30)
    assert raised.value.kind is ErrorKind.MALFORMED_RESPONSE


def test_a_missing_sec_id_is_looked_up_once_and_returned_with_the_batch(
    service: PlatformService, platform_server: ScriptedServer, tiktok: Body
) -> None:
    platform_server.play(tiktok("user_info"), tiktok("posts_web_wrapped"), END)
    batch = service.get_user_videos_batch(WITHOUT_SEC_ID, 30)
    assert batch.sec_id == MIRA.sec_id
    assert platform_server.queries[0] == {"uniqueId": "mira.invented"}
    assert [asked.get("secUid") for asked in platform_server.queries[1:]] == [MIRA.sec_id] * 2


def test_a_known_sec_id_is_not_looked_up(service: PlatformService, platform_server: ScriptedServer) -> None:
    platform_server.play({"itemList": [post(9)], "hasMore": False})
    assert service.get_user_videos_batch(MIRA, 30).sec_id is None
    assert [asked.path for asked in platform_server.asked] == ["/api/user/posts"]


def test_a_username_taken_over_by_another_account_is_not_listed(
    service: PlatformService, platform_server: ScriptedServer, tiktok: Body
) -> None:
    other_account = tiktok("user_info")
    other_account["userInfo"]["user"]["id"] = "6800000000000000999"
    platform_server.play(other_account, tiktok("posts_web_wrapped"))
    with pytest.raises(PlatformError, match="another account") as raised:
        service.get_user_videos_batch(WITHOUT_SEC_ID, 30)
    assert raised.value.kind is ErrorKind.NOT_FOUND
    assert len(platform_server.asked) == 1


@pytest.mark.parametrize(
    ("changed", "kind"), [({"privateAccount": True}, ErrorKind.PRIVATE), ({"secUid": ""}, ErrorKind.MALFORMED_RESPONSE)]
)
def test_a_looked_up_profile_that_cannot_be_listed_raises_the_reason(
    changed: dict[str, Json], kind: ErrorKind, service: PlatformService, platform_server: ScriptedServer, tiktok: Body
) -> None:
    profile = tiktok("user_info")
    profile["userInfo"]["user"] |= changed
    platform_server.play(profile)
    with pytest.raises(PlatformError) as raised:
        service.get_user_videos_batch(WITHOUT_SEC_ID, 30)
    assert raised.value.kind is kind


def test_an_account_without_sec_id_and_username_is_refused_without_a_request(
    service: PlatformService, platform_server: ScriptedServer
) -> None:
    with pytest.raises(PlatformError) as raised:
        service.get_user_videos_batch(WITHOUT_SEC_ID.model_copy(update={"username": ""}), 30)
    assert raised.value.kind is ErrorKind.BAD_REQUEST
    assert platform_server.asked == []


def test_a_private_account_is_private_not_empty(service: PlatformService, platform_server: ScriptedServer) -> None:
    platform_server.play({"data": {"statusCode": 10222, "itemList": [], "hasMore": False}})
    with pytest.raises(PlatformError) as raised:
        service.get_user_videos_batch(MIRA, 30)
    assert raised.value.kind is ErrorKind.PRIVATE


def test_a_block_on_the_second_page_keeps_the_first_page(
    service: PlatformService, platform_server: ScriptedServer, tiktok: Body
) -> None:
    platform_server.play(tiktok("posts_web_wrapped"), Scripted({"statusCode": -1}))
    batch = service.get_user_videos_batch(MIRA, 30)
    assert len(batch) == 4
    assert batch.interrupted_by is not None
    assert batch.interrupted_by.kind is ErrorKind.BLOCKED
