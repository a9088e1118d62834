"""Buffer for the log lines of the triggerer's threads, which are written together instead of one by one.

Relies on: Airflow's triggerer looks for new, finished and orphaned triggers in the metadata database whenever its
runner process sends anything, a log line included. With dozens of fetches at once, single lines caused half of
the triggerer's work (docs/performance.md). Also, the runner's log handlers are those of the root logger.
Verified against: Airflow 3.3.2, airflow/jobs/triggerer_job_runner.py, `TriggerRunnerSupervisor.run_once`.
Turned off by: `BLOGGER_TRACKING_BUFFER_TRIGGER_LOGS=false`.
Test: tests/orchestration/airflow_3_3/test_log_buffer.py.
"""

from __future__ import annotations

import contextvars
import logging
import threading

from blogger_tracking.settings import get_settings


class LogBuffer:
    """Buffer of one task instance's lines below WARNING, from any of its threads. Thread-safe."""

    def __init__(self) -> None:
        for handler in logging.getLogger().handlers:
            handler.addFilter(_pass_or_buffer)
        self._lock = threading.Lock()
        self._records: list[logging.LogRecord] = []

    def context(self) -> contextvars.Context:
        """Return a copy of the current context in which lines go to this buffer, also from threads that copy it."""
        context = contextvars.copy_context()
        if get_settings().buffer_trigger_logs:
            context.run(_buffer.set, self)
        return context

    def append(self, record: logging.LogRecord) -> None:
        """Add a line, once even if several handlers of the root logger pass the same line."""
        with self._lock:
            if record not in self._records:
                self._records.append(record)

    def flush(self) -> None:
        """Write and remove the buffered lines. May block. The caller's context must not be the one of `context`."""
        with self._lock:
            records, self._records = self._records, []
        for record in records:
            logging.getLogger(record.name).handle(record)


_buffer: contextvars.ContextVar[LogBuffer | None] = contextvars.ContextVar("log_buffer", default=None)


def _pass_or_buffer(record: logging.LogRecord) -> bool:
    buffer = _buffer.get()
    if buffer is None or record.levelno >= logging.WARNING:
        return True
    buffer.append(record)
    return False
