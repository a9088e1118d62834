"""Start of mapped task instances in the triggerer, without a worker.

Relies on: the scheduler defers an instance of a *mapped* task at once if the serialized operator has
`start_from_trigger` and `start_trigger_args` (`TaskInstance.defer_task`), although Airflow documents this for tasks
that are not mapped, and `MappedOperator.expand_start_from_trigger` logs that mapped tasks are unsupported.
Verified against: Airflow 3.3.2, airflow/models/taskinstance.py and airflow/models/dagrun.py.
Turned off by: `[operators] default_deferrable = False`. The instances then run in workers and do the same work.
Test: tests/orchestration/airflow_3_3/test_start_from_trigger.py.
"""

from __future__ import annotations

from airflow.configuration import conf
from airflow.triggers.base import StartTriggerArgs

FETCH_TRIGGER = StartTriggerArgs(
    trigger_cls="blogger_tracking.orchestration.fetch_trigger.FetchBloggersTrigger",
    trigger_kwargs={},
    next_method="execute",
)
"""The trigger of the fetch tasks. The trigger ends its task instance itself; `next_method` is never called."""


def starts_in_triggerer() -> bool:
    """Return True if fetch tasks start in the triggerer unless a DAG says otherwise."""
    return conf.getboolean("operators", "default_deferrable", fallback=False)
