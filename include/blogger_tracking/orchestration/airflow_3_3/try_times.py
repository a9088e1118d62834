"""Time at which Airflow created a try of a task instance.

The time tells a try that somebody cleared on purpose from the same try that is started once more, after a triggerer was
killed or frozen. The triggerer has neither the number of tries that the instance may have nor the try's start.

Relies on: `TaskInstance.prepare_db_for_next_try` gives an instance a new id for each try, a UUID of version 7, whose
first 48 bits are the milliseconds since 1970.
Verified against: Airflow 3.3.2, airflow/models/taskinstance.py.
Turned off by: ids of another version. The time is then the start of the work: nothing is taken for a left-over try.
Test: tests/orchestration/airflow_3_3/test_try_times.py.
"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

_TIMED_VERSION = 7
_BITS_AFTER_TIME = 80


def try_created_at(instance_id: UUID) -> datetime:
    """Return the time at which Airflow created the try with this instance id."""
    if instance_id.version != _TIMED_VERSION:
        return datetime.now(UTC)
    return datetime.fromtimestamp((instance_id.int >> _BITS_AFTER_TIME) / 1000, UTC)
