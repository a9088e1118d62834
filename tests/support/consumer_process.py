"""A consumer of the high priority queue as a script, for a process that a test can kill."""

from __future__ import annotations

import json
import sys

from blogger_tracking.database.connections import open_pool
from blogger_tracking.platforms import PlatformConfig
from blogger_tracking.platforms.youtube import YouTubeService
from blogger_tracking.settings import Settings
from blogger_tracking.usecases.refresh_statistics import StatisticsRefresher
from tests.support.platform_accounts import KEY


def main(conninfo: str, youtube_url: str, settings: str) -> None:
    """Run the consumer until the queue is empty."""
    config = PlatformConfig.model_validate({"base_url": youtube_url, "api_key": KEY})
    pool = open_pool(conninfo, connections=4)
    StatisticsRefresher(pool, YouTubeService(config), Settings.model_validate(json.loads(settings))).run()
    pool.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
