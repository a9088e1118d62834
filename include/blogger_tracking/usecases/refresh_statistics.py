"""Use case: request the statistics of queued videos from YouTube."""

from __future__ import annotations

import contextvars
import logging
import re
import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from psycopg import DataError, IntegrityError
from psycopg import Error as DatabaseError
from psycopg_pool import ConnectionPool

from blogger_tracking.database.message_queues import (
    Delivery,
    FailedMessage,
    Message,
    acknowledge_taken_videos,
    fail_messages,
    read_backlog,
    release_messages,
    take_messages,
)
from blogger_tracking.database.platform_suspensions import suspended_platforms
from blogger_tracking.database.video_lookups import save_lookup
from blogger_tracking.database.videos import RemovalRule
from blogger_tracking.database.youtube_units import record_units, reserve_unit
from blogger_tracking.domain.clock import Clock
from blogger_tracking.domain.ledger import RequestUse
from blogger_tracking.domain.models import Platform, YouTubeVideo
from blogger_tracking.domain.platform_errors import ErrorKind, PlatformError
from blogger_tracking.domain.queues import Backlog, Queue, QueuedVideo, TimeBudget, group_into_calls
from blogger_tracking.domain.youtube_quota import VIDEOS_PER_CALL, next_quota_reset
from blogger_tracking.platforms.request_meter import count_requests
from blogger_tracking.settings import Settings
from blogger_tracking.usecases.suspend_platform import suspend_after

logger = logging.getLogger(__name__)

QUEUE = Queue.VIDEO_BATCHES

_VIDEO_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Ids that are sent to YouTube. Others could ask for other videos, or make the request one that YouTube refuses."""


class VideoLookup(Protocol):
    """Client that requests up to 50 videos in one call."""

    def get_videos(self, ids: Sequence[str]) -> Mapping[str, YouTubeVideo]:
        """Return the videos by id; private and deleted videos are missing. Raises PlatformError."""


@dataclass(frozen=True, slots=True)
class _Postponement:
    """The time before which YouTube gets no further calls, and the reason."""

    until: datetime
    reason: str


@dataclass(slots=True)
class _DeliveryProgress:
    """State of one delivery, shared by the threads that make its calls; `lock` guards changes."""

    delivery: Delivery
    postponement: _Postponement | None = None
    failures: dict[int, FailedMessage] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)


class StatisticsRefresher:
    """A consumer of the high priority queue; any number of consumers may run at once.

    Calls are filled across messages and bloggers. A partial call is made only if nothing more is expected, so that a
    run costs no more units than its videos need.
    """

    def __init__(
        self, pool: ConnectionPool, youtube: VideoLookup, settings: Settings, clock: Clock | None = None
    ) -> None:
        self._pool = pool
        self._youtube = youtube
        self._settings = settings
        self._clock = clock or Clock()
        self._partial_call_after = timedelta(minutes=settings.partial_call_after_minutes)

    def run(self) -> Counter[str]:
        """Process the queue until nothing waits and nothing more is expected, or the time budget is spent.

        Returns counts of `calls`, `videos` requested and acknowledged, `unseen` videos (missing from YouTube's
        response), `failed` and `postponed` messages. Database errors propagate: the messages taken become visible
        again after the visibility timeout. An empty queue costs one query.
        """
        time_budget = TimeBudget(self._settings.queue_seconds_per_run)
        counts: Counter[str] = Counter()
        with ThreadPoolExecutor(self._settings.statistics_threads, thread_name_prefix="statistics") as executor:
            while True:
                backlog = self._read_backlog()
                if backlog.call_is_due(VIDEOS_PER_CALL, self._clock.now(), self._partial_call_after):
                    counts.update(self._process_delivery(backlog, executor))
                elif backlog.more_to_come:
                    self._clock.sleep(self._settings.queue_poll_seconds)
                else:
                    break
                if time_budget.is_spent():
                    break
        return counts

    def _read_backlog(self) -> Backlog:
        """Return the backlog of the queue, as empty while YouTube is suspended."""
        moment = self._clock.now()
        with self._pool.connection() as connection:
            backlog = read_backlog(connection, QUEUE, moment)
            if backlog.items and Platform.YOUTUBE in suspended_platforms(connection, moment):
                logger.warning(
                    "YouTube is suspended. %s videos stay in %s and are requested once the suspension ends.",
                    backlog.items,
                    QUEUE,
                )
                return Backlog(items=0, oldest=None, more_to_come=False)
        return backlog

    def _process_delivery(self, backlog: Backlog, executor: ThreadPoolExecutor) -> Counter[str]:
        moment = self._clock.now()
        limit = self._settings.statistics_messages
        visibility = timedelta(minutes=self._settings.queue_visibility_minutes)
        with self._pool.connection() as connection:
            delivery = take_messages(connection, QUEUE, moment, limit=limit, visibility=visibility)
        progress = _DeliveryProgress(delivery)
        self._leave_out_unreadable(progress)
        calls = group_into_calls(_queued_videos(progress), VIDEOS_PER_CALL)
        more_expected = len(delivery.messages) == limit or backlog.more_to_come
        if more_expected and not backlog.is_overdue(moment, self._partial_call_after):
            calls = _without_partial_call(calls)
        futures = [
            executor.submit(contextvars.copy_context().run, self._make_call, progress, requested) for requested in calls
        ]
        for future in futures:
            future.result()
        self._fail_and_release(progress)
        return progress.counts

    def _leave_out_unreadable(self, progress: _DeliveryProgress) -> None:
        """Acknowledge ids that no YouTube video has, and park the messages that have no other ids."""
        left_out: list[QueuedVideo] = []
        for message in progress.delivery.messages:
            unreadable = [video_id for video_id in _waiting_ids(message) if not _VIDEO_ID.fullmatch(video_id)]
            if not unreadable:
                continue
            reason = f"{unreadable[0][:64]!r} is no id of a YouTube video"
            if len(unreadable) == len(message.row["videos"]):
                logger.error("Message %s of %s is parked: %s.", message.id, QUEUE, reason)
                progress.failures[message.id] = FailedMessage(message.id, reason, final=True)
            else:
                logger.error(
                    "%s ids in message %s of %s are acknowledged without statistics, and the others requested: %s.",
                    len(unreadable),
                    message.id,
                    QUEUE,
                    reason,
                )
                left_out += [QueuedVideo(message.id, message.fetch_id, video_id) for video_id in unreadable]
        if left_out:
            with self._pool.connection() as connection:
                acknowledge_taken_videos(connection, progress.delivery.receipt, left_out, self._clock.now())

    def _make_call(self, progress: _DeliveryProgress, requested: Sequence[QueuedVideo]) -> None:
        if progress.postponement or not self._reserve_unit(progress, requested):
            return
        error = self._request(progress, requested)
        if isinstance(error, PlatformError) and self._postpone_after(progress, error):
            return
        by_message = _group_by_message(requested)
        if error and len(by_message) > 1 and _may_concern_one_message(error, progress.delivery, by_message):
            logger.warning(
                "A request for the videos of %s messages failed (%s). The videos of each message are requested by "
                "themselves.",
                len(by_message),
                _reason(error),
            )
            for videos in by_message.values():
                self._make_call(progress, videos)
        elif error:
            self._fail(progress, requested, error)

    def _request(self, progress: _DeliveryProgress, requested: Sequence[QueuedVideo]) -> Exception | None:
        """Request these videos and save them. Returns the error of a response that cannot be read or saved.

        Errors of the database connection propagate.
        """
        ids = list(dict.fromkeys(video.external_video_id for video in requested))
        rule = RemovalRule(self._settings.removed_after_lookups, timedelta(hours=self._settings.hours_between_unseen))
        try:
            found = self._get_videos(requested, ids)
            with self._pool.connection() as connection:
                saved = save_lookup(connection, progress.delivery.receipt, requested, found, self._clock.now(), rule)
        except (DataError, IntegrityError) as error:
            return error
        except DatabaseError:
            raise
        except Exception as error:  # noqa: BLE001 - a response from outside may make any parser raise anything
            return error
        unseen = len(ids) - len(found)
        logger.info(
            "Requested %s videos from YouTube: %s missing from the response, %s acknowledged.", len(ids), unseen, saved
        )
        with progress.lock:
            progress.counts.update(calls=1, videos=saved, unseen=unseen)
        return None

    def _get_videos(self, requested: Sequence[QueuedVideo], ids: Sequence[str]) -> Mapping[str, YouTubeVideo]:
        with count_requests() as meter:
            try:
                return self._youtube.get_videos(ids)
            finally:
                # The unit of the first request is reserved already.
                self._record_retries(requested, meter.by_use[RequestUse.RETRY])

    def _reserve_unit(self, progress: _DeliveryProgress, requested: Sequence[QueuedVideo]) -> bool:
        now, budget = self._clock.now(), self._settings.youtube_daily_units
        with self._pool.connection() as connection:
            if reserve_unit(connection, now, budget, requested[0].fetch_id):
                return True
        self._postpone(progress, next_quota_reset(now), f"the day's {budget} units are spent")
        return False

    def _record_retries(self, requested: Sequence[QueuedVideo], retries: int) -> None:
        if retries:
            with self._pool.connection() as connection:
                record_units(connection, self._clock.now(), {RequestUse.RETRY: retries}, requested[0].fetch_id)

    def _postpone_after(self, progress: _DeliveryProgress, error: PlatformError) -> bool:
        """Postpone further calls if the error concerns no message; return True if they were postponed."""
        now = self._clock.now()
        with self._pool.connection() as connection:
            until = suspend_after(connection, error, now, self._settings)
        if until:
            # The suspension is an event in Sentry already.
            self._postpone(progress, until, str(error), logging.WARNING)
            return True
        if error.kind is ErrorKind.BLOCKED:
            # A block concerns no message, and often ends before the next fetch, so YouTube is not suspended.
            self._postpone(progress, now + timedelta(minutes=self._settings.suspension_minutes), str(error))
            return True
        return False

    def _fail(self, progress: _DeliveryProgress, requested: Sequence[QueuedVideo], error: Exception) -> None:
        reason = _reason(error)
        logger.error(
            "A request for %s videos failed; their messages %s are tried again later or parked: %s.",
            len(requested),
            sorted({video.message_id for video in requested}),
            reason,
            exc_info=None if isinstance(error, PlatformError) else error,
        )
        with progress.lock:
            for video in requested:
                progress.failures[video.message_id] = FailedMessage(video.message_id, reason, _is_final(error))

    def _postpone(self, progress: _DeliveryProgress, until: datetime, reason: str, level: int = logging.ERROR) -> None:
        with progress.lock:
            if progress.postponement is None:
                progress.postponement = _Postponement(until, reason)
                logger.log(
                    level,
                    "No further calls to YouTube until %s: %s. Unfinished messages stay in %s, and this delivery is "
                    "not counted as an attempt.",
                    until.isoformat(),
                    reason,
                    QUEUE,
                )

    def _fail_and_release(self, progress: _DeliveryProgress) -> None:
        """Save the failures of messages, and release the messages whose videos were not requested."""
        now, postponement = self._clock.now(), progress.postponement
        visible_at = postponement.until if postponement else now
        reason = postponement.reason if postponement else None
        with self._pool.connection() as connection:
            if progress.failures:
                failures = list(progress.failures.values())
                fail_messages(connection, QUEUE, progress.delivery.receipt, failures, now)
                progress.counts.update(failed=len(failures))
            released = release_messages(connection, QUEUE, progress.delivery, visible_at, reason)
        if postponement:
            progress.counts.update(postponed=released)


def _queued_videos(progress: _DeliveryProgress) -> list[QueuedVideo]:
    """Return the videos that are still to be requested, of messages that have not failed."""
    return [
        QueuedVideo(message.id, message.fetch_id, video_id)
        for message in progress.delivery.messages
        if message.id not in progress.failures
        for video_id in _waiting_ids(message)
        if _VIDEO_ID.fullmatch(video_id)
    ]


def _waiting_ids(message: Message) -> list[str]:
    return [video_id for video_id in message.row["videos"] if video_id not in message.row["acknowledged"]]


def _group_by_message(requested: Sequence[QueuedVideo]) -> dict[int, list[QueuedVideo]]:
    by_message: dict[int, list[QueuedVideo]] = {}
    for video in requested:
        by_message.setdefault(video.message_id, []).append(video)
    return by_message


def _may_concern_one_message(error: Exception, delivery: Delivery, message_ids: Collection[int]) -> bool:
    """Return True for an error that the videos of a single message may cause, and that the other messages then share.

    A malformed response often passes: only if a message has failed before, its videos are requested by themselves.
    """
    if _is_final(error):
        return True
    tried_before = any(message.attempts > 1 for message in delivery.messages if message.id in message_ids)
    return tried_before and isinstance(error, PlatformError) and error.kind is ErrorKind.MALFORMED_RESPONSE


def _is_final(error: Exception) -> bool:
    return not (isinstance(error, PlatformError) and error.handling.retry_fetch)


def _reason(error: Exception) -> str:
    """Return the reason of a failure. The text of an unexpected error may quote anything, and is left out."""
    return str(error) if isinstance(error, PlatformError) else f"the response cannot be read ({type(error).__name__})"


def _without_partial_call(calls: list[list[QueuedVideo]]) -> list[list[QueuedVideo]]:
    """Return the full calls, or all calls if none is full.

    The backlog counts a video once per message, so a delivery that was large enough for a full call may make none.
    """
    return [call for call in calls if _distinct_videos(call) == VIDEOS_PER_CALL] or calls


def _distinct_videos(call: Sequence[QueuedVideo]) -> int:
    return len({video.external_video_id for video in call})
