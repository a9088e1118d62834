"""The end, in the ledger, of runs that no longer run in Airflow.

DAG files import this module: modules that only a running task needs are imported inside functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from blogger_tracking.settings import get_settings

if TYPE_CHECKING:
    from airflow.sdk.types import RuntimeTaskInstanceProtocol

_RUNNING = ["queued", "running"]


def end_dead_runs_of(instance: RuntimeTaskInstanceProtocol) -> None:
    """End this deployment's runs that no longer run in Airflow, which this running task instance asks."""
    from blogger_tracking.orchestration.connected_services import database_pool
    from blogger_tracking.usecases.end_runs import end_dead_runs

    def count_running(dag_id: str, dag_run_ids: Sequence[str]) -> int:
        return instance.get_dr_count(dag_id=dag_id, run_ids=list(dag_run_ids), states=_RUNNING)

    end_dead_runs(database_pool(), get_settings().deployment, count_running)
