"""The tasks that consume the queues.

DAG files import it: what only a running task needs is imported when it runs.
"""

from __future__ import annotations

from airflow.sdk import task

from blogger_tracking.domain.errors import ConfigurationError
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.queues import Queue
from blogger_tracking.settings import get_settings

BEFORE_OTHER_WORK = 1000
"""Priority weight of the consumers: they end what fetches began, and are few."""


@task(
    task_display_name="Statistics of queued videos",
    multiple_outputs=False,
    priority_weight=BEFORE_OTHER_WORK,
    weight_rule="absolute",
)
def refresh_statistics() -> dict[str, int]:
    """Ask YouTube for what is queued; give what was done, by name."""
    from blogger_tracking.orchestration.connections import database_pool, platform_service
    from blogger_tracking.platforms.youtube import YouTubeService
    from blogger_tracking.usecases.manage_queues import consume
    from blogger_tracking.usecases.refresh_statistics import StatisticsRefresher

    youtube = platform_service(Platform.YOUTUBE)
    if not isinstance(youtube, YouTubeService):
        raise ConfigurationError(f"{Platform.YOUTUBE} is served by {type(youtube).__name__}, which looks up no videos.")
    refresher = StatisticsRefresher(database_pool(), youtube, get_settings())
    return consume(database_pool(), Queue.VIDEO_BATCHES, refresher.run)


@task(
    task_display_name="Pictures of queued videos",
    multiple_outputs=False,
    priority_weight=BEFORE_OTHER_WORK,
    weight_rule="absolute",
)
def store_thumbnails() -> dict[str, int]:
    """Store the pictures that are queued; give what was done, by name."""
    from blogger_tracking.orchestration.connections import database_pool
    from blogger_tracking.orchestration.thumbnail_store import thumbnail_store
    from blogger_tracking.usecases.manage_queues import consume
    from blogger_tracking.usecases.store_thumbnails import ThumbnailStorer

    storer = ThumbnailStorer(database_pool(), thumbnail_store(), get_settings())
    return consume(database_pool(), Queue.THUMBNAILS, storer.run)
