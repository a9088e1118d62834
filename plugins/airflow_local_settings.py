"""Registration of the cluster policy, and of the thresholds of garbage collection.

Airflow imports this file in every process, so modules that only the policy needs are imported at its first call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blogger_tracking.orchestration.airflow_3_3.garbage_collection import tune_garbage_collection

if TYPE_CHECKING:
    from airflow.models.taskinstance import TaskInstance


def task_instance_mutation_hook(task_instance: TaskInstance) -> None:
    """Label the instances of the batch run."""
    from blogger_tracking.orchestration.airflow_3_3.instance_labels import (  # noqa: PLC0415 - every Airflow process imports this file
        label_instance,
    )

    label_instance(task_instance)


tune_garbage_collection()
