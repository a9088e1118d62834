"""Settings that tasks of several DAGs share."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

RESTART_TOLERANCE: dict[str, Any] = {"retries": 6, "retry_delay": timedelta(seconds=20)}
"""Retries of every task outside the fan-out, so that the task outlasts two minutes of a slow or restarting API server.

Airflow's executor reports a task as failed while the task is still queued if the API server answers the worker late.
Without retries such a task, and with the task the run, would fail although nothing is wrong with the run.
"""
