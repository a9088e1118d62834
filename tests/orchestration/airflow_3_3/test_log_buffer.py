"""Log lines of a task instance that are held back for a moment."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import structlog.testing
from airflow.triggers.base import TaskFailedEvent, TriggerEvent

from blogger_tracking.orchestration.airflow_3_3.log_buffer import LogBuffer
from blogger_tracking.orchestration.fetch_trigger import FetchBloggersTrigger

logger = logging.getLogger("held.lines")


class Written(logging.Handler):
    """What reaches the root logger's handlers, and from which threads."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.threads: set[int] = set()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        self.threads.add(threading.get_ident())


@pytest.fixture
def written() -> Iterator[Written]:
    root = logging.getLogger()
    handler, level = Written(), root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


def test_lines_are_written_in_their_order_when_they_are_released(written: Written) -> None:
    held = LogBuffer()
    context = held.context()
    context.run(logger.info, "first")
    context.run(logger.info, "second")
    assert written.lines == []
    held.flush()
    held.flush()
    assert written.lines == ["first", "second"]


def test_lines_of_threads_that_copied_the_context_are_held_too(written: Written) -> None:
    held = LogBuffer()
    with ThreadPoolExecutor(1) as threads:
        copy = held.context().run(contextvars.copy_context)
        threads.submit(copy.run, logger.info, "from a thread").result()
    assert written.lines == []
    held.flush()
    assert written.lines == ["from a thread"]


def test_a_warning_does_not_wait(written: Written) -> None:
    LogBuffer().context().run(logger.warning, "at once")
    assert written.lines == ["at once"]


def test_each_instance_holds_its_own_lines_and_nobody_elses(written: Written) -> None:
    one, other = LogBuffer(), LogBuffer()
    one.context().run(logger.info, "of one")
    other.context().run(logger.info, "of the other")
    logger.info("of nobody")
    other.flush()
    assert written.lines == ["of nobody", "of the other"]


def test_a_trigger_that_cannot_work_fails_its_instance_and_says_so_from_outside_the_loop(written: Written) -> None:
    """A line that is written from the triggerer's loop can wait for the triggerer, which waits for the loop."""

    async def run() -> tuple[list[TriggerEvent], int]:
        return [event async for event in trigger.run()], threading.get_ident()

    trigger = FetchBloggersTrigger()  # type: ignore[no-untyped-call]  # Airflow's own __init__ has no types
    (event,), loop_thread = asyncio.run(run())
    assert isinstance(event, TaskFailedEvent)
    assert written.lines == ["Nothing more was saved by this start; the next one goes on where it ended."]
    assert loop_thread not in written.threads


def test_airflows_announcements_of_a_trigger_are_dropped_and_nothing_else_is() -> None:
    LogBuffer()
    with structlog.testing.capture_logs(structlog.get_config()["processors"][:1]) as said:
        log = structlog.get_logger()
        log.info("trigger %s starting", "blogger_batch_fetch/run/fetch_youtube/0/1 (ID 1)")
        log.info("Trigger fired event", name="blogger_batch_fetch/run/fetch_youtube/0/1 (ID 1)")
        log.info("trigger completed", name="blogger_batch_fetch/run/fetch_youtube/0/1 (ID 1)")
        log.info("%i triggers currently running", 3)
        log.error("Trigger failed to load code")
    assert [line["event"] for line in said] == ["3 triggers currently running", "Trigger failed to load code"]
