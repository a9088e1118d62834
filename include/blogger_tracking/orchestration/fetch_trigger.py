"""The trigger that does in the triggerer what the operator does in a worker."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any

from airflow.triggers.base import (
    BaseTrigger,
    TaskFailedEvent,
    TaskSkippedEvent,
    TaskSuccessEvent,
    TriggerEvent,
)

from blogger_tracking.database.runs import RunKey
from blogger_tracking.domain.errors import ConfigurationError
from blogger_tracking.orchestration.airflow_3_3.log_buffer import LogBuffer
from blogger_tracking.orchestration.connections import fetch_services
from blogger_tracking.orchestration.run_keys import run_key
from blogger_tracking.settings import get_settings
from blogger_tracking.usecases.fetch_blogger import FetchReport
from blogger_tracking.usecases.fetch_instance import all_skipped, submit_fetches, summarize

logger = logging.getLogger(__name__)

BEAT_SECONDS = 0.5
"""Instances that end within it tell Airflow together, which costs the triggerer one round instead of many."""


class FetchBloggersTrigger(BaseTrigger):
    """Fetches the bloggers of its task instance in a bounded pool of threads and ends the instance itself.

    An exception that left `run` would send the instance through a worker to fail there: it is logged and yielded.
    """

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Nothing but the class: the ledger knows the rest by the task instance."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event, the end of the task instance."""
        try:
            yield await self._fetch()
        except Exception as error:  # noqa: BLE001 - whatever it is, the instance has to end, and its log says it
            told = "Nothing more was saved by this start; the next one goes on where it ended."
            await asyncio.to_thread(logger.error, told, exc_info=error)
            yield TaskFailedEvent()

    async def _fetch(self) -> TriggerEvent:
        instance = self.task_instance
        if instance is None:
            raise ConfigurationError("This trigger ends a task instance and was started without one.")
        key = run_key(instance)
        lines = LogBuffer()
        started = await asyncio.wrap_future(
            _threads().submit(lines.context().run, _start, key, instance.task_id, instance.map_index)
        )
        await _all_done(started, lines)
        reports = [future.result() for future in started]
        if any(report.failed for report in reports):
            return TaskFailedEvent(xcoms={"return_value": summarize(reports)})
        if all_skipped(reports):
            return TaskSkippedEvent(xcoms={"return_value": summarize(reports)})
        return TaskSuccessEvent(xcoms={"return_value": summarize(reports)})


async def _all_done(started: Iterable[Future[FetchReport]], lines: LogBuffer) -> None:
    unfinished = set(map(asyncio.wrap_future, started))
    while unfinished:
        _, unfinished = await asyncio.wait(unfinished, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(BEAT_SECONDS - time.monotonic() % BEAT_SECONDS)
        # Airflow reads a trigger's lines only now and then: writing them may have to wait, and the loop must not.
        await asyncio.to_thread(lines.flush)


def _start(key: RunKey, task_id: str, map_index: int) -> list[Future[FetchReport]]:
    return submit_fetches(_threads(), fetch_services(), key, task_id, map_index)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(get_settings().fetch_threads, thread_name_prefix="fetch")
