"""Cluster policy and garbage collection: registration alone.

Airflow imports this file in every process, so what it needs is imported late.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from blogger_tracking.settings import COLLECTION_THRESHOLDS

if TYPE_CHECKING:
    from airflow.models.taskinstance import TaskInstance


def task_instance_mutation_hook(task_instance: TaskInstance) -> None:
    """Label the instances of the batch run."""
    from blogger_tracking.orchestration.airflow_3_3.instance_labels import label_instance  # noqa: PLC0415 - see the module's docstring

    label_instance(task_instance)


gc.set_threshold(*COLLECTION_THRESHOLDS)
