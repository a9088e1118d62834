"""Report of the errors that end a task or a request, for every entry point of the project's code.

DAG files import this module: modules that only a running task needs are imported inside functions.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowException

if TYPE_CHECKING:
    from airflow.sdk.types import RuntimeTaskInstanceProtocol

    from blogger_tracking.orchestration.run_keys import TaskOfRun

logger = logging.getLogger(__name__)


@contextmanager
def sentry_running() -> Generator[None]:
    """Start Sentry for the task in the block, and send the events at the end of the block.

    Secrets are removed from the error that ends the block: Airflow logs the error outside Python's `logging`.
    """
    from blogger_tracking.log_redaction import redacted_error
    from blogger_tracking.orchestration.sentry import ensure_sentry, flush_sentry

    ensure_sentry()
    try:
        yield
    except Exception as error:
        safe = redacted_error(error)
        if safe is error:
            raise
        raise safe from safe.__cause__
    finally:
        flush_sentry()


@contextmanager
def errors_reported() -> Generator[None]:
    """Start Sentry for the task in the block, and report the error that fails the task for good.

    Airflow logs an exception of a task outside Python's `logging`, so that Sentry does not see the exception. An error
    that a retry follows is not reported, and neither is an AirflowException, with which a task reports an outcome.
    """
    with sentry_running():
        try:
            yield
        except AirflowException:
            raise
        except Exception as error:
            _report_if_final(error)
            raise


def report_error(instance: TaskOfRun, error: Exception, message: str) -> None:
    """Log an error of a task instance. `message` has a `%s` for the id of the task.

    All errors of one run with the same cause are one event in Sentry, whatever the task and the host.
    """
    from blogger_tracking.orchestration.run_keys import run_key

    cause = (instance.dag_id, _cause(error))
    logger.error(message, instance.task_id, exc_info=error, extra={"fingerprint": cause, "run": run_key(instance)})


def report_last_error(instance: TaskOfRun, error: Exception, message: str) -> None:
    """Log an error of a task instance, as `report_error` does, in a worker's process that ends with the error.

    Sentry is started first if its Connection could not be read when the task began: no later call would start Sentry.
    """
    from blogger_tracking.orchestration.sentry import ensure_sentry

    ensure_sentry(at_once=True)
    report_error(instance, error, message)


def _cause(error: Exception) -> str:
    import psycopg

    from blogger_tracking.database.connections import is_connection_lost
    from blogger_tracking.domain.errors import DatabaseStateError

    # An unreachable database is noticed as one or the other, by when the connection ended.
    if isinstance(error, psycopg.Error) and is_connection_lost(error):
        return DatabaseStateError.__qualname__
    return type(error).__qualname__


def _report_if_final(error: Exception) -> None:
    instance: RuntimeTaskInstanceProtocol = get_current_context()["ti"]
    if instance.try_number > instance.max_tries:
        report_last_error(instance, error, "The task %s failed.")
