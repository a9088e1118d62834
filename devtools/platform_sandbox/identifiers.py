"""Ids that look like the platforms' own and carry the creator's index, so that looking one up needs no table.

An index is hidden by a bijection on a fixed number of bits; an id is read back by undoing it.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

_MULTIPLIER = 0x9E3779B97F4A7C15
_INSTAGRAM_EPOCH_MS = 1_314_220_021_721
_SEC_UID_PREFIX = "MS4wLjABAAAA"
_CHANNEL_LENGTH = 24
_INDEX_BYTES = 4
_VIDEO_BYTES = 8


def roll(*parts: object) -> int:
    """64 bits that depend on nothing but the parts."""
    text = "/".join(map(str, parts)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest())


def base64url(data: bytes) -> str:
    """URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode_base64url(text: str) -> bytes | None:
    """The bytes behind `base64url`, or None when the text is no such thing."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None


@dataclass(frozen=True)
class Scrambler:
    """A bijection on the integers below 2**bits, different for each seed."""

    bits: int
    seed: int

    @cached_property
    def _mask(self) -> int:
        return (1 << self.bits) - 1

    @cached_property
    def _salt(self) -> int:
        return roll("scrambler", self.seed, self.bits) & self._mask

    @cached_property
    def _inverse(self) -> int:
        return pow(_MULTIPLIER, -1, 1 << self.bits)

    def forward(self, value: int) -> int:
        """Hide a value."""
        hidden = ((value ^ self._salt) * _MULTIPLIER) & self._mask
        return ((hidden ^ hidden >> (self.bits + 1) // 2) * _MULTIPLIER) & self._mask

    def backward(self, hidden: int) -> int:
        """Undo `forward`."""
        value = (hidden * self._inverse) & self._mask
        return (((value ^ value >> (self.bits + 1) // 2) * self._inverse) & self._mask) ^ self._salt


class Identifiers:
    """Makes and reads the ids of one seed's world.

    Two creators never share an id, nor do two videos: TikTok and Instagram ids hold the moment of publication and,
    mixed with it, the creator, who publishes once a second at most.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._bits23 = Scrambler(23, seed)
        self._bits32 = Scrambler(32, seed)
        self._bits64 = Scrambler(64, seed)

    def tiktok_user(self, index: int) -> str:
        """19 digits: the second the account was made, then the creator."""
        made = 1_540_000_000 + roll(self._seed, "tiktok account", index) % 120_000_000
        return str(made << 32 | self._bits32.forward(index))

    def tiktok_sec_uid(self, index: int) -> str:
        """76 characters, as a `secUid`."""
        rest = blake2b(f"{self._seed}/sec/{index}".encode(), digest_size=44).digest()
        return _SEC_UID_PREFIX + base64url(self._bits32.forward(index).to_bytes(_INDEX_BYTES) + rest)

    def tiktok_video(self, index: int, published: int) -> str:
        """19 digits whose upper 32 bits are the unix second of publication."""
        mixed = self._bits32.forward(index) ^ (published * _MULTIPLIER >> 16 & 0xFFFFFFFF)
        return str(published << 32 | mixed)

    def instagram_user(self, index: int) -> str:
        """Ten digits."""
        return str((1 << 32) + self._bits32.forward(index))

    def instagram_media(self, index: int, published: int) -> int:
        """A media's `pk`: milliseconds since the platform's epoch, then 23 bits for the creator."""
        mixed = self._bits23.forward(index) ^ (published * _MULTIPLIER >> 16 & 0x7FFFFF)
        return (published * 1000 - _INSTAGRAM_EPOCH_MS) << 23 | mixed

    def youtube_channel(self, index: int) -> str:
        """`UC` and 22 characters."""
        rest = blake2b(f"{self._seed}/channel/{index}".encode(), digest_size=12).digest()
        return "UC" + base64url(self._bits32.forward(index).to_bytes(_INDEX_BYTES) + rest)

    def youtube_video(self, index: int, number: int) -> str:
        """11 characters that hold the creator and the number of the video."""
        return base64url(self._bits64.forward(index << 32 | number).to_bytes(_VIDEO_BYTES))

    def youtube_video_owner(self, video_id: str) -> tuple[int, int] | None:
        """Index and number behind `youtube_video`; None for another text. The index may be nobody's."""
        data = decode_base64url(video_id)
        if data is None or len(data) != _VIDEO_BYTES:
            return None
        return divmod(self._bits64.backward(int.from_bytes(data)), 1 << 32)

    def owner_of(self, identifier: str) -> int | None:
        """The index that a user id, secUid, channel id or uploads playlist would carry, to be checked by making it."""
        if identifier.isascii() and identifier.isdigit():
            return self._bits32.backward(int(identifier) & 0xFFFFFFFF)
        body = identifier[2:] if len(identifier) == _CHANNEL_LENGTH else identifier.removeprefix(_SEC_UID_PREFIX)
        data = decode_base64url(body)
        if data is None or len(data) < _INDEX_BYTES:
            return None
        return self._bits32.backward(int.from_bytes(data[:_INDEX_BYTES]))


def instagram_code(pk: int) -> str:
    """The shortcode of a media: its `pk` in base 64, most significant digit first."""
    return base64url(pk.to_bytes(9)).lstrip("A")
