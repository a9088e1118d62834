"""Buffer for the log lines of a task instance in the triggerer."""

from __future__ import annotations

import contextvars
import inspect
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from airflow.jobs.triggerer_job_runner import TriggerRunnerSupervisor

from blogger_tracking.orchestration.airflow_3_3.log_buffer import LogBuffer
from blogger_tracking.settings import get_settings

logger = logging.getLogger("buffered.lines")


class Written(logging.Handler):
    """The lines that reach the root logger's handlers."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def written() -> Iterator[Written]:
    root = logging.getLogger()
    handler, level = Written(), root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


def test_lines_are_written_in_order_by_the_flush(written: Written) -> None:
    buffer = LogBuffer()
    context = buffer.context()
    context.run(logger.info, "first")
    context.run(logger.info, "second")
    assert written.lines == []
    buffer.flush()
    buffer.flush()
    assert written.lines == ["first", "second"]


def test_lines_of_threads_that_copied_the_context_are_buffered(written: Written) -> None:
    buffer = LogBuffer()
    with ThreadPoolExecutor(1) as threads:
        copy = buffer.context().run(contextvars.copy_context)
        threads.submit(copy.run, logger.info, "from a thread").result()
    assert written.lines == []
    buffer.flush()
    assert written.lines == ["from a thread"]


def test_a_warning_is_written_at_once(written: Written) -> None:
    LogBuffer().context().run(logger.warning, "at once")
    assert written.lines == ["at once"]


def test_a_flush_writes_only_the_lines_of_its_own_buffer(written: Written) -> None:
    one, other = LogBuffer(), LogBuffer()
    one.context().run(logger.info, "of one")
    other.context().run(logger.info, "of the other")
    logger.info("of no buffer")
    other.flush()
    assert written.lines == ["of no buffer", "of the other"]


def test_every_line_is_written_at_once_if_the_setting_is_off(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOGGER_TRACKING_BUFFER_TRIGGER_LOGS", "false")
    get_settings.cache_clear()
    LogBuffer().context().run(logger.info, "at once")
    assert written.lines == ["at once"]


def test_the_installed_airflow_queries_its_database_in_each_loop_that_serves_the_runner() -> None:
    """The reason for the buffer: `run_once` queries the metadata database before and after it serves the runner."""
    source = inspect.getsource(TriggerRunnerSupervisor.run_once)
    served, queried = source.index("self._service_subprocess(1)"), source.index("self.load_triggers()")
    assert queried < served < source.index("self.clean_unused()")
