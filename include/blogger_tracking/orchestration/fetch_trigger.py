"""Trigger that fetches the bloggers of one task instance, as FetchBloggersOperator does in a worker."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, partial
from threading import Event
from typing import Any

from airflow.triggers.base import (
    BaseTrigger,
    TaskFailedEvent,
    TaskSkippedEvent,
    TaskSuccessEvent,
    TriggerEvent,
)

from blogger_tracking.database.runs import InstanceTry
from blogger_tracking.domain.errors import ConfigurationError
from blogger_tracking.orchestration.airflow_3_3.log_buffer import LogBuffer
from blogger_tracking.orchestration.airflow_3_3.metrics import emit
from blogger_tracking.orchestration.airflow_3_3.trigger_announcements import drop_trigger_announcements
from blogger_tracking.orchestration.connected_services import fetch_services
from blogger_tracking.orchestration.error_reporting import report_error
from blogger_tracking.orchestration.run_keys import FetchInstance, instance_try
from blogger_tracking.orchestration.sentry import ensure_sentry
from blogger_tracking.settings import get_settings
from blogger_tracking.usecases.fetch_blogger import FetchReport
from blogger_tracking.usecases.fetch_instance import (
    all_skipped,
    collect_reports,
    finished_reports,
    measure,
    submit_fetches,
    summarize,
)

logger = logging.getLogger(__name__)

_FAILED = (
    "An instance of %s failed before all of its bloggers were fetched. Videos that were saved stay saved; the next "
    "attempt fetches the remaining bloggers."
)

EVENT_INTERVAL_SECONDS = 0.5
"""Instances that end within the same interval send their events together, in one round of the triggerer's loop."""


class FetchBloggersTrigger(BaseTrigger):
    """Trigger that fetches the bloggers of a task instance in a bounded pool of threads, and ends the instance.

    `run` catches every exception, reports the exception and yields a failure: after a trigger that raises, Airflow
    starts a worker only to let the instance fail there.
    """

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path without arguments: the ledger knows the bloggers of the task instance."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event, the end of the task instance."""
        drop_trigger_announcements()
        try:
            yield await self._fetch()
        except Exception as error:  # noqa: BLE001 - the instance has to end, whatever the error is
            await asyncio.to_thread(_report, self.task_instance, error)
            yield TaskFailedEvent()

    async def _fetch(self) -> TriggerEvent:
        instance = self.task_instance
        if instance is None:
            raise ConfigurationError("This trigger ends a task instance, but was created without one.")
        log, cancelled = LogBuffer(), Event()
        submitting = _threads().submit(log.context().run, _submit, instance_try(instance), cancelled)
        fetches: list[Future[FetchReport | None]] = []
        try:
            fetches = await asyncio.wrap_future(submitting)
            for fetch in fetches:
                flush = partial(_flush_if_cancelled, log, cancelled)
                fetch.add_done_callback(partial(contextvars.copy_context().run, flush))
            await _wait_for_all(fetches, log)
        finally:
            # A trigger is cancelled when its instance is ended or started elsewhere: what waits must not begin here.
            cancelled.set()
            for fetch in fetches:
                fetch.cancel()
            # What is buffered yet. In a thread, as below; a trigger that was cancelled does not wait for the write.
            flushing = asyncio.get_running_loop().run_in_executor(None, contextvars.copy_context().run, log.flush)
        await flushing
        # The error of one fetch ends the instance: the attempts of the others count nevertheless.
        await asyncio.to_thread(emit, measure(finished_reports(fetches)))
        reports = collect_reports(fetches)
        summary = {"return_value": summarize(reports)}
        if any(report.failed for report in reports):
            return TaskFailedEvent(xcoms=summary)
        if all_skipped(reports):
            return TaskSkippedEvent(xcoms=summary)
        return TaskSuccessEvent(xcoms=summary)


def _report(instance: FetchInstance | None, error: Exception) -> None:
    ensure_sentry()
    if instance is None:
        logger.error(_FAILED, "an unknown task", exc_info=error)
    else:
        report_error(instance, error, _FAILED)


async def _wait_for_all(fetches: Iterable[Future[FetchReport | None]], log: LogBuffer) -> None:
    unfinished = set(map(asyncio.wrap_future, fetches))
    while unfinished:
        ended, unfinished = await asyncio.wait(unfinished, return_when=asyncio.FIRST_COMPLETED)
        for fetch in ended:
            # The caller takes the error from the fetch in its thread. asyncio logs one that nothing takes from here.
            if not fetch.cancelled():
                fetch.exception()
        await asyncio.sleep(EVENT_INTERVAL_SECONDS - time.monotonic() % EVENT_INTERVAL_SECONDS)
        # In a thread: a write blocks while the triggerer's pipe for logs is full, and must not block the event loop.
        await asyncio.to_thread(log.flush)


def _flush_if_cancelled(log: LogBuffer, cancelled: Event, fetch: Future[FetchReport | None]) -> None:
    """Write the lines of a fetch that was under way when its trigger was cancelled: nothing else writes them."""
    # A fetch that never began is cancelled on the event loop, which the write could block.
    if cancelled.is_set() and not fetch.cancelled():
        log.flush()


def _submit(instance: InstanceTry, cancelled: Event) -> list[Future[FetchReport | None]]:
    ensure_sentry()
    return submit_fetches(_threads(), fetch_services(), instance, cancelled)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(get_settings().fetch_threads, thread_name_prefix="fetch")
