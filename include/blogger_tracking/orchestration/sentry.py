"""Sentry, initialised by the project itself: Airflow's own integration reaches the worker's task runner alone."""

from __future__ import annotations

import logging

import sentry_sdk
from sentry_sdk.integrations.logging import EventHandler, LoggingIntegration

from blogger_tracking.domain.alerts import alerts
from blogger_tracking.settings import get_settings

FLUSH_SECONDS = 2
"""How long the end of a process may be held up by events that are still to be sent."""


def start_sentry(dsn: str | None) -> None:
    """Report errors and alerts of this process, if there is a DSN.

    Ordinary warnings stay in the log. Local variables, requests and command lines are never sent.
    """
    if not dsn:
        return
    sentry_sdk.init(
        dsn=dsn,
        include_local_variables=False,
        max_request_body_size="never",
        auto_enabling_integrations=False,
        # By default every outgoing request, to a platform too, would carry headers of Sentry's.
        trace_propagation_targets=[],
        shutdown_timeout=FLUSH_SECONDS,
        environment=get_settings().deployment,
        integrations=[LoggingIntegration(level=logging.INFO, event_level=logging.ERROR)],
    )
    if not any(isinstance(handler, EventHandler) for handler in alerts.handlers):
        alerts.addHandler(EventHandler(logging.WARNING))
