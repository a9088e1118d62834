"""Airflow's public REST API, as far as runs are triggered over it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import requests

from blogger_tracking.domain.errors import BloggerTrackingError


class AirflowApiError(BloggerTrackingError):
    """Airflow cannot be reached, or did not take what it was sent. The message has no secrets."""


class DagRunState(StrEnum):
    """The state of a DAG run."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"

    @property
    def over(self) -> bool:
        """Whether nothing more will come of the run by itself."""
        return self in {DagRunState.SUCCESS, DagRunState.FAILED}


@dataclass(slots=True)
class AirflowApi:
    """One API server, spoken to as one service account. Thread-safe; the token is kept until it is refused.

    `base_url` is what comes before `/api/v2`. Every call raises AirflowApiError within about `timeout_seconds`.
    """

    base_url: str
    username: str
    password: str = field(repr=False)
    timeout_seconds: float
    _token: str | None = field(default=None, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any]) -> bool:
        """Start a run under an id of one's own; False when a run of this id is there already."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf)}
        response = self._send("POST", f"dags/{quote(dag_id)}/dagRuns", body)
        if response.status_code == HTTPStatus.CONFLICT:
            return False
        _require(response, HTTPStatus.OK)
        return True

    def run_state(self, dag_id: str, run_id: str) -> DagRunState | None:
        """The state of a run; None if Airflow does not know it."""
        response = self._send("GET", f"dags/{quote(dag_id)}/dagRuns/{quote(run_id)}")
        if response.status_code == HTTPStatus.NOT_FOUND:
            return None
        _require(response, HTTPStatus.OK)
        try:
            return DagRunState(response.json()["state"])
        except (ValueError, KeyError, TypeError):
            raise AirflowApiError("Airflow's answer about a run cannot be read.") from None

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> requests.Response:
        token = self._current_token()
        response = self._request(method, f"api/v2/{path}", body, token)
        if response.status_code != HTTPStatus.UNAUTHORIZED:
            return response
        self._forget(token)
        return self._request(method, f"api/v2/{path}", body, self._current_token())

    def _current_token(self) -> str:
        with self._lock:
            if self._token is None:
                self._token = self._log_in()
            return self._token

    def _forget(self, token: str) -> None:
        with self._lock:
            if self._token == token:
                self._token = None

    def _log_in(self) -> str:
        credentials = {"username": self.username, "password": self.password}
        response = self._request("POST", "auth/token", credentials, None)
        _require(response, HTTPStatus.CREATED)
        try:
            return str(response.json()["access_token"])
        except (ValueError, KeyError, TypeError):
            raise AirflowApiError("Airflow's answer to the login cannot be read.") from None

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None, token: str | None) -> requests.Response:
        try:
            return requests.request(
                method,
                f"{self.base_url.rstrip('/')}/{path}",
                json=body,
                headers={"Authorization": f"Bearer {token}"} if token else {},
                timeout=self.timeout_seconds,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            # Only the name of the library's error is told: its text holds the whole address.
            raise AirflowApiError(f"Airflow's API cannot be reached ({type(error).__name__}).") from None


def _require(response: requests.Response, expected: HTTPStatus) -> None:
    if response.status_code != expected:
        raise AirflowApiError(f"Airflow's API answered {response.status_code} instead of {expected.value}.")
