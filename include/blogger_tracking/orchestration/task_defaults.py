"""Default arguments that tasks of several DAGs share."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

RESTART_TOLERANCE: dict[str, Any] = {"retries": 6, "retry_delay": timedelta(seconds=20)}
"""Retries of every task outside the fan-out, so that the task outlasts two minutes of a slow or restarting API server.

If the API server responds to a worker too late, Airflow's executor reports the task as failed while the task is still
queued. Without retries the task and the run would fail for that reason alone.
"""
