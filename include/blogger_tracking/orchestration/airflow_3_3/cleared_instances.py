"""Events of triggers whose task instance was cleared at that moment.

Clearing an instance gives it a new id. If its trigger ends between the triggerer's reading of the instance and its
commit, no row has the old id, SQLAlchemy raises StaleDataError, and the whole triggerer exits with all its triggers.
The transaction is repeated instead: the second reading finds that the instance does not wait for the trigger any more.

Relies on: the triggerer hands events to `Trigger.submit_event` and failures to `Trigger.submit_failure`, each of which
opens and commits a session of its own, and changes nothing unless the instance waits for the trigger.
Verified against: Airflow 3.3.2, airflow/models/trigger.py, airflow/jobs/triggerer_job_runner.py.
Turned off by: `BLOGGER_TRACKING_TOLERATE_CLEARED_INSTANCES=false`.
Test: tests/orchestration/airflow_3_3/test_cleared_instances.py, tests/end_to_end/test_runs_ended_by_hand.py.

The plugin registers this module as a listener, and every Airflow process imports the plugin: imports are inside
functions.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps

from airflow.listeners import hookimpl

logger = logging.getLogger(__name__)

TRIES = 3
"""Number of times that a transaction is tried. An instance is cleared once at a time, so that the second succeeds."""


@hookimpl
def on_starting(component: object) -> None:
    """Install the repetition when a process of Airflow starts."""
    from blogger_tracking.settings import get_settings

    del component
    if get_settings().tolerate_cleared_instances:
        tolerate_cleared_instances()


def tolerate_cleared_instances() -> None:
    """Make `Trigger.submit_event` and `Trigger.submit_failure` repeat a transaction whose instance was cleared."""
    from airflow.models.trigger import Trigger

    for name in ("submit_event", "submit_failure"):
        submit = getattr(Trigger, name)
        if not hasattr(submit, "tolerates_cleared_instances"):
            setattr(Trigger, name, staticmethod(_repeated(submit)))


def _repeated(submit: Callable[..., None]) -> Callable[..., None]:
    from sqlalchemy.orm.exc import StaleDataError

    @wraps(submit)
    def repeated(*arguments: object, **named: object) -> None:
        for _ in range(TRIES):
            try:
                return submit(*arguments, **named)
            except StaleDataError:
                logger.info("An instance was cleared while its trigger ended: reading the instance again.")
        logger.warning("An instance was cleared %s times while its trigger ended: the trigger's end is dropped.", TRIES)
        return None

    repeated.tolerates_cleared_instances = True  # type: ignore[attr-defined] # marks the function that is in place
    return repeated
