"""A consumer of one queue as a script, for a process that a test can kill, or that one message kills."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence

from blogger_tracking.database.connections import open_pool
from blogger_tracking.domain.models import YouTubeVideo
from blogger_tracking.domain.queues import Queue
from blogger_tracking.platforms import PlatformConfig
from blogger_tracking.platforms.youtube import YouTubeService
from blogger_tracking.settings import Settings
from blogger_tracking.usecases.refresh_statistics import StatisticsRefresher
from blogger_tracking.usecases.store_thumbnails import ThumbnailStorer
from tests.support.platform_accounts import KEY


class DeadlyVideos:
    """A client of YouTube that kills its process when it is asked for one video."""

    def __init__(self, youtube: YouTubeService, deadly: str) -> None:
        self._youtube = youtube
        self._deadly = deadly

    def get_videos(self, ids: Sequence[str]) -> Mapping[str, YouTubeVideo]:
        if self._deadly in ids:
            _die()
        return self._youtube.get_videos(ids)


class DeadlyStore:
    """A ThumbnailStore that kills its process when the thumbnail of one video is written."""

    def __init__(self, deadly: str) -> None:
        self._deadly = deadly

    def write(self, key: str, content: bytes) -> str:
        if f"/{self._deadly}." in key and content:
            _die()
        return f"stored/{key}"

    def remove(self, path: str) -> None:
        """Do nothing: a removed video would be a fault of the test."""


def _die() -> None:
    # As the kernel does to a process that has used up the memory.
    os.kill(os.getpid(), signal.SIGKILL)


def main(queue: str, conninfo: str, youtube_url: str, settings: str, deadly: str) -> None:
    """Run the consumer until the queue is empty."""
    read = Settings.model_validate(json.loads(settings))
    pool = open_pool(conninfo, connections=4)
    if queue == Queue.VIDEO_BATCHES:
        config = PlatformConfig.model_validate({
            "base_url": youtube_url,
            "api_key": KEY,
            "requests_per_second": 10_000,
        })
        StatisticsRefresher(pool, DeadlyVideos(YouTubeService(config), deadly), read).run()
    else:
        ThumbnailStorer(pool, DeadlyStore(deadly), read).run()
    pool.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
