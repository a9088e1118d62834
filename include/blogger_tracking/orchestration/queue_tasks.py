"""The queues in Airflow: assets that announce messages, and the tasks that consume the messages.

DAG files import this module: modules that only a running task needs are imported inside functions.
"""

from __future__ import annotations

from airflow.sdk import Asset, AssetOrTimeSchedule, AssetWatcher, CronTriggerTimetable, task

from blogger_tracking.domain.errors import ConfigurationError
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.queues import Queue
from blogger_tracking.orchestration.error_reporting import errors_reported
from blogger_tracking.orchestration.queue_watcher import QueueWatcher
from blogger_tracking.orchestration.task_defaults import RESTART_TOLERANCE
from blogger_tracking.settings import get_settings

HIGH_PRIORITY_QUEUE = Asset(Queue.VIDEO_BATCHES.value)
THUMBNAIL_QUEUE = Asset(Queue.THUMBNAILS.value)

VIDEO_BATCH_DAG_ID = "youtube_video_batch"
THUMBNAIL_DAG_ID = "video_thumbnails"

QUEUE_ASSETS = [HIGH_PRIORITY_QUEUE, THUMBNAIL_QUEUE]
"""Outlets of a task before or in which fetches enqueue messages: a consumer that starts early waits for the fetches."""

FALLBACK_CRON = "30 * * * *"
"""Schedule on which consumers start whether there is work or not, in case the triggerer or a watcher does not run."""

CONSUMER_PRIORITY = 1000
"""Priority weight of the consumers: the few tasks that complete the fetches' work start before all other tasks."""


def consumer_schedule(queue: Asset) -> AssetOrTimeSchedule:
    """Return the schedule of a queue's consumer: when messages are announced, when messages are due, and every hour.

    Due messages have an asset of their own, because only one DAG file may declare the watchers of an asset: Airflow
    keeps those of the file that it parsed last.
    """
    due = Asset(f"{queue.name}_due", watchers=[AssetWatcher(name=queue.name, trigger=QueueWatcher(queue.name))])
    return AssetOrTimeSchedule(timetable=CronTriggerTimetable(FALLBACK_CRON, timezone="UTC"), assets=queue | due)


@task(
    task_display_name="Statistics of queued videos",
    multiple_outputs=False,
    priority_weight=CONSUMER_PRIORITY,
    weight_rule="absolute",
    **RESTART_TOLERANCE,
)
@errors_reported()
def refresh_statistics() -> dict[str, int]:
    """Request the statistics of queued videos from YouTube; return counts of what was done."""
    from blogger_tracking.orchestration.connected_services import database_pool, platform_service
    from blogger_tracking.platforms.youtube import YouTubeService
    from blogger_tracking.usecases.manage_queues import consume
    from blogger_tracking.usecases.refresh_statistics import StatisticsRefresher

    youtube = platform_service(Platform.YOUTUBE)
    if not isinstance(youtube, YouTubeService):
        raise ConfigurationError(
            f"{Platform.YOUTUBE} is served by {type(youtube).__name__}, which cannot look videos up. "
            f"Messages stay in {Queue.VIDEO_BATCHES}. Register YouTubeService for {Platform.YOUTUBE}."
        )
    refresher = StatisticsRefresher(database_pool(), youtube, get_settings())
    return consume(database_pool(), Queue.VIDEO_BATCHES, refresher.run)


@task(
    task_display_name="Thumbnails of queued videos",
    multiple_outputs=False,
    priority_weight=CONSUMER_PRIORITY,
    weight_rule="absolute",
    **RESTART_TOLERANCE,
)
@errors_reported()
def store_thumbnails() -> dict[str, int]:
    """Store queued thumbnails; return counts of what was done."""
    from blogger_tracking.orchestration.connected_services import database_pool
    from blogger_tracking.orchestration.thumbnail_store import thumbnail_store
    from blogger_tracking.usecases.manage_queues import consume
    from blogger_tracking.usecases.store_thumbnails import ThumbnailStorer

    storer = ThumbnailStorer(database_pool(), thumbnail_store(), get_settings())
    return consume(database_pool(), Queue.THUMBNAILS, storer.run)
