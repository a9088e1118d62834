"""Use case: copy pictures into object storage before their addresses expire."""

from __future__ import annotations

import contextvars
import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from psycopg_pool import ConnectionPool

from blogger_tracking.database.message_queues import Delivery, FailedMessage, Message, fail, finish, take
from blogger_tracking.database.thumbnails import ThumbnailOwner, read_owners, read_thumbnail_backlog, record_paths
from blogger_tracking.domain.clock import Clock
from blogger_tracking.domain.errors import StorageError, ThumbnailError
from blogger_tracking.domain.queues import Backlog, Queue
from blogger_tracking.settings import Settings
from blogger_tracking.thumbnails.download import ThumbnailDownloader
from blogger_tracking.usecases.drain_queue import TimeBudget, drain

logger = logging.getLogger(__name__)

QUEUE = Queue.THUMBNAILS


class ThumbnailStore(Protocol):
    """An object storage. Safe to use from several threads."""

    def write(self, key: str, content: bytes) -> str:
        """Store an object under a key such as `youtube/id.jpg`, in place of an older one; return where it is.

        Raises StorageError.
        """


@dataclass(frozen=True, slots=True)
class _Stored:
    """A message whose picture is in the storage; `path` is None where it was there before."""

    message_id: int
    video_id: int
    path: str | None


class ThumbnailStorer:
    """A consumer of the thumbnail queue. Any number of them may work at once."""

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
            allow_loopback=settings.thumbnail_allow_loopback,
        )

    def run(self) -> Counter[str]:
        """Store what waits, and what the fetches under way queue; return what was done, by name.

        Counts messages that were `stored`, `skipped` (the picture was stored before) and `failed`, parked ones
        included. What the database raises is let through: messages then come back after the visibility timeout.
        """
        time_budget = TimeBudget(self._settings.queue_seconds_per_run, self._settings.queue_poll_seconds)
        with ThreadPoolExecutor(self._settings.thumbnail_threads, thread_name_prefix="thumbnails") as executor:
            return drain(
                self._look, lambda backlog: backlog.items > 0, lambda _: self._work(executor), time_budget, self._clock
            )

    def _look(self) -> Backlog:
        with self._pool.connection() as connection:
            return read_thumbnail_backlog(connection, self._clock.now())

    def _work(self, executor: ThreadPoolExecutor) -> Counter[str]:
        delivery, owners = self._take()
        outcomes = [
            future.result()
            for future in [
                executor.submit(contextvars.copy_context().run, self._handle, message, owners[message.row["video_id"]])
                for message in delivery.messages
            ]
        ]
        stored = [outcome for outcome in outcomes if isinstance(outcome, _Stored)]
        failures = [outcome for outcome in outcomes if isinstance(outcome, FailedMessage)]
        self._save(delivery, stored, failures)
        new = sum(outcome.path is not None for outcome in stored)
        logger.info("Stored %s pictures, %s were there before, %s failed.", new, len(stored) - new, len(failures))
        return Counter(stored=new, skipped=len(stored) - new, failed=len(failures))

    def _take(self) -> tuple[Delivery, dict[int, ThumbnailOwner]]:
        visibility = timedelta(minutes=self._settings.queue_visibility_minutes)
        with self._pool.connection() as connection:
            delivery = take(
                connection,
                QUEUE,
                self._clock.now(),
                limit=self._settings.thumbnail_messages,
                visibility=visibility,
            )
            owners = read_owners(connection, [message.row["video_id"] for message in delivery.messages])
        return delivery, owners

    def _handle(self, message: Message, owner: ThumbnailOwner) -> _Stored | FailedMessage:
        if owner.thumbnail_path is not None:
            return _Stored(message.id, owner.id, None)
        try:
            thumbnail = self._downloader.download(message.row["thumbnail_url"])
            path = self._store.write(owner.key(thumbnail.extension), thumbnail.content)
        except ThumbnailError as error:
            logger.warning("No picture for %s video %s: %s.", owner.platform, owner.external_video_id, error)
            return FailedMessage(message.id, str(error), error.final)
        except StorageError as error:
            logger.exception("The picture of %s video %s was not stored.", owner.platform, owner.external_video_id)
            return FailedMessage(message.id, str(error))
        return _Stored(message.id, owner.id, path)

    def _save(self, delivery: Delivery, stored: list[_Stored], failures: list[FailedMessage]) -> None:
        now = self._clock.now()
        with self._pool.connection() as connection, connection.pipeline(), connection.transaction():
            record_paths(connection, {each.video_id: each.path for each in stored if each.path is not None})
            finish(connection, QUEUE, delivery.receipt, [each.message_id for each in stored], now)
            fail(connection, QUEUE, delivery.receipt, failures, now)
