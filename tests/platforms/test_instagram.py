"""Instagram client: envelopes of v2, v1 and the private API, clips and posts as one list (docs/platforms.md)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blogger_tracking.domain.alerts import ALERTS_LOGGER
from blogger_tracking.domain.models import BloggerProfile, CommonVideo, Platform, VideoStatistics
from blogger_tracking.domain.platform_errors import ErrorKind, PlatformError
from blogger_tracking.platforms import PlatformService
from blogger_tracking.platforms.instagram import SHORTCODE_ALPHABET, media_number, shortcode
from blogger_tracking.platforms.json_values import Json
from tests.support.platform_accounts import ACCOUNTS
from tests.support.scripted_server import Scripted, ScriptedServer

Body = Callable[[str], Json]

MIRA = ACCOUNTS[Platform.INSTAGRAM]
BASE = 3401234567890123000
NO_ENTRIES = Scripted({"detail": "Entries not found", "exc_type": "NotFoundError"}, status=404)
USER_NOT_FOUND = Scripted({"detail": "User not found", "exc_type": "UserNotFound"}, status=404)
END: dict[str, Json] = {"response": {"items": [], "more_available": False}, "next_page_id": None}


def media_id(number: int) -> str:
    return str(BASE + number)


def ids(batch: list[CommonVideo]) -> list[int]:
    return [int(video.external_video_id) - BASE for video in batch]


@pytest.fixture
def service(connect: Callable[[Platform], PlatformService]) -> PlatformService:
    return connect(Platform.INSTAGRAM)


@pytest.fixture
def instagram(body: Callable[[Platform, str], Json]) -> Body:
    return lambda name: body(Platform.INSTAGRAM, name)


@pytest.fixture
def both_lists(service: PlatformService, platform_server: ScriptedServer, instagram: Body) -> dict[int, CommonVideo]:
    """Fetch a page of clips, whose next page is missing, and a page of posts; return the videos by number."""
    platform_server.play(instagram("clips_v2"), NO_ENTRIES, instagram("medias_v2"))
    return {int(video.external_video_id) - BASE: video for video in service.get_user_videos_batch(MIRA, 30)}


def statistics(video: CommonVideo) -> VideoStatistics:
    assert video.statistics is not None
    return video.statistics


@pytest.mark.parametrize("wrap", [lambda response: response, lambda response: {"data": response}])
@pytest.mark.parametrize("shape", ["user_v2", "user_v1"])
def test_a_profile_is_read_flat_or_wrapped(
    shape: str,
    wrap: Callable[[Json], Json],
    service: PlatformService,
    platform_server: ScriptedServer,
    instagram: Body,
) -> None:
    platform_server.play(wrap(instagram(shape)))
    assert service.get_user_info("@mira.invented") == BloggerProfile(
        platform=Platform.INSTAGRAM,
        external_id=MIRA.external_id,
        sec_id=None,
        username="mira.invented",
        channel_name="Mira Invents",
        subscribers=98_123,
        thumbnail_url="https://cdn.instagram.invalid/mira.jpg",
        video_count=321,
    )
    assert platform_server.asked[0].path == "/v2/user/by/username"
    assert platform_server.queries == [{"username": "mira.invented"}]


def test_clips_are_read_first_and_posts_add_the_videos_that_are_not_reels(
    service: PlatformService, platform_server: ScriptedServer, instagram: Body
) -> None:
    platform_server.play(instagram("clips_v2"), NO_ENTRIES, instagram("medias_v2"))
    batch = service.get_user_videos_batch(MIRA, 30)
    assert ids(batch) == [9, 22, 8, 7, 6, 5, 2, 1]
    assert [asked.path for asked in platform_server.asked] == ["/v2/user/clips"] * 2 + ["/v2/user/medias"]
    assert platform_server.queries[0] == {"user_id": MIRA.external_id}
    assert platform_server.queries[1] == {"user_id": MIRA.external_id, "page_id": "QVFDaW52ZW50ZWQ=="}
    assert (batch.pages, batch.interrupted_by) == (3, None)


def media(number: int, owner: str = MIRA.external_id, **changed: Json) -> dict[str, Json]:
    """Create a reel; the higher the number, the newer the reel."""
    return {
        "pk": media_id(number),
        "id": f"{media_id(number)}_{owner}",
        "code": f"Cinvent{number:03}",
        "media_type": 2,
        "product_type": "clips",
        "taken_at": 1_772_000_000 + 86_400 * number,
        "image_versions2": {"candidates": [{"url": f"https://cdn.instagram.invalid/{number}.jpg"}]},
        "like_count": 60,
        "comment_count": 5,
        "user": {"pk": owner},
        **changed,
    }


def clips(*reels: dict[str, Json], then: str | None = None) -> dict[str, Json]:
    items = [{"media": {"play_count": 2_000, **reel}} for reel in reels]
    paging = {"max_id": then, "more_available": then is not None}
    return {"response": {"items": items, "paging_info": paging}, "next_page_id": then}


def posts(*medias: dict[str, Json], then: str | None = None) -> dict[str, Json]:
    return {"response": {"items": list(medias), "more_available": then is not None}, "next_page_id": then}


def test_reels_that_only_the_posts_have_are_kept_and_the_clips_copy_of_the_others(
    service: PlatformService, platform_server: ScriptedServer
) -> None:
    platform_server.play(clips(media(6)), posts(media(7, owner="4400009999", play_count=None), media(6, play_count=0)))
    batch = service.get_user_videos_batch(MIRA, 30)
    assert ids(batch) == [7, 6]
    assert [statistics(video).views for video in batch] == [None, 2_000]
    assert [video.video_url.split("/")[3] for video in batch] == ["reel", "reel"]


def test_an_account_whose_reels_the_clips_do_not_list_is_not_empty(
    service: PlatformService, platform_server: ScriptedServer
) -> None:
    platform_server.play(NO_ENTRIES, posts(media(9), media(8)))
    assert ids(service.get_user_videos_batch(MIRA, 30)) == [9, 8]


def test_an_empty_page_of_clips_that_promises_more_is_followed(
    service: PlatformService, platform_server: ScriptedServer
) -> None:
    platform_server.play(clips(then="QVFDb25l"), clips(media(9), media(8)), posts())
    assert ids(service.get_user_videos_batch(MIRA, 30)) == [9, 8]


def test_old_reels_at_the_head_that_nothing_marks_as_pinned_take_no_place_of_newer_ones(
    service: PlatformService, platform_server: ScriptedServer
) -> None:
    first = [media(number) for number in (3, 2, 1, *range(60, 51, -1))]
    second = [media(number) for number in range(51, 39, -1)]
    platform_server.play(clips(*first, then="QVFDdHdv"), clips(*second, then="QVFDdHJl"), posts())
    assert ids(service.get_user_videos_batch(MIRA, 12)) == list(range(60, 48, -1))


def test_no_plays_beside_likes_are_unknown_and_none_of_all_are_zero(
    service: PlatformService, platform_server: ScriptedServer
) -> None:
    fresh = media(9, play_count=0, like_count=0, comment_count=0)
    platform_server.play(clips(fresh, media(8, play_count=0, like_count=4_100)), posts())
    assert [statistics(video).views for video in service.get_user_videos_batch(MIRA, 30)] == [0, None]


def test_a_clip_without_a_media_type_is_a_video_and_such_a_post_is_malformed(
    service: PlatformService, platform_server: ScriptedServer
) -> None:
    untyped_post = media(8, media_type=None, product_type="feed")
    platform_server.play(clips(media(9, media_type=None)), posts(untyped_post, media(7)))
    batch = service.get_user_videos_batch(MIRA, 30)
    assert (ids(batch), batch.skipped) == ([9, 7], {"malformed": 1})


@pytest.mark.parametrize("flag", ["ad_id", "is_ad", "injected"])
def test_an_advertisement_is_told_by_its_owner_and_not_by_its_flag(
    flag: str, service: PlatformService, platform_server: ScriptedServer
) -> None:
    own, joint = media(9, **{flag: "1"}), media(8, owner="4400009999", **{flag: "1"})
    joint["coauthor_producers"] = [{"pk": MIRA.external_id}]
    foreign = media(7, owner="4400009999", **{flag: "1"})
    platform_server.play(clips(own, joint, foreign), posts())
    batch = service.get_user_videos_batch(MIRA, 30)
    assert (ids(batch), batch.skipped) == ([9, 8], {"foreign": 1})


def test_a_page_of_html_behind_a_404_is_a_block_and_not_the_end_of_the_list(
    service: PlatformService, platform_server: ScriptedServer
) -> None:
    platform_server.play(clips(media(9), then="QVFDdHdv"), Scripted(b"<html>Sorry</html>", status=404))
    batch = service.get_user_videos_batch(MIRA, 30)
    assert ids(batch) == [9]
    assert batch.interrupted_by is not None
    assert batch.interrupted_by.kind is ErrorKind.BLOCKED


def test_a_reel_in_both_lists_keeps_the_plays_of_the_clips(both_lists: dict[int, CommonVideo]) -> None:
    assert both_lists[9] == CommonVideo(
        external_video_id=media_id(9),
        platform=Platform.INSTAGRAM,
        video_url="https://www.instagram.com/reel/Cinvent009/",
        title="Caption of 009",
        thumbnail_url="https://cdn.instagram.invalid/009.jpg",
        published_at=datetime(2026, 3, 10, 12, tzinfo=UTC),
        statistics=VideoStatistics(external_video_id=media_id(9), views=48_213, likes=1_203, comments=17, reposts=31),
    )


def test_a_video_that_is_not_a_reel_has_a_p_url_and_no_plays(both_lists: dict[int, CommonVideo]) -> None:
    assert both_lists[22].video_url == "https://www.instagram.com/p/Cinvent022/"
    assert statistics(both_lists[22]).views is None


def test_instagrams_own_plays_and_reposts_are_preferred(both_lists: dict[int, CommonVideo]) -> None:
    assert (statistics(both_lists[1]).views, statistics(both_lists[1]).reposts) == (800_000, 5)
    assert (statistics(both_lists[7]).views, statistics(both_lists[7]).reposts) == (0, None)


def test_hidden_likes_are_unknown_and_three_real_likes_are_three(both_lists: dict[int, CommonVideo]) -> None:
    assert statistics(both_lists[8]).likes is None
    assert statistics(both_lists[7]).likes is None
    assert statistics(both_lists[5]).likes == 3


@pytest.mark.parametrize("likes", [-1, None])
def test_likes_of_minus_one_or_null_are_unknown(
    likes: int | None, service: PlatformService, platform_server: ScriptedServer, instagram: Body
) -> None:
    page = instagram("clips_private_api")
    page["items"][0]["media"]["like_count"] = likes
    platform_server.play(page, NO_ENTRIES)
    assert statistics(service.get_user_videos_batch(MIRA, 1)[0]).likes is None


def test_a_caption_may_be_null(both_lists: dict[int, CommonVideo]) -> None:
    assert both_lists[8].title == ""


def test_a_video_shared_with_another_account_is_kept(both_lists: dict[int, CommonVideo]) -> None:
    assert 7 in both_lists


def test_dates_are_read_as_unix_seconds_or_iso(both_lists: dict[int, CommonVideo]) -> None:
    assert both_lists[8].published_at == datetime(2026, 3, 9, 12, tzinfo=UTC)
    assert both_lists[6].published_at == datetime(2026, 3, 7, 12, tzinfo=UTC)


def test_without_a_code_the_url_is_derived_from_the_media_number(both_lists: dict[int, CommonVideo]) -> None:
    assert both_lists[6].video_url == f"https://www.instagram.com/reel/{shortcode(BASE + 6)}/"


def test_a_video_without_code_and_number_is_skipped_with_an_alert(
    service: PlatformService, platform_server: ScriptedServer, instagram: Body, caplog: pytest.LogCaptureFixture
) -> None:
    page = instagram("clips_v2")
    page["response"]["items"][1]["media"] |= {"code": "", "id": "unknown", "pk": "unknown"}
    platform_server.play(page, NO_ENTRIES, END)
    batch = service.get_user_videos_batch(MIRA, 30)
    assert 9 not in ids(batch)
    assert len(batch) == 5
    assert batch.skipped == {"no_address": 1}
    warnings = [record for record in caplog.records if record.name == ALERTS_LOGGER]
    assert [(record.levelno, record.args) for record in warnings] == [(logging.WARNING, ("unknown",))]


def test_photos_carousels_ads_cards_and_malformed_entries_are_counted(
    service: PlatformService, platform_server: ScriptedServer, instagram: Body
) -> None:
    platform_server.play(instagram("clips_v2"), NO_ENTRIES, instagram("medias_v2"))
    batch = service.get_user_videos_batch(MIRA, 30)
    assert batch.skipped == {"photo": 2, "foreign": 1, "not_a_video": 1, "malformed": 1}


def test_pinned_reels_and_posts_do_not_displace_newer_ones(
    service: PlatformService, platform_server: ScriptedServer, instagram: Body
) -> None:
    platform_server.play(instagram("clips_v2"), instagram("medias_v2"))
    assert ids(service.get_user_videos_batch(MIRA, 2)) == [9, 22]


def test_pinned_reels_do_not_count_toward_the_target(
    service: PlatformService, platform_server: ScriptedServer, instagram: Body
) -> None:
    first, second = instagram("clips_v2"), instagram("clips_v2")
    pinned, newest, earlier, *_ = first["response"]["items"]
    first["response"]["items"], second["response"]["items"] = [pinned, newest], [earlier]
    platform_server.play(first, second, NO_ENTRIES)
    assert ids(service.get_user_videos_batch(MIRA, 2)) == [9, 8]


@pytest.mark.parametrize(
    ("clips", "medias"), [("clips_v1_chunk", "medias_v1_chunk"), ("clips_private_api", "medias_private_api")]
)
def test_v1_chunks_and_the_private_envelope_give_the_same_videos(
    clips: str, medias: str, service: PlatformService, platform_server: ScriptedServer, instagram: Body
) -> None:
    platform_server.play(instagram(clips), NO_ENTRIES, instagram(medias), NO_ENTRIES)
    batch = service.get_user_videos_batch(MIRA, 30)
    assert ids(batch) == [9, 22]
    reel, post = batch
    assert (reel.title, reel.thumbnail_url) == ("Caption of 009", "https://cdn.instagram.invalid/009.jpg")
    assert (statistics(reel).views, statistics(post).views) == (48_213, None)
    assert reel.published_at == datetime(2026, 3, 10, 12, tzinfo=UTC)
    assert platform_server.queries[1]["page_id"].startswith("QVFDaW52ZW50ZWQ=")


@pytest.mark.parametrize("ending", [{"next_page_id": None}, {"next_page_id": ""}, {}])
@pytest.mark.parametrize("more", [True, False])
def test_a_null_blank_or_absent_cursor_ends_the_list(
    ending: dict[str, Json], service: PlatformService, platform_server: ScriptedServer, instagram: Body, *, more: bool
) -> None:
    clips = instagram("clips_v2")
    response = {"items": clips["response"]["items"], "paging_info": {"more_available": more}}
    platform_server.play({"response": response} | ending, NO_ENTRIES)
    batch = service.get_user_videos_batch(MIRA, 30)
    assert len(batch) == 6
    # A list that promises more and names no next page is not complete.
    assert (batch.interrupted_by is not None and batch.interrupted_by.kind is ErrorKind.INCOMPLETE_LIST) is more
    assert [asked.path for asked in platform_server.asked] == ["/v2/user/clips", "/v2/user/medias"]


@pytest.mark.parametrize("missing", [NO_ENTRIES, USER_NOT_FOUND, Scripted({"detail": "Not Found"}, status=404)])
def test_any_404_on_a_next_page_ends_the_list(
    missing: Scripted, service: PlatformService, platform_server: ScriptedServer, instagram: Body
) -> None:
    platform_server.play(instagram("clips_v2"), missing, NO_ENTRIES)
    batch = service.get_user_videos_batch(MIRA, 30)
    assert (len(batch), batch.interrupted_by) == (6, None)


def test_an_account_without_entries_is_an_empty_batch(
    service: PlatformService, platform_server: ScriptedServer
) -> None:
    platform_server.play(NO_ENTRIES)
    batch = service.get_user_videos_batch(MIRA, 30)
    assert (list(batch), batch.interrupted_by) == ([], None)


def test_a_deleted_account_is_not_found(service: PlatformService, platform_server: ScriptedServer) -> None:
    platform_server.play(USER_NOT_FOUND)
    with pytest.raises(PlatformError) as raised:
        service.get_user_videos_batch(MIRA, 30)
    assert raised.value.kind is ErrorKind.NOT_FOUND


@pytest.mark.parametrize(
    "response",
    [
        [],
        [None, "cursor"],
        {"response": {"items": None}},
        {"response": {"items": []}},
        {"items": [], "paging_info": None},
        {"status": "fail"},
        5,
        "ok",
    ],
)
def test_a_body_without_a_list_is_never_an_empty_account(
    response: Json, service: PlatformService, platform_server: ScriptedServer
) -> None:
    platform_server.play(response)
    with pytest.raises(PlatformError) as raised:
        service.get_user_videos_batch(MIRA, 30)
    assert raised.value.kind is ErrorKind.MALFORMED_RESPONSE


def test_an_error_among_the_clips_keeps_the_pages_before_and_skips_the_posts(
    service: PlatformService, platform_server: ScriptedServer, instagram: Body
) -> None:
    platform_server.play(instagram("clips_v2"), Scripted({"detail": "Top up"}, status=402))
    batch = service.get_user_videos_batch(MIRA, 30)
    assert len(batch) == 6
    assert batch.interrupted_by is not None
    assert batch.interrupted_by.kind is ErrorKind.QUOTA_EXCEEDED
    assert len(platform_server.asked) == 2


def test_an_error_among_the_posts_keeps_the_clips(
    service: PlatformService, platform_server: ScriptedServer, instagram: Body
) -> None:
    platform_server.play(instagram("clips_v2"), NO_ENTRIES, Scripted(status=500))
    batch = service.get_user_videos_batch(MIRA, 30)
    assert len(batch) == 6
    assert batch.interrupted_by is not None
    assert batch.interrupted_by.kind is ErrorKind.UNAVAILABLE


def test_an_error_among_the_posts_is_raised_without_clips(
    service: PlatformService, platform_server: ScriptedServer
) -> None:
    private = Scripted({"detail": "This account is private", "exc_type": "PrivateAccount"}, status=403)
    platform_server.play(NO_ENTRIES, private)
    with pytest.raises(PlatformError) as raised:
        service.get_user_videos_batch(MIRA, 30)
    assert raised.value.kind is ErrorKind.PRIVATE


def test_max_pages_limits_both_lists_together(
    service: PlatformService, platform_server: ScriptedServer, instagram: Body
) -> None:
    platform_server.play(instagram("clips_v2"), instagram("medias_v2"))
    assert service.get_user_videos_batch(MIRA, 30, max_pages=1).pages == 1
    assert len(platform_server.asked) == 1


def test_the_default_page_limit_covers_the_target_in_both_lists(
    service: PlatformService, platform_server: ScriptedServer, instagram: Body
) -> None:
    reel = instagram("clips_v2")["response"]["items"][1]

    def page(number: int) -> dict[str, Json]:
        photo = reel["media"] | {"pk": number, "media_type": 1}
        return {"response": {"items": [photo]}, "next_page_id": f"cursor {number}"}

    platform_server.play(*[page(number) for number in range(1, 40)])
    batch = service.get_user_videos_batch(MIRA, 24)
    needed_for_each, extra = 2, 3
    assert batch.pages == 2 * needed_for_each + extra


@pytest.mark.parametrize(
    ("number", "code"), [(0, "A"), (1, "B"), (25, "Z"), (26, "a"), (52, "0"), (62, "-"), (63, "_"), (64, "BA")]
)
def test_the_shortcode_digits_are_upper_case_lower_case_numerals_dash_underscore(number: int, code: str) -> None:
    assert shortcode(number) == code


@given(st.integers(0, 2**63))
def test_a_shortcode_read_as_base_64_is_the_number(number: int) -> None:
    value = 0
    for digit in shortcode(number):
        value = value * 64 + SHORTCODE_ALPHABET.index(digit)
    assert value == number


def test_a_negative_number_has_no_shortcode() -> None:
    with pytest.raises(ValueError, match="negative"):
        shortcode(-1)


@pytest.mark.parametrize(
    ("media_id", "number"),
    [("3401234567890123456_4400001234", 3401234567890123456), ("34", 34), ("", None), ("x34", None), ("_34", None)],
)
def test_the_media_number_is_the_part_of_the_id_before_the_owner(media_id: str, number: int | None) -> None:
    assert media_number(media_id) == number
