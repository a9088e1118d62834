"""Start of mapped task instances in the triggerer, without a worker.

Relies on: the scheduler defers an instance of a *mapped* task at once if the serialized operator has
`start_from_trigger` and `start_trigger_args` (`TaskInstance.defer_task`), although Airflow documents this for tasks
that are not mapped, and `MappedOperator.expand_start_from_trigger` logs that mapped tasks are unsupported.
The scheduler honours the timeout of the deferral: it schedules an overdue instance to fail in a worker, Airflow's retry
defers the instance again, and the triggerer cancels the former trigger (`check_trigger_timeouts`).
Verified against: Airflow 3.3.2, airflow/models/taskinstance.py, airflow/models/dagrun.py,
airflow/jobs/scheduler_job_runner.py, and by an end-to-end test with a frozen triggerer.
Turned off by: `[operators] default_deferrable = False`. The instances then run in workers and do the same work.
Test: tests/orchestration/airflow_3_3/test_start_from_trigger.py, tests/end_to_end/test_frozen_triggerer.py.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.configuration import conf
from airflow.triggers.base import StartTriggerArgs

from blogger_tracking.settings import get_settings


def deferral_timeout() -> timedelta:
    """Return the longest time that an instance may stay deferred, in multiples of an attempt's lease.

    The time includes the wait for a free thread of a triggerer, which grows with the fleet.
    """
    settings = get_settings()
    return timedelta(minutes=settings.lease_minutes * settings.deferral_leases)


FETCH_TRIGGER = StartTriggerArgs(
    trigger_cls="blogger_tracking.orchestration.fetch_trigger.FetchBloggersTrigger",
    trigger_kwargs={},
    next_method="execute",
    timeout=deferral_timeout(),
)
"""The trigger of the fetch tasks. The trigger ends its task instance itself; `next_method` is never called."""


def starts_in_triggerer() -> bool:
    """Return True if fetch tasks start in the triggerer unless a DAG says otherwise."""
    return conf.getboolean("operators", "default_deferrable", fallback=False)
