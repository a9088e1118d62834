"""The log of a task, as Airflow writes it, has no secret of a Connection."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from devtools.local_stack.config import PROJECT_ROOT

PASSWORD = "Xk3y-0f-an-1nvented-pr0ject"  # noqa: S105 - invented
EXTRA = "0ther-inv3nted-sas-t0ken"
HOOK = "T0/B0/1nvented-end-of-a-path"

SCRIPT = """
import logging
import sys

from airflow.sdk import log
from blogger_tracking.orchestration.connected_services import get_connection
from blogger_tracking.orchestration.error_reporting import sentry_running
from blogger_tracking.orchestration.webhook_notifier import WebhookNotifier

log.configure_logging(output=sys.stdout.buffer, json_output=True)
connection = get_connection("tiktok_api")
logging.getLogger("urllib3").warning("%s and %s", connection.password.upper(), connection.extra_dejson["sas_token"][2:])
try:
    with sentry_running():
        raise ValueError(f"{connection.password[:-2]} is wrong")
except ValueError as error:
    import structlog
    structlog.get_logger("airflow.task").exception("Task failed with exception")
try:
    WebhookNotifier().notify({})
except Exception:
    logging.getLogger("urllib3").warning("%s", get_connection("alert_webhook").host)
"""


def test_neither_records_nor_the_exception_of_a_task_have_a_secret() -> None:
    connections = {
        "AIRFLOW_CONN_TIKTOK_API": {"conn_type": "http", "password": PASSWORD, "extra": {"sas_token": EXTRA}},
        # Port 1 refuses every connection.
        "AIRFLOW_CONN_ALERT_WEBHOOK": {"conn_type": "http", "host": f"http://127.0.0.1:1/{HOOK}"},
    }
    environment = {name: json.dumps(connection) for name, connection in connections.items()}

    found = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "PYTHONPATH": f"{PROJECT_ROOT}/include", **environment},
        capture_output=True,
        text=True,
        check=True,
    )

    output = found.stdout + found.stderr
    assert '"*** and ***"' in output
    assert '"*** is wrong"' in output
    assert "http://127.0.0.1:1/T0/B0/***" in output
    for secret in (PASSWORD, EXTRA, HOOK):
        assert secret[-8:].lower() not in output.lower()
        assert secret[:8].lower() not in output.lower() or secret == HOOK
