"""Garbage collection thresholds of Airflow's processes.

Relies on: Airflow does not change Python's thresholds. Its processes hold hundreds of thousands of long-lived objects,
and with Python's defaults (700, 10, 10) a tenth of a batch run's CPU time goes into scanning these objects.
Verified against: Airflow 3.3.2; docs/performance.md has the measurement.
Turned off by: `BLOGGER_TRACKING_TUNE_GARBAGE_COLLECTION=false`.
Test: tests/orchestration/airflow_3_3/test_garbage_collection.py.
"""

from __future__ import annotations

import gc

from blogger_tracking.settings import COLLECTION_THRESHOLDS, get_settings


def tune_garbage_collection() -> None:
    """Set the thresholds of this process."""
    if get_settings().tune_garbage_collection:
        gc.set_threshold(*COLLECTION_THRESHOLDS)
