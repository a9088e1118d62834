"""Suppression of Airflow's three log lines about every trigger: starting, fired, completed.

The lines are 1.3 KB of log for every task instance. Airflow's triggerer reads 4 KB of log in each round of its loop,
and each round queries the metadata database, so the lines were a large part of the cost of a run.

Relies on: the texts of these lines, and `airflow.jobs.triggerer_job_runner.TriggerRunner.log` being a structlog logger
without a name, for which no level can be configured, with the process-wide list of processors.
Verified against: Airflow 3.3.2, airflow/jobs/triggerer_job_runner.py.
Turned off by: `BLOGGER_TRACKING_DROP_TRIGGER_ANNOUNCEMENTS=false`.
Test: tests/orchestration/airflow_3_3/test_trigger_announcements.py.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

import structlog

from blogger_tracking.settings import get_settings

ANNOUNCEMENT = re.compile(r"trigger .+ starting$|Trigger fired event$|trigger completed$")
"""Pattern of the dropped lines' events, before structlog fills in the arguments."""


def drop_trigger_announcements() -> None:
    """Add the filter to structlog's processors, unless the processors have the filter already.

    The list itself is changed, because Airflow's logger may have been bound to that list before.
    """
    processors = structlog.get_config()["processors"]
    if get_settings().drop_trigger_announcements and drop_announcement not in processors:
        processors.insert(0, drop_announcement)


def drop_announcement(logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Return the line. Raises structlog.DropEvent for an announcement."""
    del logger
    if method == "info" and ANNOUNCEMENT.match(str(event["event"])):
        raise structlog.DropEvent
    return event
