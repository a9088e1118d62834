"""Airflow parts of the initial fetch: the params and the task of its DAG, and the batch's task that dispatches it.

DAG files import this module: modules that only a running task needs are imported inside functions.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Context, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from pydantic import ValidationError

from blogger_tracking.domain.initial_fetch import (
    BloggerBusyError,
    InitialFetchMessage,
    MessageMismatchError,
    message_schemas,
)
from blogger_tracking.orchestration.batch_tasks import run_scope
from blogger_tracking.orchestration.dead_runs import end_dead_runs_of
from blogger_tracking.orchestration.error_reporting import errors_reported, report_last_error, sentry_running
from blogger_tracking.orchestration.fetch_operator import FetchBloggersOperator
from blogger_tracking.orchestration.task_defaults import RESTART_TOLERANCE

INITIAL_FETCH_PARAMS = {name: Param(**schema) for name, schema in message_schemas().items()}
"""JSON Schemas of the message's keys. Airflow rejects a run whose conf lacks a key or has an invalid value."""


class FetchInitialVideosOperator(FetchBloggersOperator):
    """Operator that plans and makes the initial fetch of the run conf; a second task would start seconds later.

    The task is skipped for a duplicate, a paused account and an exhausted limit; it fails, without a retry, for a
    message that contradicts the database. The log has the reason. While another run is fetching the blogger,
    the task fails with a retry.
    """

    # The instance is planned from the run conf, which only a worker has.
    start_from_trigger = False

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - BaseOperator's own arguments
        super().__init__(deferrable=False, **kwargs)

    @errors_reported()
    def execute(self, context: Context) -> dict[str, Any]:
        """Plan, fetch and save. Raises AirflowSkipException, AirflowFailException, AirflowException."""
        from blogger_tracking.orchestration.connected_services import database_pool
        from blogger_tracking.orchestration.run_keys import run_key
        from blogger_tracking.settings import get_settings
        from blogger_tracking.usecases.end_runs import end_run
        from blogger_tracking.usecases.plan_initial_fetch import plan_initial_fetch

        key = run_key(context["ti"])
        end_dead_runs_of(context["ti"])
        message = _message(context["dag_run"].conf or {})
        timeout = timedelta(minutes=get_settings().initial_fetch_timeout_minutes)
        try:
            reason = plan_initial_fetch(database_pool(), key, self.task_id, message, timeout)
        except MessageMismatchError as error:
            raise AirflowFailException(str(error)) from None
        except BloggerBusyError as error:
            raise AirflowException(str(error)) from None
        if reason:
            raise AirflowSkipException(f"Nothing was fetched: {reason}")
        try:
            summary = self._fetch(context)
        except AirflowSkipException:
            end_run(database_pool(), key)
            raise
        end_run(database_pool(), key)
        return summary


@sentry_running()
def release_failed_initial_fetch(context: Context) -> None:
    """Release the pending initial fetch of a run that has failed after its last retry."""
    from blogger_tracking.orchestration.connected_services import database_pool
    from blogger_tracking.orchestration.run_keys import run_key
    from blogger_tracking.usecases.end_runs import end_run

    instance = context["ti"]
    try:
        end_run(database_pool(), run_key(instance))
    except Exception as error:
        report_last_error(
            instance,
            error,
            "The initial fetch of the failed task %s was not released. The next health watch releases it.",
        )
        raise


@task(multiple_outputs=False, **RESTART_TOLERANCE)
@errors_reported()
def dispatch_initial_fetches() -> dict[str, int]:
    """Dispatch the pending initial fetches in the run's scope; return their number by state."""
    from blogger_tracking.orchestration.connected_services import airflow_api, database_pool
    from blogger_tracking.usecases.dispatch_initial_fetches import dispatch_pending_initial_fetches

    return dispatch_pending_initial_fetches(database_pool(), airflow_api, run_scope(get_current_context()["params"]))


def _message(conf: dict[str, Any]) -> InitialFetchMessage:
    try:
        return InitialFetchMessage.model_validate(conf)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise AirflowFailException(
            f"Nothing was fetched, because the run conf is not a valid message: {faults}. Correct the program that "
            "triggered the run."
        ) from None
