"""The end of a run in the ledger as soon as somebody marks its DAG run in Airflow.

Without this module, the fetches of a run that was marked failed go on until the triggerer notices, and the run's
reservations stay until the next planning.

Relies on: the API server calls the listeners of a DAG run's end with a message that says that the state was set
manually; the scheduler calls them with other messages, and must not wait for the application's database.
Verified against: Airflow 3.3.2, airflow/api_fastapi/core_api/services/public/dag_run.py.
Turned off by: `BLOGGER_TRACKING_END_MARKED_RUNS=false`. The next planning or health watch ends such runs.
Test: tests/orchestration/airflow_3_3/test_runs_ended_by_hand.py, tests/end_to_end/test_runs_ended_by_hand.py.

The plugin registers this module as a listener, and every Airflow process imports the plugin: imports are inside
functions.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow.listeners import hookimpl

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

logger = logging.getLogger(__name__)

MARKED_BY_HAND = "manually set"
"""Part of the message with which the API server reports the end of a DAG run."""


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    """End the ledger's run of a DAG run that was marked failed."""
    _end(dag_run, msg)


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    """End the ledger's run of a DAG run that was marked successful."""
    _end(dag_run, msg)


def _end(dag_run: DagRun, message: str) -> None:
    if MARKED_BY_HAND not in message:
        return
    from blogger_tracking.domain.initial_fetch import INITIAL_FETCH_DAG_ID
    from blogger_tracking.orchestration.batch_tasks import BATCH_DAG_ID
    from blogger_tracking.orchestration.connected_services import database_pool
    from blogger_tracking.orchestration.run_keys import run_key
    from blogger_tracking.orchestration.sentry import ensure_sentry
    from blogger_tracking.settings import get_settings
    from blogger_tracking.usecases.end_runs import end_run

    if not get_settings().end_marked_runs or dag_run.dag_id not in {BATCH_DAG_ID, INITIAL_FETCH_DAG_ID}:
        return
    ensure_sentry()
    try:
        released = end_run(database_pool(), run_key(dag_run))
    except Exception:
        # Airflow would log and drop the error itself, where Sentry does not see it.
        logger.exception(
            "%s was ended by hand in Airflow, but not in the ledger. The next planning or health watch ends the run.",
            dag_run.run_id,
            extra={"fingerprint": (dag_run.dag_id, "ended_by_hand")},
        )
        return
    logger.info("%s was ended by hand: released its %s unfinished fetches.", dag_run.run_id, released)
