"""Suppression of requests for callbacks that a task does not have.

For every task instance that a trigger ends, Airflow writes a callback request, whether or not the task has callbacks.
The DAG processor then parses the DAG file to find out that there is nothing to call: 6 of the 55 CPU seconds of a run
of 1,000 bloggers. Airflow's scheduler checks the task's flags `has_on_..._callback` before it writes such a request;
this listener adds the same check to the triggerer. Requests for callbacks that a task has are written as before.

Relies on: `airflow.models.trigger` sends these requests through `DatabaseCallbackSink.send`, and the serialized task
has the three flags.
Verified against: Airflow 3.3.2, airflow/models/trigger.py, airflow/callbacks/database_callback_sink.py.
Turned off by: `BLOGGER_TRACKING_CHECK_CALLBACK_REQUESTS=false`.
Test: tests/orchestration/airflow_3_3/test_callback_requests.py.

The plugin registers this module as a listener, and every Airflow process imports the plugin: imports are inside
functions.
"""

from __future__ import annotations

from functools import cache, wraps
from typing import TYPE_CHECKING, Any

from airflow.listeners import hookimpl

if TYPE_CHECKING:
    from airflow.callbacks.callback_requests import CallbackRequest
    from airflow.models.dagbag import DBDagBag
    from sqlalchemy.orm import Session

FLAGS = {
    "success": "has_on_success_callback",
    "failed": "has_on_failure_callback",
    "up_for_retry": "has_on_retry_callback",
}
"""The serialized task's flag for each state that a callback request can be about."""


@hookimpl
def on_starting(component: object) -> None:
    """Add the check when a process of Airflow starts."""
    from blogger_tracking.settings import get_settings

    del component
    if get_settings().check_callback_requests:
        check_callback_requests()


def check_callback_requests() -> None:
    """Make `DatabaseCallbackSink.send` drop requests for callbacks that the task does not have."""
    from airflow.callbacks.database_callback_sink import DatabaseCallbackSink

    write = DatabaseCallbackSink.send
    if hasattr(write, "checks_callbacks"):
        return

    @wraps(write)
    def send(self: DatabaseCallbackSink, callback: CallbackRequest, **session: Any) -> None:  # noqa: ANN401 - Airflow's session
        if _is_needed(callback, **session):
            write(self, callback, **session)

    send.checks_callbacks = True  # type: ignore[attr-defined] # marks the function that is in place
    DatabaseCallbackSink.send = send  # type: ignore[method-assign] # replaces Airflow's method on purpose


def _is_needed(callback: CallbackRequest, session: Session | None = None) -> bool:
    from airflow.callbacks.callback_requests import TaskCallbackRequest

    if not isinstance(callback, TaskCallbackRequest) or session is None:
        return True
    flag = FLAGS.get(str(callback.task_callback_type))
    dag = _dags().get_dag(callback.ti.dag_version_id, session)
    if flag is None or dag is None or not dag.has_task(callback.ti.task_id):
        return True
    return bool(getattr(dag.get_task(callback.ti.task_id), flag))


@cache
def _dags() -> DBDagBag:
    from airflow.models.dagbag import DBDagBag

    return DBDagBag(load_op_links=False)
