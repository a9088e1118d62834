"""Initialisation of Sentry. Airflow's own integration covers only the task runner of workers.

Every entry point of the project's code calls `ensure_sentry` (see `error_reporting`).
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import sentry_sdk
from sentry_sdk.integrations.argv import ArgvIntegration
from sentry_sdk.integrations.logging import EventHandler, LoggingIntegration
from sentry_sdk.integrations.stdlib import StdlibIntegration
from sentry_sdk.utils import BadDsn

from blogger_tracking.domain.alerts import ALERTS_LOGGER, alerts
from blogger_tracking.orchestration import connected_services
from blogger_tracking.orchestration.connected_services import SENTRY
from blogger_tracking.orchestration.process_cache import until_true
from blogger_tracking.settings import get_settings

if TYPE_CHECKING:
    from sentry_sdk._types import Event, Hint

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 2
"""Maximum time that a process, when it ends, waits until its remaining events are sent."""

RETRY_SECONDS = 60
"""Interval between two attempts of a process to read the Connection, if there was none at the first attempt."""

REPEAT_SECONDS = 3600
"""Time in which one process sends no second event with the same cause."""

_CAUSES_KEPT = 1000


@until_true(RETRY_SECONDS)
def ensure_sentry() -> bool:
    """Start Sentry in this process, unless it is started already. Never raises.

    Airflow reports a Connection that it could not read as one that does not exist. Therefore the absence of the
    Connection is not final.
    """
    try:
        connection = connected_services.find_connection(SENTRY)
        return start_sentry(connection.password if connection else None)
    except BadDsn:
        logger.warning("No event is sent: the password of the Connection %s is not a DSN.", SENTRY)
    except Exception as error:  # noqa: BLE001 - what a secrets backend raises must not end a fetch
        logger.warning("No event is sent: the Connection %s was not read (%s).", SENTRY, type(error).__name__)
    return False


def start_sentry(dsn: str | None) -> bool:
    """Send logged errors and alerts of this process to Sentry; without a DSN do nothing and return False.

    Other warnings are not sent, nor are local variables, requests and command lines. Raises BadDsn.
    """
    if not dsn:
        return False
    sentry_sdk.init(
        dsn=dsn,
        include_local_variables=False,
        max_request_body_size="never",
        auto_enabling_integrations=False,
        # Both would add data that may hold secrets: the command line, and the URLs of outgoing requests.
        disabled_integrations=[ArgvIntegration, StdlibIntegration],
        # By default Sentry adds headers to every outgoing request, including those to the platforms.
        trace_propagation_targets=[],
        shutdown_timeout=FLUSH_SECONDS,
        environment=get_settings().deployment,
        integrations=[LoggingIntegration(level=logging.INFO, event_level=logging.ERROR)],
        before_send=_Repetitions().drop,
    )
    if not any(isinstance(handler, EventHandler) for handler in alerts.handlers):
        alerts.addHandler(EventHandler(logging.WARNING))
    return True


def flush_sentry() -> None:
    """Wait until the events of this process are sent, FLUSH_SECONDS at most.

    A process that a signal ends runs no exit handlers, in which Sentry would send its last events.
    """
    sentry_sdk.flush(FLUSH_SECONDS)


class _Repetitions:
    """Events that one process sent lately, by cause."""

    def __init__(self) -> None:
        self._sent_at: dict[tuple[str, ...], float] = {}

    def drop(self, event: Event, hint: Hint) -> Event | None:
        """Return the event, or None for a repetition. An alert is never one: alerts are sent once by their rule.

        The cause is the `fingerprint` of a log record that has one, by which Sentry groups the events, too; else the
        text of the record without its arguments, and the type of the exception.
        """
        record = hint.get("log_record")
        fingerprint = getattr(record, "fingerprint", None)
        if fingerprint:
            event["fingerprint"] = list(fingerprint)
        if isinstance(record, logging.LogRecord) and record.name != ALERTS_LOGGER:
            kind = record.exc_info[0] if record.exc_info else None
            cause = (record.name, *(fingerprint or (str(record.msg), kind.__qualname__ if kind else "")))
            now = time.monotonic()
            if now - self._sent_at.get(cause, float("-inf")) < REPEAT_SECONDS:
                return None
            if len(self._sent_at) >= _CAUSES_KEPT:
                self._sent_at.clear()
            self._sent_at[cause] = now
        return event
