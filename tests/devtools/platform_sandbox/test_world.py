from __future__ import annotations

import re
from collections import Counter
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devtools.platform_sandbox import Catalogue, CreatorKind, PlatformName, World, uploads_playlist
from devtools.platform_sandbox.identifiers import Scrambler, instagram_code
from tests.support.sandbox_client import NOON

WORLD = World(seed=7, creators_per_platform=1_000)
NOW = int(NOON.timestamp())
DAY = 86_400

platforms = st.sampled_from(list(PlatformName))
indices = st.integers(0, 999)


@given(bits=st.sampled_from([23, 32, 64]), seed=st.integers(), value=st.integers(0, 2**23 - 1))
def test_scrambling_can_be_undone(bits: int, seed: int, value: int) -> None:
    scrambler = Scrambler(bits, seed)
    assert scrambler.backward(scrambler.forward(value)) == value


@given(platform=platforms, index=indices)
def test_the_same_seed_gives_the_same_creator(platform: PlatformName, index: int) -> None:
    assert World(7, 1_000).creator(platform, index) == WORLD.creator(platform, index)


def test_another_seed_gives_other_creators() -> None:
    assert World(8, 1_000).creator("TikTok", 5).external_id != WORLD.creator("TikTok", 5).external_id


@given(platform=platforms, index=indices)
def test_a_creator_is_found_by_username_id_sec_uid_and_playlist(platform: PlatformName, index: int) -> None:
    creator = WORLD.creator(platform, index)
    names = [creator.username, f"@{creator.username}", creator.username.upper(), creator.external_id]
    names += [creator.sec_id] if creator.sec_id else []
    names += [uploads_playlist(creator)] if platform is PlatformName.YOUTUBE else []
    assert [WORLD.find(platform, name) for name in names] == [creator] * len(names)


@given(platform=platforms, name=st.text(max_size=80))
def test_no_creator_is_found_by_an_arbitrary_name(platform: PlatformName, name: str) -> None:
    assert WORLD.find(platform, name) is None


def test_a_renamed_creator_is_found_by_the_id_and_not_by_the_former_name() -> None:
    creator = next(WORLD.creators("Instagram", CreatorKind.RENAMED))
    assert creator.former_username is not None
    assert WORLD.find("Instagram", creator.former_username) is None
    assert WORLD.find("Instagram", creator.external_id) == creator


def test_nine_of_ten_creators_are_normal_and_each_other_kind_is_one_of_a_hundred() -> None:
    kinds = Counter(creator.kind for creator in WORLD.creators("YouTube"))
    assert kinds == {kind: 900 if kind is CreatorKind.NORMAL else 10 for kind in CreatorKind}


@pytest.mark.parametrize("platform", PlatformName)
def test_ids_are_unique(platform: PlatformName) -> None:
    creators = list(WORLD.creators(platform))
    assert len({creator.external_id for creator in creators}) == len(creators)
    assert len({creator.username for creator in creators}) == len(creators)


@pytest.mark.parametrize(
    ("platform", "form"),
    [("TikTok", r"\d{19}"), ("Instagram", r"\d{10}"), ("YouTube", r"UC[\w-]{22}")],
)
def test_external_ids_have_the_platforms_form(platform: str, form: str) -> None:
    assert all(re.fullmatch(form, creator.external_id) for creator in WORLD.creators(platform))


@given(pk=st.integers(1, 2**63 - 1))
def test_an_instagram_code_is_the_number_in_base_64(pk: int) -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    number = 0
    for character in instagram_code(pk):
        number = number * 64 + alphabet.index(character)
    assert number == pk


@given(platform=platforms, index=indices, later=st.integers(0, 400 * DAY))
def test_a_list_is_newest_first_and_has_no_future_videos(platform: PlatformName, index: int, later: int) -> None:
    creator = WORLD.creator(platform, index)
    listed = [video.published for video in Catalogue(WORLD, creator).before(NOW + later + 1, NOW + later)]
    assert all(newer > older for newer, older in pairwise(listed))
    assert all(published <= NOW + later for published in listed)


@given(platform=platforms, index=indices)
def test_new_videos_appear_with_time(platform: PlatformName, index: int) -> None:
    catalogue = Catalogue(WORLD, WORLD.creator(platform, index))
    assert catalogue.newest(NOW + 14 * DAY) > catalogue.newest(NOW)


@given(index=indices, number=st.integers(1, 5_000), later=st.integers(0, 400 * DAY))
def test_counters_never_decrease(index: int, number: int, later: int) -> None:
    video = Catalogue(WORLD, WORLD.creator("TikTok", index)).video(number)
    before, after = video.counters(NOW), video.counters(NOW + later)
    assert after.views >= before.views
    assert after.likes >= before.likes
    assert after.comments >= before.comments
    assert after.shares >= before.shares


def test_a_large_creator_lists_600_videos_and_an_empty_one_none() -> None:
    def listed(kind: CreatorKind) -> int:
        catalogue = Catalogue(WORLD, next(WORLD.creators("YouTube", kind)))
        return len(list(catalogue.before(NOW + 1, NOW)))

    assert (listed(CreatorKind.LARGE), listed(CreatorKind.EMPTY)) == (600, 0)


def test_the_number_of_videos_can_be_set() -> None:
    catalogue = Catalogue(WORLD, WORLD.creator("TikTok", 0), video_count=33)
    assert len(list(catalogue.before(NOW + 1, NOW))) == 33


def test_creators_can_be_listed_from_a_start() -> None:
    assert [creator.index for creator in islice(WORLD.creators("TikTok", start=990), 2)] == [990, 991]
