"""Another API server of a running stack, which serves Airflow below a prefix as behind a reverse proxy."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from http import HTTPStatus

import requests

from devtools.local_stack.airflow_processes import airflow_command
from devtools.local_stack.config import LOOPBACK
from devtools.local_stack.stack import Stack
from tests.support.waiting import wait_until

_START_SECONDS = 90
_SECONDS = 5


@contextmanager
def served_below(prefix: str, stack: Stack) -> Generator[str]:
    """Yield the address of Airflow with the prefix, without a slash at the end."""
    with socket.create_server((LOOPBACK, 0)) as free:
        port = free.getsockname()[1]
    url = f"http://{LOOPBACK}:{port}{prefix}"
    with subprocess.Popen(
        airflow_command("api-server", "--host", LOOPBACK, "--port", str(port)),
        env={**stack.environment(), "AIRFLOW__API__BASE_URL": url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as server:
        try:
            wait_until(lambda: _answers(f"{url}/api/v2/monitor/health"), _START_SECONDS)
            yield url
        finally:
            os.killpg(server.pid, signal.SIGKILL)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=_SECONDS).status_code == HTTPStatus.OK
    except (requests.ConnectionError, requests.Timeout):
        return False
