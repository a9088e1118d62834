"""Parsing of the names that people type for a blogger: a name, `@name`, or the URL of a profile. Pure.

Sources: the platforms' own rules for names, and the forms of profile URLs that the platforms' apps and sites share.
"""

from __future__ import annotations

import re
from unicodedata import category, normalize
from urllib.parse import SplitResult, quote, unquote, urlsplit

from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.request_errors import InvalidUsernameError

LONGEST_INPUT = 2048
"""Maximum length of a name or a URL, in characters; longer input is rejected unparsed."""

_HOSTS: dict[Platform, tuple[str, ...]] = {
    Platform.TIKTOK: ("tiktok.com",),
    Platform.INSTAGRAM: ("instagram.com", "instagr.am"),
    Platform.YOUTUBE: ("youtube.com", "youtu.be"),
}

_LONGEST_NAMES: dict[Platform, int] = {Platform.TIKTOK: 24, Platform.INSTAGRAM: 30, Platform.YOUTUBE: 100}
_PUNCTUATION: dict[Platform, str] = {Platform.TIKTOK: "_.", Platform.INSTAGRAM: "_.", Platform.YOUTUBE: "_.-·"}
_LETTERS_DIGITS_AND_MARKS = ("L", "M", "N")
"""First letters of the Unicode categories that a handle may have, in any script.

The word characters of regular expressions lack marks, which the vowels of Indian and Thai scripts are.
"""

_JOINERS = "\u200c\u200d"
"""Zero-width joiners. Persian, Sinhala and other scripts need them inside a word."""

# Paths of profile URLs. The group `name` is the blogger's name; the rest of the path is a tab or a video.
_PATHS: dict[Platform, re.Pattern[str]] = {
    Platform.TIKTOK: re.compile(r"/@(?P<name>[^/]+)(/.*)?"),
    Platform.INSTAGRAM: re.compile(
        r"/(?!(?:p|reel|reels|tv|stories|explore|accounts|direct|about|legal|developer|web)(?:/|$))(?:_u/)?"
        r"(?P<name>[^/@]+)(/.*)?"
    ),
    Platform.YOUTUBE: re.compile(r"/(?:channel/(?=UC)|c/|user/|(?=@))(?P<name>[^/]+)(/.*)?"),
}

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def parse_username(text: str, platform: Platform) -> str:
    """Return the name to look up: a name without `@`, a YouTube handle with `@`, or a YouTube channel id.

    Raises InvalidUsernameError, whose message says what was expected, for anything but a name or a profile URL of
    that platform.
    """
    typed = text.strip()
    if not typed or len(typed) > LONGEST_INPUT:
        raise InvalidUsernameError(f"The username must have 1 to {LONGEST_INPUT} characters.")
    if _looks_like_address(typed):
        return _name_in_address(typed, platform)
    return _checked(typed, platform)


def profile_url(platform: Platform, username: str, external_id: str) -> str:
    """Return the address of a profile; for YouTube by the channel's id, which a rename does not change."""
    if platform is Platform.YOUTUBE:
        return f"https://www.youtube.com/channel/{quote(external_id, safe='')}"
    name = quote(username, safe="")
    return f"https://www.tiktok.com/@{name}" if platform is Platform.TIKTOK else f"https://www.instagram.com/{name}/"


def _looks_like_address(typed: str) -> bool:
    return "/" in typed or _platform_of_host(typed) is not None


def _name_in_address(typed: str, platform: Platform) -> str:
    address = _split(typed)
    found_platform = _platform_of_host(address.hostname or "")
    if found_platform is None or address.scheme not in {"http", "https"}:
        raise InvalidUsernameError(f"This is not the address of a {platform} profile.")
    if found_platform is not platform:
        raise InvalidUsernameError(f"This is an address of {found_platform}, but the platform is {platform}.")
    match = _PATHS[platform].fullmatch(address.path.replace("%40", "@").rstrip("/"))
    if match is None:
        raise InvalidUsernameError(
            f"This address of {platform} does not name a profile. Open the profile and copy its address, "
            "or type the name."
        )
    return _checked(unquote(match["name"]), platform)


def _split(typed: str) -> SplitResult:
    try:
        return urlsplit(typed if _SCHEME.match(typed) else f"https://{typed.lstrip('/')}")
    except ValueError:
        raise InvalidUsernameError("This is not a valid address.") from None


def _platform_of_host(host: str) -> Platform | None:
    bare = host.lower().rstrip(".")
    for platform, known in _HOSTS.items():
        if any(bare == each or bare.endswith(f".{each}") for each in known):
            return platform
    return None


def _checked(name: str, platform: Platform) -> str:
    name = normalize("NFC", name)
    bare = name.removeprefix("@")
    if not _is_name(bare, platform):
        raise InvalidUsernameError(f"This is not a valid name on {platform}: {_NAME_RULES[platform]}.")
    return name if platform is Platform.YOUTUBE else bare


def _is_name(bare: str, platform: Platform) -> bool:
    if not 1 <= len(bare) <= _LONGEST_NAMES[platform] or bare != bare.strip(_JOINERS):
        return False
    return all(_may_have(platform, character) for character in bare)


def _may_have(platform: Platform, character: str) -> bool:
    if character in _PUNCTUATION[platform]:
        return True
    if platform is not Platform.YOUTUBE:
        return character.isascii() and character.isalnum()
    # YouTube's handles may use any script, and YouTube judges them; a channel id is accepted as a name.
    return character in _JOINERS or category(character).startswith(_LETTERS_DIGITS_AND_MARKS)


_NAME_RULES = {
    Platform.TIKTOK: "letters, digits, underscores and dots, at most 24",
    Platform.INSTAGRAM: "letters, digits, underscores and dots, at most 30",
    Platform.YOUTUBE: "letters, digits, underscores, hyphens and dots, at most 100",
}
