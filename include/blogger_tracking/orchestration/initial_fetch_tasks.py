"""The initial fetch as Airflow runs it: its parameters, its one task, and the batch's handing over of open wishes.

DAG files import it: what only a running task needs is imported when it runs.
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
from blogger_tracking.orchestration.fetch_operator import FetchBloggersOperator
from blogger_tracking.orchestration.task_defaults import RESTART_TOLERANCE

INITIAL_FETCH_PARAMS = {name: Param(**schema) for name, schema in message_schemas().items()}
"""The keys of the message; Airflow refuses a run whose conf lacks one or does not fit."""


class FetchInitialVideosOperator(FetchBloggersOperator):
    """Plans the initial fetch that the run's conf asks for, and fetches it: one task, so that the way is short.

    A duplicate, a paused account and an exhausted limit end it as skipped, a message that does not fit the database
    as failed, both with the reason; a blogger that another run is fetching just now is asked for again.
    """

    start_from_trigger = False

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - BaseOperator's own arguments
        # The run's conf is at hand in a worker, but not in the triggerer.
        super().__init__(deferrable=False, **kwargs)

    def execute(self, context: Context) -> dict[str, Any]:
        """Plan, fetch, save. Raises AirflowSkipException, AirflowFailException, AirflowException."""
        from blogger_tracking.orchestration.connections import database_pool
        from blogger_tracking.orchestration.run_keys import run_key
        from blogger_tracking.settings import get_settings
        from blogger_tracking.usecases.plan_initial_fetch import finish_initial_fetch, plan_initial_fetch

        key = run_key(context["ti"])
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
            summary = super().execute(context)
        except AirflowSkipException:
            finish_initial_fetch(database_pool(), key)
            raise
        finish_initial_fetch(database_pool(), key)
        return summary


def release_failed_initial_fetch(context: Context) -> None:
    """Let other runs have the wish of a run that failed for good."""
    from blogger_tracking.orchestration.connections import database_pool
    from blogger_tracking.orchestration.run_keys import run_key
    from blogger_tracking.usecases.plan_initial_fetch import finish_initial_fetch

    finish_initial_fetch(database_pool(), run_key(context["ti"]))


@task(multiple_outputs=False, **RESTART_TOLERANCE)
def dispatch_initial_fetches() -> dict[str, int]:
    """Trigger the initial fetches that are still wished for; the number of wishes by what became of them."""
    from blogger_tracking.orchestration.connections import airflow_api, database_pool
    from blogger_tracking.usecases.dispatch_initial_fetches import dispatch_pending_initial_fetches

    return dispatch_pending_initial_fetches(database_pool(), airflow_api, run_scope(get_current_context()["params"]))


def _message(conf: dict[str, Any]) -> InitialFetchMessage:
    try:
        return InitialFetchMessage.model_validate(conf)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise AirflowFailException(f"The run conf is no message of an initial fetch: {faults}") from None
