"""Use case: copy thumbnails into object storage before their URLs expire."""

from __future__ import annotations

import contextvars
import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from psycopg_pool import ConnectionPool

from blogger_tracking.database.connections import pipelined_transaction
from blogger_tracking.database.message_queues import (
    Delivery,
    FailedMessage,
    Message,
    fail_messages,
    finish_messages,
    read_backlog,
    release_messages,
    take_messages,
)
from blogger_tracking.database.videos import VideoThumbnail, read_video_thumbnails, save_thumbnail_paths
from blogger_tracking.domain.clock import Clock
from blogger_tracking.domain.errors import StorageError, ThumbnailError
from blogger_tracking.domain.queues import Backlog, Queue, TimeBudget
from blogger_tracking.settings import Settings
from blogger_tracking.thumbnails.download import ThumbnailDownloader

logger = logging.getLogger(__name__)

QUEUE = Queue.THUMBNAILS

STORAGE_PAUSE = timedelta(minutes=5)
"""Time for which the messages wait whose thumbnails the storage has refused."""


class ThumbnailStore(Protocol):
    """An object storage. Thread-safe."""

    def write(self, key: str, content: bytes) -> str:
        """Write an object under a key such as `youtube/id.jpg`, replacing an older object; return the object's path.

        Raises StorageError.
        """

    def remove(self, path: str) -> None:
        """Remove the object at a path that `write` returned, if the object is there. Raises StorageError."""


@dataclass(frozen=True, slots=True)
class _StoredThumbnail:
    """A message whose thumbnail is in the storage; `path` is None if the thumbnail was stored before."""

    message_id: int
    video_id: int
    path: str | None


@dataclass(frozen=True, slots=True)
class _UnstoredThumbnail:
    """A message whose thumbnail the storage refused: a matter of the storage, and not of the message."""

    message: Message
    reason: str


class ThumbnailStorer:
    """A consumer of the thumbnail queue; any number of consumers may run at once."""

    def __init__(
        self, pool: ConnectionPool, store: ThumbnailStore, settings: Settings, clock: Clock | None = None
    ) -> None:
        self._pool = pool
        self._store = store
        self._settings = settings
        self._clock = clock or Clock()
        self._downloader = ThumbnailDownloader(
            bytes_limit=settings.thumbnail_bytes_limit,
            seconds=settings.thumbnail_timeout_seconds,
            allow_private=settings.thumbnail_allow_private,
        )

    def run(self) -> Counter[str]:
        """Process the queue until nothing waits and nothing more is expected, or the time budget is spent.

        Returns counts of messages: `stored`, `skipped` (the thumbnail was stored before) and `failed`, parked ones
        included. Database errors propagate: the messages taken become visible again after the visibility timeout.
        An empty queue costs one query. Messages whose thumbnails the storage refuses wait for STORAGE_PAUSE, and their
        attempt is not counted. Raises StorageError once the storage refuses all thumbnails of a delivery.
        """
        time_budget = TimeBudget(self._settings.queue_seconds_per_run)
        counts: Counter[str] = Counter()
        with ThreadPoolExecutor(self._settings.thumbnail_threads, thread_name_prefix="thumbnails") as executor:
            while True:
                backlog = self._read_backlog()
                if backlog.items > 0:
                    counts.update(self._process_delivery(executor))
                elif backlog.more_to_come:
                    self._clock.sleep(self._settings.queue_poll_seconds)
                else:
                    break
                if time_budget.is_spent():
                    break
        return counts

    def _read_backlog(self) -> Backlog:
        with self._pool.connection() as connection:
            return read_backlog(connection, QUEUE, self._clock.now())

    def _process_delivery(self, executor: ThreadPoolExecutor) -> Counter[str]:
        delivery, thumbnails = self._take()
        futures = [
            executor.submit(
                contextvars.copy_context().run, self._store_one, message, thumbnails[message.row["video_id"]]
            )
            for message in delivery.messages
            # A video that was removed meanwhile took its message along.
            if message.row["video_id"] in thumbnails
        ]
        outcomes = [future.result() for future in futures]
        stored = [outcome for outcome in outcomes if isinstance(outcome, _StoredThumbnail)]
        failures = [outcome for outcome in outcomes if isinstance(outcome, FailedMessage)]
        unstored = [outcome for outcome in outcomes if isinstance(outcome, _UnstoredThumbnail)]
        self._save(delivery, stored, failures, unstored)
        new = sum(outcome.path is not None for outcome in stored)
        logger.info("Stored %s thumbnails; %s were stored before, %s failed.", new, len(stored) - new, len(failures))
        if unstored:
            self._report_unstored(unstored, all_refused=not new)
        return Counter(stored=new, skipped=len(stored) - new, failed=len(failures))

    def _report_unstored(self, unstored: list[_UnstoredThumbnail], *, all_refused: bool) -> None:
        report = (
            f"{len(unstored)} thumbnails were not stored, and no attempt of their messages was counted. For example: "
            f"{unstored[0].reason}. The messages are tried again after {STORAGE_PAUSE.seconds // 60} minutes. Check "
            "the storage and its Connection."
        )
        if all_refused:
            # The task's retry finds no visible message and is green: the error itself never reaches Sentry. A
            # refusal that all messages had before is not reported again.
            if any(each.message.row["last_error"] != each.reason for each in unstored):
                logger.error("%s", report, extra={"fingerprint": (str(QUEUE), "storage_refused")})
            raise StorageError(report)
        logger.warning("%s", report)

    def _take(self) -> tuple[Delivery, dict[int, VideoThumbnail]]:
        limit = self._settings.thumbnail_messages
        visibility = timedelta(minutes=self._settings.queue_visibility_minutes)
        with self._pool.connection() as connection:
            delivery = take_messages(connection, QUEUE, self._clock.now(), limit=limit, visibility=visibility)
            thumbnails = read_video_thumbnails(connection, [message.row["video_id"] for message in delivery.messages])
        return delivery, thumbnails

    def _store_one(
        self, message: Message, thumbnail: VideoThumbnail
    ) -> _StoredThumbnail | _UnstoredThumbnail | FailedMessage:
        if thumbnail.thumbnail_path is not None:
            return _StoredThumbnail(message.id, thumbnail.id, None)
        try:
            image = self._downloader.download(message.row["thumbnail_url"])
        except ThumbnailError as error:
            logger.warning(
                "The thumbnail of %s video %s was not downloaded: %s. Its message is tried again later or parked.",
                thumbnail.platform,
                thumbnail.external_video_id,
                error,
            )
            return FailedMessage(message.id, str(error), error.final)
        except Exception as error:  # noqa: BLE001 - an address or a response from outside may make any parser raise anything
            logger.warning(
                "The thumbnail of %s video %s was not downloaded: %s. Its message is tried again later or parked.",
                thumbnail.platform,
                thumbnail.external_video_id,
                type(error).__name__,
            )
            return FailedMessage(message.id, f"the URL or the response cannot be read ({type(error).__name__})")
        try:
            path = self._store.write(thumbnail.storage_key(image.extension), image.content)
        except StorageError as error:
            return _UnstoredThumbnail(message, str(error))
        return _StoredThumbnail(message.id, thumbnail.id, path)

    def _save(
        self,
        delivery: Delivery,
        stored: list[_StoredThumbnail],
        failures: list[FailedMessage],
        unstored: list[_UnstoredThumbnail],
    ) -> None:
        now = self._clock.now()
        paths = {each.video_id: each.path for each in stored if each.path is not None}
        with self._pool.connection() as connection, pipelined_transaction(connection):
            saved = save_thumbnail_paths(connection, paths)
            finish_messages(connection, QUEUE, delivery.receipt, [each.message_id for each in stored], now)
            fail_messages(connection, QUEUE, delivery.receipt, failures, now)
            if unstored:
                released = Delivery(delivery.receipt, [each.message for each in unstored])
                release_messages(connection, QUEUE, released, now + STORAGE_PAUSE, unstored[0].reason)
        for video_id in paths.keys() - set(saved.fetchall()):
            # The removal of the video could not know of this object.
            self._store.remove(paths[video_id])
