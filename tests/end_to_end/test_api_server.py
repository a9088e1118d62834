"""Airflow's API server with more requests at once than it has threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

import requests

from devtools.local_stack.stack import Stack

_AT_ONCE = 60
_REQUESTS = 180


def test_every_request_is_answered(stack: Stack) -> None:
    login = requests.post(
        f"{stack.api_url}/auth/token", json={"username": stack.login, "password": stack.password}, timeout=30
    )
    headers = {"Authorization": f"Bearer {login.json()['access_token']}"}

    def status(_: int) -> int:
        return requests.get(f"{stack.api_url}/api/v2/dags", headers=headers, timeout=120).status_code

    with ThreadPoolExecutor(_AT_ONCE) as executor:
        # An event loop that waits for a connection to the database answers 500 after 30 seconds.
        assert set(executor.map(status, range(_REQUESTS))) == {HTTPStatus.OK}
