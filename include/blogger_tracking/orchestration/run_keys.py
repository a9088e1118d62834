"""Which ledger run an Airflow task instance belongs to."""

from __future__ import annotations

from typing import Protocol

from blogger_tracking.database.runs import RunKey
from blogger_tracking.settings import get_settings


class InstanceOfRun(Protocol):
    """What a task instance says of itself, in a worker and in the triggerer alike."""

    dag_id: str
    run_id: str


def run_key(instance: InstanceOfRun) -> RunKey:
    """The key under which the ledger knows the instance's DAG run."""
    return RunKey(get_settings().deployment, instance.dag_id, instance.run_id)
