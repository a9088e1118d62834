"""The assets that tell the consumers of the queues that there is, or will be, work."""

from __future__ import annotations

from airflow.sdk import Asset, AssetOrTimeSchedule, CronTriggerTimetable

from blogger_tracking.domain.queues import Queue

HIGH_PRIORITY_QUEUE = Asset(Queue.VIDEO_BATCHES.value)
THUMBNAIL_QUEUE = Asset(Queue.THUMBNAILS.value)

QUEUES = [HIGH_PRIORITY_QUEUE, THUMBNAIL_QUEUE]
"""Outlets of a task after which fetches save: a consumer that starts before them waits for them."""

LEFTOVERS = "*/5 * * * *"
"""When consumers look for messages whose pause is over (contract of the queues)."""


def on_work_or_leftovers(queue: Asset) -> AssetOrTimeSchedule:
    """The schedule of a consumer: as soon as its queue is announced, and every five minutes."""
    return AssetOrTimeSchedule(timetable=CronTriggerTimetable(LEFTOVERS, timezone="UTC"), assets=queue)
