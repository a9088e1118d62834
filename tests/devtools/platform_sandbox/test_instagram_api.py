from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Any

from devtools.platform_sandbox import Creator, CreatorKind
from devtools.platform_sandbox.identifiers import instagram_code
from devtools.platform_sandbox.instagram_media import is_mixed
from tests.support.sandbox_client import SandboxClient

Media = dict[str, Any]


def clips(client: SandboxClient, creator: Creator) -> list[Media]:
    return [
        item["media"]
        for page in client.instagram_pages("clips", creator)
        for item in page.get("response", {"items": []})["items"]
    ]


def medias(client: SandboxClient, creator: Creator) -> list[Media]:
    pages = client.instagram_pages("medias", creator)
    return [item for page in pages for item in page.get("response", {"items": []})["items"]]


def ordinary(client: SandboxClient, number: int) -> list[Creator]:
    return list(islice(client.server.world.creators("Instagram", CreatorKind.NORMAL), number))


def mixed(client: SandboxClient, number: int) -> list[Creator]:
    return list(islice(filter(is_mixed, client.server.world.creators("Instagram", CreatorKind.NORMAL)), number))


def pks(found: list[Media]) -> set[str]:
    return {str(media["pk"]) for media in found if media["pk"]}


def published(media: Media) -> datetime:
    taken_at = media["taken_at"]
    return datetime.fromisoformat(taken_at) if isinstance(taken_at, str) else datetime.fromtimestamp(taken_at, UTC)


def test_a_profile_is_found_by_username_and_a_former_name_is_not(sandbox: SandboxClient) -> None:
    creator = next(sandbox.server.world.creators("Instagram", CreatorKind.RENAMED))
    user = sandbox.instagram("by/username", username=creator.username).json()["user"]
    assert str(user["pk"]) == creator.external_id
    not_found = sandbox.instagram("by/username", username=creator.former_username)
    assert (not_found.status_code, not_found.json()["detail"]) == (404, "User not found")
    assert clips(sandbox, creator)


def test_clips_have_play_counts_and_posts_do_not(sandbox: SandboxClient) -> None:
    creator = ordinary(sandbox, 1)[0]
    reels = clips(sandbox, creator)
    assert all(media["product_type"] == "clips" and "ig_play_count" in media for media in reels if media["pk"])
    assert not any("play_count" in media for media in medias(sandbox, creator))


def test_posts_contain_all_clips_and_photos_and_carousels(sandbox: SandboxClient) -> None:
    for creator in (ordinary(sandbox, 1)[0], mixed(sandbox, 1)[0]):
        posts = [media for media in medias(sandbox, creator) if media["pk"]]
        assert pks(clips(sandbox, creator)) <= pks(posts)
        assert {media["media_type"] for media in posts} == {1, 2, 8}
        assert {media["product_type"] for media in posts} == {"clips", "feed", "carousel_container"}


def test_an_account_of_reels_has_posted_no_feed_video_since_august_2022(sandbox: SandboxClient) -> None:
    feed_videos = []
    for creator in islice(sandbox.server.world.creators("Instagram", CreatorKind.LARGE), 5):
        assert not is_mixed(creator)
        known = pks(clips(sandbox, creator))
        posts = [media for media in medias(sandbox, creator) if media["pk"] and media["media_type"] == 2]
        feed_videos += [media for media in posts if str(media["pk"]) not in known]
    assert {media["product_type"] for media in feed_videos} == {"feed"}
    assert max(map(published, feed_videos)) < datetime(2022, 8, 1, tzinfo=UTC)


def test_a_mixed_account_posts_feed_videos_and_joint_reels_that_the_clips_leave_out(sandbox: SandboxClient) -> None:
    joint_reels = []
    for creator in mixed(sandbox, 5):
        known = pks(clips(sandbox, creator))
        posts = [media for media in medias(sandbox, creator) if media["pk"] and media["media_type"] == 2]
        only_posts = [media for media in posts if str(media["pk"]) not in known]
        assert max(published(media).year for media in only_posts if media["product_type"] == "feed") == 2026
        joint_reels += [(creator, media) for media in only_posts if media["product_type"] == "clips"]
    assert joint_reels
    assert all(media["user"]["pk"] != creator.external_id for creator, media in joint_reels)


def test_one_in_four_accounts_is_mixed(sandbox: SandboxClient) -> None:
    creators = list(sandbox.server.world.creators("Instagram"))
    assert sum(map(is_mixed, creators)) * 4 == len(creators)


def test_a_code_is_the_pk_in_base_64(sandbox: SandboxClient) -> None:
    for media in medias(sandbox, ordinary(sandbox, 1)[0]):
        assert media["pk"] is None or media["code"] == instagram_code(int(media["pk"]))


def test_a_collab_belongs_to_another_account_and_is_in_that_accounts_list_too(sandbox: SandboxClient) -> None:
    for creator in ordinary(sandbox, 30):
        for media in clips(sandbox, creator):
            owner = sandbox.server.world.find("Instagram", media["user"]["pk"]) if media["pk"] else None
            if owner is not None and owner != creator:
                partners = {str(found["pk"]) for found in clips(sandbox, owner)}
                assert str(media["pk"]) in partners
                assert media["coauthor_producers"][0]["pk"] == creator.external_id
                return
    raise AssertionError("there is no collab among thirty creators")


def test_cursors_differ_and_end_in_two_equals_signs(sandbox: SandboxClient) -> None:
    creator = ordinary(sandbox, 1)[0]
    cursors = [page["next_page_id"] for page in sandbox.instagram_pages("medias", creator) if page.get("next_page_id")]
    assert len(cursors) > 2
    assert len(set(cursors)) == len(cursors)
    assert all(cursor.endswith("==") for cursor in cursors)


def test_the_last_pages_cursor_is_null_or_empty_or_absent(sandbox: SandboxClient) -> None:
    endings = {
        page.get("next_page_id", "absent")
        for creator in ordinary(sandbox, 6)
        for page in sandbox.instagram_pages("clips", creator)
        if not page.get("next_page_id")
    }
    assert endings == {None, "", "absent"}


def test_traps_occur_among_ordinary_creators(sandbox: SandboxClient) -> None:
    found = [media for creator in ordinary(sandbox, 30) for media in clips(sandbox, creator)]
    readable = [media for media in found if media["pk"] is not None]
    hidden = [media for media in readable if media["like_and_view_counts_disabled"]]
    assert len(readable) < len(found), "malformed entries"
    assert {type(media["pk"]) for media in readable} == {int, str}
    assert {type(media["taken_at"]) for media in readable} == {int, str}
    assert any(media["caption"] is None for media in readable)
    assert {media.get("like_count") for media in hidden} == {None, -1, 3}
    assert any(
        str(media["pk"]) in {str(other["pk"]) for other in readable[:index]} for index, media in enumerate(readable)
    )


def test_pinned_posts_come_first(sandbox: SandboxClient) -> None:
    creator = next(sandbox.server.world.creators("Instagram", CreatorKind.PINS))
    pinned = [bool(media.get("timeline_pinned_user_ids")) for media in medias(sandbox, creator)]
    assert pinned[0]
    assert pinned == sorted(pinned, reverse=True)


def test_private_empty_and_gone_accounts_have_different_errors(sandbox: SandboxClient) -> None:
    def error(kind: CreatorKind) -> tuple[int, str]:
        creator = next(sandbox.server.world.creators("Instagram", kind))
        response = sandbox.instagram("clips", user_id=creator.external_id)
        return response.status_code, response.json()["detail"]

    assert error(CreatorKind.PRIVATE) == (403, "This account is private")
    assert error(CreatorKind.EMPTY) == (404, "Entries not found")
    assert error(CreatorKind.GONE) == (404, "User not found")


def test_an_untidy_account_has_a_card_of_suggested_users_among_its_clips(sandbox: SandboxClient) -> None:
    creator = next(sandbox.server.world.creators("Instagram", CreatorKind.UNTIDY))
    assert any("suggested_users" in media for media in clips(sandbox, creator))


def test_a_missing_or_invalid_key_is_401(sandbox: SandboxClient) -> None:
    url = f"{sandbox.server.instagram_url}/v2/user/by/username"
    assert [sandbox.get(url, {"x-access-key": key}).status_code for key in (None, "invalid-key")] == [401, 401]


def test_a_missing_parameter_is_422(sandbox: SandboxClient) -> None:
    assert sandbox.instagram("clips").status_code == 422
