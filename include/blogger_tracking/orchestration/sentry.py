"""Sentry, initialised by the project itself: Airflow's own integration reaches the worker's task runner alone."""

from __future__ import annotations

import logging

import sentry_sdk
from sentry_sdk.integrations.logging import LoggingIntegration

from blogger_tracking.settings import get_settings

FLUSH_SECONDS = 2
"""How long the end of a process may be held up by events that are still to be sent."""


def start_sentry(dsn: str | None) -> None:
    """Report warnings and errors of this process, if there is a DSN. Local variables are never sent."""
    if not dsn:
        return
    sentry_sdk.init(
        dsn=dsn,
        include_local_variables=False,
        send_default_pii=False,
        shutdown_timeout=FLUSH_SECONDS,
        environment=get_settings().deployment,
        integrations=[LoggingIntegration(level=logging.INFO, event_level=logging.WARNING)],
    )
