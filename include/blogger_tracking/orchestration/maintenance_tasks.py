"""Tasks of the daily maintenance: partitions, retention of the database, of Airflow's DAG runs, and of log files.

DAG files import this module: modules that only a running task needs are imported inside functions.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.sdk import task

from blogger_tracking.domain.initial_fetch import INITIAL_FETCH_DAG_ID
from blogger_tracking.orchestration.error_reporting import errors_reported
from blogger_tracking.orchestration.health_tasks import HEALTH_DAG_ID
from blogger_tracking.orchestration.queue_tasks import THUMBNAIL_DAG_ID, VIDEO_BATCH_DAG_ID
from blogger_tracking.orchestration.task_defaults import RESTART_TOLERANCE
from blogger_tracking.settings import get_settings

MAINTENANCE_DAG_ID = "maintenance"

_FREQUENT = (VIDEO_BATCH_DAG_ID, THUMBNAIL_DAG_ID, HEALTH_DAG_ID)
"""DAGs with a hundred runs a day and more, whose successful runs tell nothing after a day."""


@task(multiple_outputs=False, **RESTART_TOLERANCE)
@errors_reported()
def prepare_partitions() -> dict[str, int]:
    """Create the partitions of the next months; return counts."""
    from blogger_tracking.orchestration.connected_services import database_pool
    from blogger_tracking.usecases import maintain_database

    return maintain_database.prepare_partitions(database_pool(), datetime.now(UTC).date())


@task(multiple_outputs=False, trigger_rule="all_done", **RESTART_TOLERANCE)
@errors_reported()
def remove_old_statistics() -> dict[str, int]:
    """Drop the months that are over, and remove the old statistics of single platforms; return counts."""
    from blogger_tracking.orchestration.connected_services import database_pool
    from blogger_tracking.usecases import maintain_database

    return maintain_database.remove_old_statistics(database_pool(), get_settings(), datetime.now(UTC).date())


@task(multiple_outputs=False, **RESTART_TOLERANCE)
@errors_reported()
def remove_old_messages() -> dict[str, int]:
    """Remove old finished and parked messages, and expired idempotency keys; return counts."""
    from blogger_tracking.orchestration.connected_services import database_pool
    from blogger_tracking.usecases import maintain_database

    return maintain_database.remove_old_messages(database_pool(), get_settings(), datetime.now(UTC))


@task(multiple_outputs=False, trigger_rule="all_done", **RESTART_TOLERANCE)
@errors_reported()
def remove_old_runs() -> dict[str, int]:
    """Remove old runs from the ledger; return counts."""
    from blogger_tracking.orchestration.connected_services import database_pool
    from blogger_tracking.usecases import maintain_database

    return maintain_database.remove_old_runs(database_pool(), get_settings(), datetime.now(UTC))


@task(multiple_outputs=False, trigger_rule="all_done", **RESTART_TOLERANCE)
@errors_reported()
def check_ledger() -> dict[str, int]:
    """Check the invariants of the ledger and keep the result for the Bloggers page; return violations by invariant."""
    from blogger_tracking.database.connections import LONG_ANSWER_SECONDS, connect
    from blogger_tracking.orchestration.connected_services import BLOGGER_DB, database_opener
    from blogger_tracking.usecases import maintain_database

    with connect(database_opener(BLOGGER_DB), answer_seconds=LONG_ANSWER_SECONDS) as connection:
        return maintain_database.check_ledger(connection, datetime.now(UTC))


@task(multiple_outputs=False, **RESTART_TOLERANCE)
@errors_reported()
def remove_old_dag_runs() -> dict[str, int]:
    """Delete old runs of this project's DAGs from Airflow's metadata; return counts by DAG."""
    from blogger_tracking.airflow_api import DagRunState
    from blogger_tracking.orchestration.connected_services import airflow_api
    from blogger_tracking.orchestration.connection_checks import DAG_IDS
    from blogger_tracking.usecases.remove_dag_runs import OldRuns, remove_dag_runs

    now, settings = datetime.now(UTC), get_settings()
    frequent = [
        OldRuns(dag_id, now - timedelta(days=settings.consumer_run_days), [DagRunState.SUCCESS]) for dag_id in _FREQUENT
    ]
    others = [
        OldRuns(dag_id, now - timedelta(days=settings.dag_run_days))
        for dag_id in DAG_IDS
        if dag_id != INITIAL_FETCH_DAG_ID
    ]
    # A deleted run could be triggered with the same id again, while the ledger still has the old run's decision.
    initial_days = max(settings.dag_run_days, settings.ledger_days + 1)
    initial = OldRuns(INITIAL_FETCH_DAG_ID, now - timedelta(days=initial_days))
    return remove_dag_runs(airflow_api(), [*frequent, *others, initial])


@task(multiple_outputs=False, **RESTART_TOLERANCE)
@errors_reported()
def remove_old_log_files() -> dict[str, int]:
    """Remove old files from the log folder of this host; return counts."""
    from airflow.configuration import conf

    from blogger_tracking.orchestration.log_files import remove_old_logs

    return remove_old_logs(Path(conf.get("logging", "base_log_folder")), get_settings().log_days)
