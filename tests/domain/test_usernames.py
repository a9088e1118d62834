"""Parsing of names and profile URLs, in all their spellings."""

from __future__ import annotations

import string
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.request_errors import InvalidUsernameError
from blogger_tracking.domain.usernames import parse_username, profile_url

PLAIN = st.text(string.ascii_letters + string.digits + "_", min_size=3, max_size=20)
SCHEMES = st.sampled_from(["", "https://", "http://", "HTTPS://", "//"])
ENDS = st.sampled_from(["", "/", "?lang=en&x=1", "#videos", "/?igsh=abc==", "/videos", "/video/7300?is_copy_url=1#a"])
PREFIXES = {
    Platform.TIKTOK: ["tiktok.com/@", "www.tiktok.com/@", "m.tiktok.com/@", "vm.tiktok.com/@", "WWW.TikTok.com/@"],
    Platform.INSTAGRAM: [
        "instagram.com/",
        "www.instagram.com/",
        "m.instagram.com/",
        "instagr.am/",
        "instagram.com/_u/",
    ],
    Platform.YOUTUBE: ["youtube.com/c/", "www.youtube.com/user/", "m.youtube.com/c/", "youtube.com./c/"],
}


@given(st.sampled_from(Platform), PLAIN, st.sampled_from(["", "@"]), st.sampled_from(["", " ", "\n"]))
def test_a_name_is_parsed_with_or_without_at(platform: Platform, name: str, at: str, space: str) -> None:
    assert parse_username(f"{space}{at}{name}{space}", platform).removeprefix("@") == name


@given(st.data(), st.sampled_from(Platform), SCHEMES, PLAIN, ENDS)
def test_every_profile_url_gives_the_name_of_its_owner(
    data: st.DataObject, platform: Platform, scheme: str, name: str, end: str
) -> None:
    if platform is Platform.INSTAGRAM:
        name = f"n{name}"  # not one of Instagram's reserved paths
    prefix = data.draw(st.sampled_from(PREFIXES[platform]))
    assert parse_username(f"{scheme}{prefix}{name}{end}", platform) == name


@given(st.data(), PLAIN, st.permutations(list(Platform)))
def test_a_url_of_another_platform_is_rejected_with_the_names_of_both_platforms(
    data: st.DataObject, name: str, platforms: Sequence[Platform]
) -> None:
    platform, other, _ = platforms
    address = data.draw(st.sampled_from(PREFIXES[other])) + name
    with pytest.raises(InvalidUsernameError, match=f"address of {other}, but the platform is {platform}"):
        parse_username(address, platform)


@given(st.text(max_size=60), st.sampled_from(Platform))
def test_any_text_is_parsed_or_rejected(text: str, platform: Platform) -> None:
    try:
        name = parse_username(text, platform)
    except InvalidUsernameError:
        return
    assert name
    assert not set(name) & set("/?#& \x00\n")


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("https://www.youtube.com/@some-handle/shorts", "@some-handle"),
        ("https://youtube.com/channel/UCabcdefghijklmnopqrstuv/about?x=1", "UCabcdefghijklmnopqrstuv"),
        ("youtube.com/@%E3%83%86%E3%82%B9%E3%83%88", "@テスト"),
        ("@handle", "@handle"),
        ("@กินขนมปัง", "@กินขนมปัง"),
        ("@रोटी", "@रोटी"),
        ("@ரொட்டி", "@ரொட்டி"),
        ("@রুটি", "@রুটি"),
        ("@នំប៉័ង", "@នំប៉័ង"),
        ("@caf\u0065\u0301", "@caf\u00e9"),
        ("https://youtube.com/@cafe%CC%81", "@caf\u00e9"),
        ("@\u0dc1\u0dca\u200d\u0dbb\u0dd3", "@\u0dc1\u0dca\u200d\u0dbb\u0dd3"),
        ("UCabcdefghijklmnopqrstuv", "UCabcdefghijklmnopqrstuv"),
    ],
)
def test_youtube_handles_keep_their_at_sign_and_channel_ids_are_names(address: str, asked: str) -> None:
    assert parse_username(address, Platform.YOUTUBE) == asked


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("", Platform.TIKTOK),
        ("  ", Platform.TIKTOK),
        ("two words", Platform.TIKTOK),
        ("x" * 25, Platform.TIKTOK),
        ("x" * 3000, Platform.YOUTUBE),
        ("tiktok.com", Platform.TIKTOK),
        ("https://vm.tiktok.com/ZMabcdef/", Platform.TIKTOK),
        ("https://www.tiktok.com/video/7300", Platform.TIKTOK),
        ("https://www.instagram.com/p/Cabc/", Platform.INSTAGRAM),
        ("https://www.instagram.com/reel/Cabc", Platform.INSTAGRAM),
        ("https://www.instagram.com/", Platform.INSTAGRAM),
        ("https://youtu.be/dQw4w9WgXcQ", Platform.YOUTUBE),
        ("https://www.youtube.com/watch?v=dQw4w9WgXcQ", Platform.YOUTUBE),
        ("https://example.org/@name", Platform.TIKTOK),
        ("https://nottiktok.com/@name", Platform.TIKTOK),
        ("https://tiktok.com.example.org/@name", Platform.TIKTOK),
        ("https://tiktok.com@example.org/@name", Platform.TIKTOK),
        ("ftp://tiktok.com/@name", Platform.TIKTOK),
        ("https://[tiktok.com/@name", Platform.TIKTOK),
        ("https://www.tiktok.com/@a%2Fb", Platform.TIKTOK),
        ("https://www.tiktok.com/@a%20b", Platform.TIKTOK),
        ("../../admin", Platform.INSTAGRAM),
    ],
)
def test_text_without_a_name_or_profile_of_the_platform_is_rejected(text: str, platform: Platform) -> None:
    with pytest.raises(InvalidUsernameError):
        parse_username(text, platform)


@pytest.mark.parametrize(
    ("platform", "username", "url"),
    [
        (Platform.TIKTOK, "some.name_1", "https://www.tiktok.com/@some.name_1"),
        (Platform.INSTAGRAM, "some.name_1", "https://www.instagram.com/some.name_1/"),
        (Platform.YOUTUBE, "@renamed", "https://www.youtube.com/channel/UC-1"),
        (Platform.TIKTOK, "a/../b?c#d", "https://www.tiktok.com/@a%2F..%2Fb%3Fc%23d"),
        (Platform.INSTAGRAM, "//evil.example", "https://www.instagram.com/%2F%2Fevil.example/"),
    ],
)
def test_the_address_of_a_profile_stays_on_its_platform_whatever_the_name_is(
    platform: Platform, username: str, url: str
) -> None:
    assert profile_url(platform, username, "UC-1") == url
