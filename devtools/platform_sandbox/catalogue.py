"""Videos of a creator and their counters at a given time.

Everything is arithmetic on the seed: any video is computed in constant time and nothing is stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from devtools.platform_sandbox.identifiers import hash_bits
from devtools.platform_sandbox.world import Creator, CreatorKind, PlatformName, World

_FIRST_PUBLICATION = 1_420_070_400
_HOUR = 3600
_CADENCES_HOURS = (8, 12, 24, 24, 48, 72, 168)
_HALF_LIFE_SECONDS = 3 * 24 * _HOUR
_LARGE_CATALOGUE = 600
_PINNED = 3


@dataclass(frozen=True, slots=True)
class Counters:
    """A video's exact counters at one moment. Counters never decrease."""

    views: int
    likes: int
    comments: int
    shares: int


@dataclass(frozen=True, slots=True)
class Video:
    """One video of a creator: running number, unix second of publication, and 64 pseudo-random bits."""

    owner: Creator
    number: int
    published: int
    bits: int

    def one_in(self, share: int, salt: int) -> bool:
        """Return True for one in `share` videos; different salts select independently."""
        return (self.bits >> salt) % share == 0

    @property
    def hides_likes(self) -> bool:
        """True if the owner hides the likes of this video."""
        return self.owner.kind is CreatorKind.HIDES_LIKES or self.one_in(41, 7)

    @property
    def malformed(self) -> bool:
        """True if the platform lists this video as an entry without the fields that clients need."""
        return self.one_in(8 if self.owner.kind is CreatorKind.UNTIDY else 151, 11)

    @property
    def title(self) -> str:
        """An invented title."""
        topics = ("morning routine", "soup for two", "tiny desk build", "trail run", "thrift finds", "piano cover")
        return f"{topics[self.bits % len(topics)]} #{self.number} ✨ with “{self.owner.display_name}”"

    @property
    def seconds(self) -> int:
        """Duration in seconds."""
        return 9 + self.bits % 600

    def counters(self, now: int) -> Counters:
        """Return the counters at a unix second.

        Views approach a final number with a half-life of three days; the other counters are fixed shares of the views.
        """
        age = max(0, now - self.published)
        final = (400 << (self.bits % 11)) * (1 + self.owner.index % 9)
        views = final * age // (age + _HALF_LIFE_SECONDS)
        return Counters(
            views=views,
            likes=views * (20 + (self.bits >> 20) % 100) // 1000,
            comments=views * (1 + (self.bits >> 28) % 9) // 1000,
            shares=views * (1 + (self.bits >> 36) % 20) // 1000,
        )


class Catalogue:
    """The videos that one creator lists: the newest `size` of an endless series with the creator's own cadence."""

    def __init__(self, world: World, creator: Creator, video_count: int | None = None) -> None:
        bits = hash_bits(world.seed, creator.platform, creator.index, "cadence")
        self.creator = creator
        self.size = _size(creator, bits, video_count)
        self._seed = world.seed
        self._interval = _CADENCES_HOURS[bits % len(_CADENCES_HOURS)] * _HOUR
        self._start = _FIRST_PUBLICATION + (bits >> 16) % self._interval

    def video(self, number: int) -> Video:
        """Return the video with this number, which may not be published yet."""
        bits = hash_bits(self._seed, self.creator.platform, self.creator.index, "video", number)
        jitter = (bits >> 44) % (self._interval * 4 // 5)
        return Video(self.creator, number, self._start + number * self._interval + jitter, bits)

    def newest(self, now: int) -> int:
        """Return the number of the newest video published by a unix second."""
        number = (now - self._start) // self._interval
        return number if self.video(number).published <= now else number - 1

    def oldest(self, now: int) -> int:
        """Return the number of the oldest video still listed at a unix second."""
        return self.newest(now) - self.size + 1

    def before(self, second: int, now: int) -> Iterator[Video]:
        """Yield the videos listed at `now` and published before `second`, newest first, without pinned videos."""
        pinned = self._pinned_numbers(now)
        for number in range(min(self.newest(second - 1), self.newest(now)), self.oldest(now) - 1, -1):
            if number not in pinned:
                yield self.video(number)

    def pinned(self, now: int) -> list[Video]:
        """Return the older videos that the platform lists first."""
        return [self.video(number) for number in self._pinned_numbers(now)]

    def _pinned_numbers(self, now: int) -> tuple[int, ...]:
        pins = self.creator.kind is CreatorKind.PINS and self.creator.platform is not PlatformName.YOUTUBE
        if not pins or self.size <= _PINNED:
            return ()
        newest = self.newest(now)
        return tuple(newest - (newest - step) % self.size for step in range(_PINNED))


def _size(creator: Creator, bits: int, video_count: int | None) -> int:
    if creator.kind in {CreatorKind.EMPTY, CreatorKind.GONE}:
        return 0
    if video_count is not None:
        return video_count
    return _LARGE_CATALOGUE if creator.kind is CreatorKind.LARGE else 40 + (bits >> 40) % 121
