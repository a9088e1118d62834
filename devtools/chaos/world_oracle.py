"""Videos and counters that the sandbox lists for a creator, computed from the sandbox's world and not from the ledger.

Only ordinary creators are used, whose lists hold their newest videos in the order of publication: `is_plain` leaves out
the creators for which the newest videos of a list are a matter of interpretation.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from devtools.platform_sandbox import Catalogue, Counters, Creator, CreatorKind, PlatformName, Video, World
from devtools.platform_sandbox.instagram_media import MediaKind, is_mixed, media_kind

_NEWEST_CHECKED = 45
_STEP_SECONDS = 60
_TRY_SECONDS = 1_800


class WorldOracle:
    """Expected videos of plain creators. The sandbox must run with `--no-traps`."""

    def __init__(self, world: World) -> None:
        self.world = world

    def plain_creators(self, platform: PlatformName, moment: datetime) -> Iterator[Creator]:
        """Yield the plain creators of a platform."""
        ordinary = self.world.creators(platform, CreatorKind.NORMAL)
        return (creator for creator in ordinary if self._is_plain(creator, moment))

    def newest(self, creator: Creator, moment: datetime, count: int) -> list[str]:
        """Return the ids of the newest `count` videos that the platform lists at a moment, newest first."""
        return list(islice(self._listed(creator, moment), count))

    def counters(self, creator: Creator, video_id: str, moment: datetime) -> Counters | None:
        """Return the counters of a listed video at a moment; None if the creator does not list the video."""
        second = _second(moment)
        for video in self._videos(creator, second):
            if self._id_of(video) == video_id:
                return video.counters(second)
        return None

    def video(self, creator: Creator, video_id: str, moment: datetime) -> Video | None:
        """Return a listed video by its id, or None."""
        return next((video for video in self._videos(creator, _second(moment)) if self._id_of(video) == video_id), None)

    def hides_views(self, creator: Creator, video_id: str, moment: datetime) -> bool:
        """Return True for a video of TikTok whose counter of views has overflowed: the number is then unknown."""
        video = self.video(creator, video_id, moment)
        return video is not None and creator.platform is PlatformName.TIKTOK and video.one_in(61, 19)

    def _listed(self, creator: Creator, moment: datetime) -> Iterator[str]:
        return (self._id_of(video) for video in self._videos(creator, _second(moment)))

    def _videos(self, creator: Creator, second: int) -> Iterator[Video]:
        listed = Catalogue(self.world, creator).before(second + 1, second)
        return (video for video in listed if _is_video(video))

    def _id_of(self, video: Video) -> str:
        identifiers, owner = self.world.identifiers, video.owner
        if owner.platform is PlatformName.TIKTOK:
            return identifiers.tiktok_video(owner.index, video.published)
        if owner.platform is PlatformName.INSTAGRAM:
            return str(identifiers.instagram_media(owner.index, video.published))
        return identifiers.youtube_video(owner.index, video.number)

    def _is_plain(self, creator: Creator, moment: datetime) -> bool:
        if creator.platform is not PlatformName.INSTAGRAM:
            return True
        # A reel of another account has that account's date and id, and the posts of a mixed account are read as needed.
        # The creator must stay plain for as long as a try takes.
        last = _second(moment) + _TRY_SECONDS
        newest = islice(Catalogue(self.world, creator).before(last + 1, last), _NEWEST_CHECKED)
        return not is_mixed(creator) and all(media_kind(video) is not MediaKind.COLLAB for video in newest)


def _is_video(video: Video) -> bool:
    if video.owner.platform is PlatformName.TIKTOK:
        return not video.one_in(16, 8)
    return video.owner.platform is PlatformName.YOUTUBE or media_kind(video) is MediaKind.CLIP


def _second(moment: datetime) -> int:
    """Return the moment as the sandbox renders it: the last whole minute."""
    return int(moment.timestamp()) // _STEP_SECONDS * _STEP_SECONDS
