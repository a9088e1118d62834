"""Initialisation of Sentry. Airflow's own integration covers only the task runner of workers.

Every entry point of the project's code calls `ensure_sentry` (see `error_reporting`).
"""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import NAMESPACE_OID, uuid5

import sentry_sdk
from sentry_sdk.integrations.argv import ArgvIntegration
from sentry_sdk.integrations.logging import EventHandler, LoggingIntegration
from sentry_sdk.integrations.stdlib import StdlibIntegration
from sentry_sdk.utils import BadDsn

from blogger_tracking.domain.alerts import ALERTS_LOGGER, alerts
from blogger_tracking.orchestration import connected_services
from blogger_tracking.orchestration.connected_services import SENTRY
from blogger_tracking.orchestration.process_cache import until_true
from blogger_tracking.redaction import redact
from blogger_tracking.settings import get_settings

if TYPE_CHECKING:
    from sentry_sdk._types import Breadcrumb, BreadcrumbHint, Event, Hint

    from blogger_tracking.database.runs import RunKey

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

    Other warnings are not sent, nor are local variables, requests, command lines, paths of the host, and secrets that
    this process has read from Connections. Raises BadDsn.
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
        before_send=_Repetitions().before_send,
        before_breadcrumb=_redact_breadcrumb,
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

    def before_send(self, event: Event, hint: Hint) -> Event | None:
        """Return the event, or None for a repetition.

        An alert with a fingerprint is never a repetition: the code that logs such an alert does so once by a rule.

        The cause is the `fingerprint` of a log record that has one, by which Sentry groups the events, too; else the
        text of the record without its arguments, and the type of the exception. A record with a `run` has a cause for
        each run. The event is redacted.
        """
        record = hint.get("log_record")
        fingerprint = getattr(record, "fingerprint", None)
        if fingerprint:
            event["fingerprint"] = list(fingerprint)
        run = getattr(record, "run", None)
        if run and fingerprint:
            event["event_id"] = _id_in_run(run, fingerprint)
        if isinstance(record, logging.LogRecord) and not (fingerprint and record.name == ALERTS_LOGGER):
            kind = record.exc_info[0] if record.exc_info else None
            cause = (record.name, *(fingerprint or (str(record.msg), kind.__qualname__ if kind else "")), str(run))
            now = time.monotonic()
            if now - self._sent_at.get(cause, float("-inf")) < REPEAT_SECONDS:
                return None
            if len(self._sent_at) >= _CAUSES_KEPT:
                self._sent_at.clear()
            self._sent_at[cause] = now
        return _redact_event(event)


def _id_in_run(run: RunKey, fingerprint: Iterable[str]) -> str:
    """Return the id that the events of all processes have for one cause in one run, 32 hexadecimal digits.

    Sentry drops an event with an id that it received within the last hour.
    """
    return uuid5(NAMESPACE_OID, repr((run, *fingerprint))).hex


_TEXTS = ("logentry", "message", "extra", "tags", "contexts", "breadcrumbs")
"""Parts of an event with free texts. The others are names of modules and functions, times and versions."""


def _redact_event(event: Event) -> Event:
    """Return the event without secrets, the command line and paths of the host."""
    redacted: dict[str, Any] = dict(event)
    for part in _TEXTS:
        if part in redacted:
            redacted[part] = _redact_texts(redacted[part])
    redacted.get("extra", {}).pop("sys.argv", None)
    for part in ("exception", "threads"):
        for value in redacted.get(part, {}).get("values", ()):
            if "value" in value:
                value["value"] = _redact_texts(value["value"])
            for frame in (value.get("stacktrace") or {}).get("frames", ()):
                _shorten_paths(frame)
    return cast("Event", redacted)


def _redact_breadcrumb(breadcrumb: Breadcrumb, _: BreadcrumbHint) -> Breadcrumb:
    return cast("Breadcrumb", _redact_texts(breadcrumb))


def _redact_texts(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, str):
        return redact(_OTHER_FOLDERS.sub(_kept_part, _HOST_FOLDERS.sub("", value)))
    if isinstance(value, Mapping):
        return {key: _redact_texts(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_redact_texts(each) for each in value]
    return value


def _shorten_paths(frame: dict[str, Any]) -> None:
    """Leave of a frame's path the part within its package: `blogger_tracking/orchestration/sentry.py`."""
    frame.pop("abs_path", None)
    if Path(str(frame.get("filename"))).is_absolute():
        frame["filename"] = Path(frame["filename"]).name


def _host_folders() -> re.Pattern[str]:
    """Return a pattern of the folders that paths of this process begin with: packages, Python, Airflow, the user."""
    package = Path(__file__).parents[2]
    folders = {*sys.path, sys.prefix, sys.base_prefix, str(package), str(Path.home()), str(Path.cwd())}
    folders.add(os.environ.get("AIRFLOW_HOME", ""))
    # The longest first: what is left of a path is as short as can be.
    absolute = sorted((folder.rstrip("/") for folder in folders if folder.count("/") > 1), key=len, reverse=True)
    return re.compile("|".join(f"{re.escape(folder)}/" for folder in absolute))


_HOST_FOLDERS = _host_folders()

_OTHER_FOLDERS = re.compile(
    r"""
    (?P<kept>
        \b[a-z][a-z0-9+.-]{0,20}://[^\s/]\S*             # a URL with a host
        | \b(?:GET|HEAD|POST|PUT|PATCH|DELETE)\ /\S*      # a request
        | (?<![\w/.%~-])/(?:api|bloggers?)/\S*           # a route of this app or of Airflow
    )
    | (?<=['"])/[^'"\n]*/(?=[^'"/\n])                   # a path in quotes may have spaces
    | (?:\b[a-z][a-z0-9+.-]{0,20}://|(?<![\w/.%~-]))/+(?:[^\s/'"]+/)+(?=[^\s/'"])
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""Folders that any other absolute path begins with, up to its last part, also in a URL without a host: `file:///…`."""


def _kept_part(match: re.Match[str]) -> str:
    return match["kept"] or ""
