"""Initialisation of Sentry. Airflow's own integration covers only the task runner of workers."""

from __future__ import annotations

import logging

import sentry_sdk
from sentry_sdk.integrations.logging import EventHandler, LoggingIntegration

from blogger_tracking.domain.alerts import alerts
from blogger_tracking.settings import get_settings

FLUSH_SECONDS = 2
"""Maximum time that a process, when it ends, waits until its remaining events are sent."""


def start_sentry(dsn: str | None) -> None:
    """Send logged errors and alerts of this process to Sentry. Without a DSN nothing is done.

    Other warnings are not sent, nor are local variables, requests and command lines.
    """
    if not dsn:
        return
    sentry_sdk.init(
        dsn=dsn,
        include_local_variables=False,
        max_request_body_size="never",
        auto_enabling_integrations=False,
        # By default Sentry adds headers to every outgoing request, including those to the platforms.
        trace_propagation_targets=[],
        shutdown_timeout=FLUSH_SECONDS,
        environment=get_settings().deployment,
        integrations=[LoggingIntegration(level=logging.INFO, event_level=logging.ERROR)],
    )
    if not any(isinstance(handler, EventHandler) for handler in alerts.handlers):
        alerts.addHandler(EventHandler(logging.WARNING))
