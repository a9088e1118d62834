"""The invented creators: a pure function of a seed, with nothing generated before it is asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from devtools.platform_sandbox.identifiers import Identifiers, roll
from devtools.platform_sandbox.platforms import Platform

_ADJECTIVES = (
    "amber",
    "brisk",
    "calm",
    "dapper",
    "eager",
    "fuzzy",
    "gentle",
    "hazy",
    "ivory",
    "jolly",
    "keen",
    "lunar",
)
_NOUNS = ("otter", "baker", "comet", "drummer", "falcon", "gardener", "harbor", "juggler", "kettle", "lantern", "maple")
_GIVEN_NAMES = (
    "Ada",
    "Bruno",
    "Chiara",
    "Dmitri",
    "Élise",
    "Farah",
    "Goran",
    "Hana",
    "Ines",
    "Jonas",
    "Keiko",
    "Łucja",
)
_FAMILY_NAMES = ("Abara", "Berg", "Castellan", "Duvall", "Egede", "Ferro", "Gruber", "Horvat", "Imai", "Jansen", "Kaya")
_INDEX_IN_USERNAME = re.compile(r"^[a-z]+\.[a-z]+(\d{1,9})$")


class CreatorKind(StrEnum):
    """What is special about a creator. 90% are `NORMAL`, each other kind is 1% of a platform."""

    NORMAL = "normal"
    PRIVATE = "private"
    GONE = "gone"
    EMPTY = "empty"
    RENAMED = "renamed"
    LARGE = "large"
    HIDES_LIKES = "hides_likes"
    PINS = "pins"
    UNTIDY = "untidy"
    BROADCASTS = "broadcasts"
    HIDES_SUBSCRIBERS = "hides_subscribers"


_SPECIAL_ONES = 7
_SPECIAL_KINDS = tuple(kind for kind in CreatorKind if kind is not CreatorKind.NORMAL)


@dataclass(frozen=True, slots=True)
class Creator:
    """An invented creator.

    `external_id` is the platform's stable id (TikTok `id`, Instagram `pk`, YouTube channel id), `sec_id` TikTok's
    `secUid`. `former_username` is what a renamed creator was called: nobody is found by it any more.
    """

    platform: Platform
    index: int
    username: str
    external_id: str
    sec_id: str | None
    display_name: str
    kind: CreatorKind
    former_username: str | None


class World:
    """All creators of one seed. Cheap to make: a creator is computed when it is asked for."""

    def __init__(self, seed: int = 7, creators_per_platform: int = 12_000) -> None:
        self.seed = seed
        self.creators_per_platform = creators_per_platform
        self.identifiers = Identifiers(seed)

    def creator(self, platform: str, index: int) -> Creator:
        """The creator with this index, from 0. Raises IndexError outside the world."""
        if not 0 <= index < self.creators_per_platform:
            message = f"no creator {index} in a world of {self.creators_per_platform}"
            raise IndexError(message)
        known = Platform(platform)
        kind = _kind(index)
        renamed = kind is CreatorKind.RENAMED
        return Creator(
            platform=known,
            index=index,
            username=self._username(known, index, "renamed" if renamed else "original"),
            external_id=self._external_id(known, index),
            sec_id=self.identifiers.tiktok_sec_uid(index) if known is Platform.TIKTOK else None,
            display_name=self._display_name(known, index),
            kind=kind,
            former_username=self._username(known, index, "original") if renamed else None,
        )

    def creators(self, platform: str, kind: str | None = None, start: int = 0) -> Iterator[Creator]:
        """The platform's creators by index, of one kind if given."""
        for index in range(start, self.creators_per_platform):
            if kind is None or _kind(index) == kind:
                yield self.creator(platform, index)

    def find(self, platform: str, identifier: str) -> Creator | None:
        """Who is meant by a username (with or without @), external id, `secUid` or uploads playlist, if anybody."""
        name = identifier.removeprefix("@").lower()
        by_name = _INDEX_IN_USERNAME.match(name)
        index = int(by_name[1]) if by_name else self.identifiers.owner_of(identifier)
        if index is None or index >= self.creators_per_platform:
            return None
        creator = self.creator(platform, index)
        playlist = uploads_playlist(creator) if creator.platform is Platform.YOUTUBE else None
        named = identifier in {creator.external_id, creator.sec_id, playlist}
        return creator if named or name == creator.username else None

    def _external_id(self, platform: Platform, index: int) -> str:
        if platform is Platform.TIKTOK:
            return self.identifiers.tiktok_user(index)
        if platform is Platform.INSTAGRAM:
            return self.identifiers.instagram_user(index)
        return self.identifiers.youtube_channel(index)

    def _username(self, platform: Platform, index: int, variant: str) -> str:
        bits = roll(self.seed, platform, index, variant)
        return f"{_pick(_ADJECTIVES, bits)}.{_pick(_NOUNS, bits >> 16)}{index}"

    def _display_name(self, platform: Platform, index: int) -> str:
        bits = roll(self.seed, platform, index, "name")
        return f"{_pick(_GIVEN_NAMES, bits)} {_pick(_FAMILY_NAMES, bits >> 16)}"


def uploads_playlist(creator: Creator) -> str:
    """The playlist of a YouTube channel's uploads."""
    return "UU" + creator.external_id[2:]


def _kind(index: int) -> CreatorKind:
    tens, ones = divmod(index, 10)
    return _SPECIAL_KINDS[tens % len(_SPECIAL_KINDS)] if ones == _SPECIAL_ONES else CreatorKind.NORMAL


def _pick(words: tuple[str, ...], bits: int) -> str:
    return words[(bits & 0xFFFF) % len(words)]
