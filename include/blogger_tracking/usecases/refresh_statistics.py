"""Use case: ask YouTube for the statistics of the videos that fetches have queued."""

from __future__ import annotations

import contextvars
import logging
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from psycopg_pool import ConnectionPool

from blogger_tracking.database.message_queues import Delivery, FailedMessage, fail, give_back, take
from blogger_tracking.database.platform_suspensions import suspend_platform
from blogger_tracking.database.video_lookups import UnseenRule, is_suspended, read_statistics_backlog, save_lookup
from blogger_tracking.database.youtube_units import UnitUse, record_units, reserve_unit
from blogger_tracking.domain.clock import Clock
from blogger_tracking.domain.models import Platform, YouTubeVideo
from blogger_tracking.domain.platform_errors import PlatformError, suspended_until
from blogger_tracking.domain.queues import Backlog, Queue, WantedVideo, fill_calls
from blogger_tracking.domain.youtube_quota import VIDEOS_PER_CALL, next_quota_reset
from blogger_tracking.platforms.metering import count_requests
from blogger_tracking.settings import Settings
from blogger_tracking.usecases.drain_queue import TimeBudget, drain

logger = logging.getLogger(__name__)

QUEUE = Queue.VIDEO_BATCHES
NOTHING = Backlog(0, None, more_to_come=False)


class VideoLookup(Protocol):
    """What can tell about up to 50 videos at once."""

    def get_videos(self, ids: Sequence[str]) -> Mapping[str, YouTubeVideo]:
        """The videos by id, without those that are private or gone. Raises PlatformError."""


@dataclass(frozen=True, slots=True)
class _Pause:
    """Until when YouTube is asked nothing more, and why."""

    until: datetime
    reason: str


@dataclass(slots=True)
class _DeliveryProgress:
    """One delivery while its calls are made, by several threads."""

    delivery: Delivery
    paused: _Pause | None = None
    failures: dict[int, FailedMessage] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)


class StatisticsRefresher:
    """A consumer of the high priority queue. Any number of them may work at once.

    Calls are filled across messages and bloggers. One that is not full is made only when nothing more is to come, so
    that a run costs no more calls than its videos need.
    """

    def __init__(
        self, pool: ConnectionPool, youtube: VideoLookup, settings: Settings, clock: Clock | None = None
    ) -> None:
        self._pool = pool
        self._youtube = youtube
        self._settings = settings
        self._clock = clock or Clock()
        self._partial_after = timedelta(minutes=settings.partial_call_after_minutes)

    def run(self) -> Counter[str]:
        """Refresh what waits, and what the fetches under way queue; return what was done, by name.

        Counts `calls`, `videos` (answered for), `unseen` (of them, left out by YouTube), `failed` and `postponed`
        messages. What the database raises is let through: messages then come back after the visibility timeout.
        """
        time_budget = TimeBudget(self._settings.queue_seconds_per_run, self._settings.queue_poll_seconds)
        with ThreadPoolExecutor(self._settings.statistics_threads, thread_name_prefix="statistics") as executor:
            return drain(
                self._look, self._is_ready, lambda backlog: self._work(backlog, executor), time_budget, self._clock
            )

    def _look(self) -> Backlog:
        moment = self._clock.now()
        with self._pool.connection() as connection:
            backlog = read_statistics_backlog(connection, moment)
            if backlog.items and is_suspended(connection, moment):
                logger.warning("YouTube is left alone for now: %s videos wait for their statistics.", backlog.items)
                return NOTHING
        return backlog

    def _is_ready(self, backlog: Backlog) -> bool:
        return backlog.fills_a_call(VIDEOS_PER_CALL, self._clock.now(), self._partial_after)

    def _work(self, backlog: Backlog, executor: ThreadPoolExecutor) -> Counter[str]:
        moment = self._clock.now()
        limit = self._settings.statistics_messages
        visibility = timedelta(minutes=self._settings.queue_visibility_minutes)
        with self._pool.connection() as connection:
            delivery = take(connection, QUEUE, moment, limit=limit, visibility=visibility)
        current = _DeliveryProgress(delivery)
        more_waits = len(delivery.messages) == limit or backlog.more_to_come
        calls = fill_calls(_wanted(delivery), VIDEOS_PER_CALL)
        if more_waits and not backlog.is_overdue(moment, self._partial_after):
            calls = _without_partial(calls)
        for future in [executor.submit(contextvars.copy_context().run, self._call, current, call) for call in calls]:
            future.result()
        self._close(current)
        return current.done

    def _call(self, current: _DeliveryProgress, wanted: Sequence[WantedVideo]) -> None:
        if current.paused or not self._may_spend(current, wanted):
            return
        ids = list(dict.fromkeys(each.external_video_id for each in wanted))
        with count_requests() as meter:
            try:
                found = self._youtube.get_videos(ids)
            except PlatformError as error:
                self._note_error(current, wanted, error)
                return
            finally:
                self._record_retries(wanted, meter.requests - 1)
        rule = UnseenRule(self._settings.removed_after_lookups, timedelta(hours=self._settings.hours_between_unseen))
        with self._pool.connection() as connection:
            saved = save_lookup(connection, current.delivery.receipt, wanted, found, self._clock.now(), rule)
        unseen = len(ids) - len(found)
        logger.info("Asked YouTube for %s videos: %s left out, %s answers saved.", len(ids), unseen, saved)
        with current.lock:
            current.done.update(calls=1, videos=saved, unseen=unseen)

    def _may_spend(self, current: _DeliveryProgress, wanted: Sequence[WantedVideo]) -> bool:
        now, budget = self._clock.now(), self._settings.youtube_daily_units
        with self._pool.connection() as connection:
            if reserve_unit(connection, now, budget, wanted[0].fetch_id):
                return True
        self._pause(current, next_quota_reset(now), f"the day's {budget} units are spent")
        return False

    def _record_retries(self, wanted: Sequence[WantedVideo], units: int) -> None:
        if units > 0:
            with self._pool.connection() as connection:
                record_units(connection, self._clock.now(), UnitUse.STATISTICS, units, wanted[0].fetch_id)

    def _note_error(self, current: _DeliveryProgress, wanted: Sequence[WantedVideo], error: PlatformError) -> None:
        until = suspended_until(error, self._clock.now(), self._settings)
        if until:
            with self._pool.connection() as connection:
                suspend_platform(connection, Platform.YOUTUBE, until, str(error))
            self._pause(current, until, str(error))
            return
        logger.error("%s videos were not looked up: %s.", len(wanted), error)
        final = not error.handling.retry_fetch
        with current.lock:
            for each in wanted:
                current.failures[each.message_id] = FailedMessage(each.message_id, str(error), final)

    def _pause(self, current: _DeliveryProgress, until: datetime, reason: str) -> None:
        with current.lock:
            if current.paused is None:
                current.paused = _Pause(until, reason)
                logger.error("YouTube is asked nothing more until %s: %s.", until.isoformat(), reason)

    def _close(self, current: _DeliveryProgress) -> None:
        """Report what failed, and give back what was not asked for: it counts as no attempt."""
        now, paused = self._clock.now(), current.paused
        with self._pool.connection() as connection:
            if current.failures:
                failures = list(current.failures.values())
                fail(connection, QUEUE, current.delivery.receipt, failures, now)
                current.done.update(failed=len(failures))
            reason = paused.reason if paused else None
            given_back = give_back(connection, QUEUE, current.delivery, paused.until if paused else now, reason)
            if paused:
                current.done.update(postponed=given_back)


def _wanted(delivery: Delivery) -> list[WantedVideo]:
    return [
        WantedVideo(message.id, message.fetch_id, video_id)
        for message in delivery.messages
        for video_id in message.row["videos"]
        if video_id not in message.row["acknowledged"]
    ]


def _without_partial(calls: list[list[WantedVideo]]) -> list[list[WantedVideo]]:
    """The full calls. Where the same videos were wanted so often that there is none, the only one there is."""
    return [call for call in calls if _videos(call) == VIDEOS_PER_CALL] or calls


def _videos(call: Sequence[WantedVideo]) -> int:
    return len({each.external_video_id for each in call})
