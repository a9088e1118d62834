"""The platforms and their invented creators, each computed from a seed on demand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from devtools.platform_sandbox.identifiers import Identifiers, hash_bits

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
_WORDS_IN_OTHER_SCRIPTS = {
    "Bengali": "রান্নাঘর",
    "French": "pâtisserie",
    "Hindi": "रसोईघर",
    "Khmer": "ម្ហូបខ្មែរ",
    "Tamil": "சமையல்",
    "Thai": "ครัวคุณแม่",
}
_INDEX_IN_OTHER_SCRIPT = re.compile(rf"^(?:{'|'.join(_WORDS_IN_OTHER_SCRIPTS.values())})([0-9]{{1,9}})$")


class PlatformName(StrEnum):
    """Name of a platform."""

    TIKTOK = "TikTok"
    INSTAGRAM = "Instagram"
    YOUTUBE = "YouTube"

    @property
    def slug(self) -> str:
        """Name in lower case, as used in paths."""
        return self.value.lower()


class CreatorKind(StrEnum):
    """Special property of a creator. 90 % are `NORMAL`, each other kind is 1 % of a platform's creators."""

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


_LAST_DIGIT_OF_SPECIAL_CREATORS = 7
_SPECIAL_KINDS = tuple(kind for kind in CreatorKind if kind is not CreatorKind.NORMAL)


@dataclass(frozen=True, slots=True)
class Creator:
    """An invented creator.

    `external_id` is the platform's stable id (TikTok `id`, Instagram `pk`, YouTube channel id), `sec_id` TikTok's
    `secUid`. `former_username` is the previous username of a renamed creator; a look-up by it finds no creator.
    """

    platform: PlatformName
    index: int
    username: str
    external_id: str
    sec_id: str | None
    display_name: str
    kind: CreatorKind
    former_username: str | None

    @property
    def followers(self) -> int:
        """Number of followers or subscribers, constant over time."""
        return 900 + hash_bits(self.external_id, "followers") % 3_000_000


class World:
    """All creators of one seed. A creator is computed on each access, so that a world of any size needs no memory."""

    def __init__(self, seed: int = 7, creators_per_platform: int = 12_000) -> None:
        self.seed = seed
        self.creators_per_platform = creators_per_platform
        self.identifiers = Identifiers(seed)

    def creator(self, platform: str, index: int) -> Creator:
        """Return the creator with this index, from 0. Raises IndexError outside the world."""
        if not 0 <= index < self.creators_per_platform:
            raise IndexError(f"no creator {index} in a world of {self.creators_per_platform}")
        known = PlatformName(platform)
        kind = _kind(index)
        renamed = kind is CreatorKind.RENAMED
        return Creator(
            platform=known,
            index=index,
            username=self._username(known, index, "renamed" if renamed else "original"),
            external_id=self._external_id(known, index),
            sec_id=self.identifiers.tiktok_sec_uid(index) if known is PlatformName.TIKTOK else None,
            display_name=self._display_name(known, index),
            kind=kind,
            former_username=self._username(known, index, "original") if renamed else None,
        )

    def creators(self, platform: str, kind: str | None = None, start: int = 0) -> Iterator[Creator]:
        """Yield the platform's creators in order of their index, optionally only those of one kind."""
        for index in range(start, self.creators_per_platform):
            if kind is None or _kind(index) == kind:
                yield self.creator(platform, index)

    def find(self, platform: str, identifier: str) -> Creator | None:
        """Return the creator with this username (with or without @), id, `secUid` or uploads playlist, or None.

        A YouTube channel is also found by each of its handles in other scripts.
        """
        name = identifier.removeprefix("@").lower()
        in_other_script = platform == PlatformName.YOUTUBE and is_handle_in_other_script(name)
        by_name = _INDEX_IN_OTHER_SCRIPT.match(name) if in_other_script else _INDEX_IN_USERNAME.match(name)
        index = int(by_name[1]) if by_name else self.identifiers.owner_of(identifier)
        if index is None or index >= self.creators_per_platform:
            return None
        creator = self.creator(platform, index)
        playlist = uploads_playlist(creator) if creator.platform is PlatformName.YOUTUBE else None
        named = identifier in {creator.external_id, creator.sec_id, playlist}
        return creator if named or in_other_script or name == creator.username else None

    def _external_id(self, platform: PlatformName, index: int) -> str:
        if platform is PlatformName.TIKTOK:
            return self.identifiers.tiktok_user(index)
        if platform is PlatformName.INSTAGRAM:
            return self.identifiers.instagram_user(index)
        return self.identifiers.youtube_channel(index)

    def _username(self, platform: PlatformName, index: int, variant: str) -> str:
        bits = hash_bits(self.seed, platform, index, variant)
        return f"{_pick(_ADJECTIVES, bits)}.{_pick(_NOUNS, bits >> 16)}{index}"

    def _display_name(self, platform: PlatformName, index: int) -> str:
        bits = hash_bits(self.seed, platform, index, "name")
        return f"{_pick(_GIVEN_NAMES, bits)} {_pick(_FAMILY_NAMES, bits >> 16)}"


def handles_in_other_scripts(creator: Creator) -> dict[str, str]:
    """Return the handles in other scripts that a YouTube channel is found by, without @, by language.

    YouTube's handles may have letters with marks, which word characters of regular expressions leave out.
    """
    return {language: f"{word}{creator.index}" for language, word in _WORDS_IN_OTHER_SCRIPTS.items()}


def is_handle_in_other_script(name: str) -> bool:
    """Return True for a handle, without @, of the form of `handles_in_other_scripts`."""
    return _INDEX_IN_OTHER_SCRIPT.match(name) is not None


def uploads_playlist(creator: Creator) -> str:
    """Return the id of the playlist of a YouTube channel's uploads."""
    return "UU" + creator.external_id[2:]


def _kind(index: int) -> CreatorKind:
    tens, ones = divmod(index, 10)
    return _SPECIAL_KINDS[tens % len(_SPECIAL_KINDS)] if ones == _LAST_DIGIT_OF_SPECIAL_CREATORS else CreatorKind.NORMAL


def _pick(words: tuple[str, ...], bits: int) -> str:
    return words[(bits & 0xFFFF) % len(words)]
