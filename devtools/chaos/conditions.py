"""Conditions of chaos: the settings that shorten waits, and the sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devtools.local_stack.config import SandboxConfig, StackConfig

FAST_SETTINGS: Mapping[str, str] = {
    # No scheduled run may start during a try.
    "BLOGGER_TRACKING_SCHEDULE": "0 0 29 2 *",
    "BLOGGER_TRACKING_LEASE_MINUTES": "1",
    "BLOGGER_TRACKING_DEFERRAL_LEASES": "1",
    "BLOGGER_TRACKING_FETCH_RETRY_DELAY_SECONDS": "1",
    "BLOGGER_TRACKING_INITIAL_FETCH_RETRY_DELAY_SECONDS": "1",
    "BLOGGER_TRACKING_REQUEST_TIMEOUT_SECONDS": "4",
    "BLOGGER_TRACKING_RETRY_BASE_SECONDS": "0.3",
    "BLOGGER_TRACKING_RETRY_AFTER_LIMIT_SECONDS": "5",
    "BLOGGER_TRACKING_SUSPENSION_MINUTES": "0.2",
    "BLOGGER_TRACKING_DATABASE_TIMEOUT_SECONDS": "12",
    "BLOGGER_TRACKING_QUEUE_VISIBILITY_MINUTES": "1",
    "BLOGGER_TRACKING_QUEUE_POLL_SECONDS": "0.5",
    "BLOGGER_TRACKING_PERSON_REQUESTS_PER_MINUTE": "1000",
    "BLOGGER_TRACKING_ORGANIZATION_REQUESTS_PER_MINUTE": "1000",
    "BLOGGER_TRACKING_YOUTUBE_DAILY_UNITS": "1000000",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "15",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "2",
    # A loaded machine delays heartbeats: a lower threshold takes a scheduler that works for a dead one.
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "25",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "3",
}
"""Settings of the stack that differ from the stack as shipped: leases, retries and heartbeats of seconds."""

_SEED = 7
_CREATORS = 1_000_000
_LATENCY_MS = 200
_NO_LIMIT = "1000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Sizes of one try: bloggers per platform, organizations, and the bounds of its waits in seconds."""

    per_platform: int = 12
    organizations: int = 4
    run_seconds: float = 200
    settle_seconds: float = 100


def chaos_stack(folder: Path) -> StackConfig:
    """Return the configuration of the stack that is disturbed, whose files are in `folder`."""
    return StackConfig(
        folder=folder,
        sandbox=SandboxConfig(
            seed=_SEED,
            latency_ms=_LATENCY_MS,
            creators=_CREATORS,
            arguments=["--no-traps", "--youtube-daily-units", _NO_LIMIT, "--body-bytes", "3000"],
        ),
        environment=FAST_SETTINGS,
    )
