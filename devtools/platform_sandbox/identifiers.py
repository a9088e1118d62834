"""Ids in the platforms' own formats that encode the creator's index, so that a look-up needs no table.

A bijection on a fixed number of bits scrambles the index; its inverse recovers the index from an id.
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


def hash_bits(*parts: object) -> int:
    """Return 64 pseudo-random bits that depend only on the parts."""
    text = "/".join(map(str, parts)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest())


def base64url(data: bytes) -> str:
    """Encode bytes as URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode_base64url(text: str) -> bytes | None:
    """Decode a text of `base64url`; return None for any other text."""
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
        return hash_bits("scrambler", self.seed, self.bits) & self._mask

    @cached_property
    def _inverse(self) -> int:
        return pow(_MULTIPLIER, -1, 1 << self.bits)

    def forward(self, value: int) -> int:
        """Scramble a value."""
        scrambled = ((value ^ self._salt) * _MULTIPLIER) & self._mask
        return ((scrambled ^ scrambled >> (self.bits + 1) // 2) * _MULTIPLIER) & self._mask

    def backward(self, scrambled: int) -> int:
        """Recover the value scrambled by `forward`."""
        value = (scrambled * self._inverse) & self._mask
        return (((value ^ value >> (self.bits + 1) // 2) * self._inverse) & self._mask) ^ self._salt


class Identifiers:
    """Encoder and decoder of the ids in the world of one seed.

    Ids of creators and of videos are unique: a TikTok or Instagram media id combines the second of publication with
    the creator, and a creator publishes at most one video a second.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._bits23 = Scrambler(23, seed)
        self._bits32 = Scrambler(32, seed)
        self._bits64 = Scrambler(64, seed)

    def tiktok_user(self, index: int) -> str:
        """Return a TikTok user id: 19 digits that hold the account's unix second of creation, then the creator."""
        created = 1_540_000_000 + hash_bits(self._seed, "tiktok account", index) % 120_000_000
        return str(created << 32 | self._bits32.forward(index))

    def tiktok_sec_uid(self, index: int) -> str:
        """Return a TikTok `secUid` of 76 characters."""
        rest = blake2b(f"{self._seed}/sec/{index}".encode(), digest_size=44).digest()
        return _SEC_UID_PREFIX + base64url(self._bits32.forward(index).to_bytes(_INDEX_BYTES) + rest)

    def tiktok_video(self, index: int, published: int) -> str:
        """Return a TikTok video id: 19 digits whose upper 32 bits are the unix second of publication."""
        mixed = self._bits32.forward(index) ^ (published * _MULTIPLIER >> 16 & 0xFFFFFFFF)
        return str(published << 32 | mixed)

    def instagram_user(self, index: int) -> str:
        """Return an Instagram user id of ten digits."""
        return str((1 << 32) + self._bits32.forward(index))

    def instagram_media(self, index: int, published: int) -> int:
        """Return an Instagram media's `pk`: milliseconds since the platform's epoch, then 23 bits for the creator."""
        mixed = self._bits23.forward(index) ^ (published * _MULTIPLIER >> 16 & 0x7FFFFF)
        return (published * 1000 - _INSTAGRAM_EPOCH_MS) << 23 | mixed

    def youtube_channel(self, index: int) -> str:
        """Return a YouTube channel id: `UC` and 22 characters."""
        rest = blake2b(f"{self._seed}/channel/{index}".encode(), digest_size=12).digest()
        return "UC" + base64url(self._bits32.forward(index).to_bytes(_INDEX_BYTES) + rest)

    def youtube_video(self, index: int, number: int) -> str:
        """Return a YouTube video id: 11 characters that hold the creator and the number of the video."""
        return base64url(self._bits64.forward(index << 32 | number).to_bytes(_VIDEO_BYTES))

    def youtube_video_owner(self, video_id: str) -> tuple[int, int] | None:
        """Return the creator's index and the video's number in a YouTube video id, or None for another text.

        The index may lie outside the world.
        """
        data = decode_base64url(video_id)
        if data is None or len(data) != _VIDEO_BYTES:
            return None
        return divmod(self._bits64.backward(int.from_bytes(data)), 1 << 32)

    def owner_of(self, identifier: str) -> int | None:
        """Return the index that a user id, secUid, channel id or uploads playlist encodes, or None.

        The caller verifies the index by encoding it again, because any number decodes to some index.
        """
        if identifier.isascii() and identifier.isdigit():
            return self._bits32.backward(int(identifier) & 0xFFFFFFFF)
        body = identifier[2:] if len(identifier) == _CHANNEL_LENGTH else identifier.removeprefix(_SEC_UID_PREFIX)
        data = decode_base64url(body)
        if data is None or len(data) < _INDEX_BYTES:
            return None
        return self._bits32.backward(int.from_bytes(data[:_INDEX_BYTES]))


def instagram_code(pk: int) -> str:
    """Return the shortcode of a media: its `pk` in base 64, most significant digit first."""
    return base64url(pk.to_bytes(9)).lstrip("A")
