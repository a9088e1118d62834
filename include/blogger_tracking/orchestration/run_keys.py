"""Keys of ledger runs and tries of task instances, by Airflow task instance."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from blogger_tracking.database.runs import InstanceTry, RunKey
from blogger_tracking.orchestration.airflow_3_3.try_times import try_created_at
from blogger_tracking.settings import get_settings


class InstanceOfRun(Protocol):
    """The attributes that a task instance has in a worker, in the triggerer and in the scheduler."""

    dag_id: str
    run_id: str


class TaskOfRun(InstanceOfRun, Protocol):
    """The attributes of a task instance that tell its run and its task."""

    task_id: str


class FetchInstance(TaskOfRun, Protocol):
    """The attributes of a task instance in a worker and in the triggerer that tell its try."""

    id: UUID
    map_index: int | None


def run_key(instance: InstanceOfRun) -> RunKey:
    """Return the ledger's key of the instance's DAG run."""
    return RunKey(get_settings().deployment, instance.dag_id, instance.run_id)


def instance_try(instance: FetchInstance, *, is_retry: bool = False) -> InstanceTry:
    """Return the try of a task instance, as the ledger knows it."""
    map_index = -1 if instance.map_index is None else instance.map_index
    return InstanceTry(run_key(instance), instance.task_id, map_index, try_created_at(instance.id), is_retry)
