"""Saving the result of a lookup of YouTube videos (`videos.list`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from psycopg import Connection

from blogger_tracking.database.connections import bounded_transaction
from blogger_tracking.database.message_queues import acknowledge_videos, lock_taken_messages
from blogger_tracking.database.video_statistics import save_statistics
from blogger_tracking.database.videos import RemovalRule, lock_videos, record_missing_videos, record_seen_videos
from blogger_tracking.domain.models import Platform, VideoStatistics, YouTubeVideo
from blogger_tracking.domain.queues import Queue, QueuedVideo


def save_lookup(
    connection: Connection,
    receipt: UUID,
    requested: Sequence[QueuedVideo],
    found: Mapping[str, YouTubeVideo],
    moment: datetime,
    rule: RemovalRule,
) -> int:
    """Save the videos that YouTube returned, record the missing ones, and acknowledge all requested videos.

    Returns the number of acknowledged entries. Nothing is saved for entries of messages that another consumer has
    taken meanwhile. Uses one transaction, whose round trips do not depend on the number of videos.
    """
    message_ids = {video.message_id for video in requested}
    with bounded_transaction(connection):
        locked = lock_taken_messages(connection, Queue.VIDEO_BATCHES, receipt, message_ids)
        owned = [video for video in requested if video.message_id in locked]
        if owned:
            with connection.pipeline():
                _save(connection, owned, found, moment, rule)
    return len(owned)


def _save(
    connection: Connection,
    requested: Sequence[QueuedVideo],
    found: Mapping[str, YouTubeVideo],
    moment: datetime,
    rule: RemovalRule,
) -> None:
    video_ids = sorted({video.external_video_id for video in requested})
    seen = [found[video_id] for video_id in video_ids if video_id in found]
    missing = [video_id for video_id in video_ids if video_id not in found]
    lock_videos(connection, Platform.YOUTUBE, video_ids)
    if seen:
        record_seen_videos(connection, seen)
        # Two messages of one fetch may list the same video.
        pairs = {(video.fetch_id, video.external_video_id) for video in requested if video.external_video_id in found}
        captured = [(fetch_id, _statistics(found[video_id])) for fetch_id, video_id in sorted(pairs)]
        save_statistics(connection, Platform.YOUTUBE, captured)
    if missing:
        record_missing_videos(connection, missing, moment, rule)
    acknowledge_videos(connection, requested, moment)


def _statistics(video: YouTubeVideo) -> VideoStatistics:
    # A video without statistics gets a row with every number null, which records the request to YouTube.
    return video.statistics or VideoStatistics(external_video_id=video.external_video_id)
