"""Keys of ledger runs, by Airflow task instance."""

from __future__ import annotations

from typing import Protocol

from blogger_tracking.database.runs import RunKey
from blogger_tracking.settings import get_settings


class InstanceOfRun(Protocol):
    """The attributes that a task instance has in a worker, in the triggerer and in the scheduler."""

    dag_id: str
    run_id: str


def run_key(instance: InstanceOfRun) -> RunKey:
    """Return the ledger's key of the instance's DAG run."""
    return RunKey(get_settings().deployment, instance.dag_id, instance.run_id)
