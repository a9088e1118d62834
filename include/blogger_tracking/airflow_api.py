"""Client of Airflow's public REST API: triggering DAG runs, reading their state, deleting old runs."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeAlias

from urllib3.exceptions import HTTPError

from blogger_tracking.bounded_responses import bound_responses
from blogger_tracking.domain.errors import BloggerTrackingError

if TYPE_CHECKING:
    from airflow_client.client import ApiClient
    from airflow_client.client.api.dag_run_api import DagRunApi
    from urllib3 import HTTPResponse

    _Call: TypeAlias = Callable[..., HTTPResponse]


_PLUGIN_ROUTE = "/blogger/00000000-0000-0000-0000-000000000000"

_COMPONENTS = ("scheduler", "triggerer", "dag_processor")

CONCURRENT_REQUESTS = 4
"""Requests that one process has at Airflow at once.

The API server has 15 connections to its database by default, and asks it about each request in its event loop. While
the requests under way hold all of them, the event loop stands still for 30 seconds: the additions of one process must
leave most connections to others.
"""


class AirflowApiError(BloggerTrackingError):
    """Airflow's REST API is unreachable or rejected a request. The message contains no secrets."""


class DagRunState(StrEnum):
    """The state of a DAG run."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"

    @property
    def over(self) -> bool:
        """True if the run has ended."""
        return self in {DagRunState.SUCCESS, DagRunState.FAILED}


@dataclass(slots=True)
class AirflowApi:
    """One Airflow API server, with one service account. Thread-safe.

    A wrapper of Airflow's official client, which lacks the login: the access token is kept until Airflow rejects it,
    and then renewed. At most CONCURRENT_REQUESTS run at once; further requests wait for up to `timeout_seconds`, as
    does a request for the login that another one has begun. Requests are not retried and redirects are not followed,
    and the connection and the whole response share one timeout, so that each request ends within about
    `timeout_seconds` after its wait; the client's default is three retries. Responses are read here, because the
    client's model of a DAG run rejects the whole response if any field has a value that the client's version does not
    know.

    `base_url` is the address without `/api/v2`. All methods raise AirflowApiError.
    """

    base_url: str
    username: str
    password: str = field(repr=False)
    timeout_seconds: float
    _token: str | None = field(default=None, init=False, repr=False)
    _dag_runs: DagRunApi | None = field(default=None, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _login: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _slots: threading.Semaphore = field(
        default_factory=partial(threading.BoundedSemaphore, CONCURRENT_REQUESTS), init=False, repr=False
    )

    def trigger(self, dag_id: str, dag_run_id: str, conf: Mapping[str, Any]) -> bool:
        """Trigger a DAG run with this id; return False if the DAG already has a run with this id."""
        from airflow_client.client.models.trigger_dag_run_post_body import TriggerDAGRunPostBody  # noqa: PLC0415 - a slow import

        body = TriggerDAGRunPostBody(dag_run_id=dag_run_id, logical_date=None, conf=dict(conf))
        status, _ = self._send(self._client().trigger_dag_run_without_preload_content, dag_id, body)
        if status == HTTPStatus.CONFLICT:
            return False
        _require_status(status, HTTPStatus.OK)
        return True

    def run_state(self, dag_id: str, dag_run_id: str) -> DagRunState | None:
        """Return the state of a DAG run, or None if Airflow has no such run."""
        status, body = self._send(self._client().get_dag_run_without_preload_content, dag_id, dag_run_id)
        if status == HTTPStatus.NOT_FOUND:
            return None
        _require_status(status, HTTPStatus.OK)
        try:
            return DagRunState(json.loads(body)["state"])
        except (ValueError, KeyError, TypeError):
            raise AirflowApiError("Airflow's response about a DAG run has no known state.") from None

    def runs_ended_before(
        self, dag_id: str, moment: datetime, states: Collection[DagRunState], limit: int
    ) -> list[str]:
        """Return the ids of up to `limit` runs that ended before a moment in one of these states, oldest first."""
        call = partial(
            self._client().get_dag_runs_without_preload_content,
            end_date_lt=moment,
            state=[state.value for state in states],
            order_by=["end_date"],
            limit=limit,
        )
        try:
            return [str(run["dag_run_id"]) for run in self._read(partial(call, dag_id))["dag_runs"]]
        except (KeyError, TypeError):
            raise AirflowApiError("Airflow's response about DAG runs has no list of runs.") from None

    def delete_run(self, dag_id: str, dag_run_id: str) -> bool:
        """Delete a DAG run with its task instances; return False if Airflow has no such run or the run is running."""
        status, _ = self._send(self._client().delete_dag_run_without_preload_content, dag_id, dag_run_id)
        if status in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
            return False
        _require_status(status, HTTPStatus.NO_CONTENT)
        return True

    def version(self) -> str:
        """Return the version of the running Airflow."""
        from airflow_client.client.api.version_api import VersionApi  # noqa: PLC0415 - a slow import

        return str(self._read(VersionApi(self._client().api_client).get_version_without_preload_content)["version"])

    def unhealthy_components(self) -> list[str]:
        """Return the processes of Airflow that DAG runs need and that do not run."""
        from airflow_client.client.api.monitor_api import MonitorApi  # noqa: PLC0415 - a slow import

        health = self._read(MonitorApi(self._client().api_client).get_health_without_preload_content)
        return [name for name in _COMPONENTS if (health.get(name) or {}).get("status") != "healthy"]

    def is_paused(self, dag_id: str) -> bool | None:
        """Return whether a DAG is paused, or None if Airflow has no such DAG."""
        from airflow_client.client.api.dag_api import DAGApi  # noqa: PLC0415 - a slow import

        call = DAGApi(self._client().api_client).get_dag_without_preload_content
        status, body = self._send(call, dag_id)
        if status == HTTPStatus.NOT_FOUND:
            return None
        _require_status(status, HTTPStatus.OK)
        return bool(_parsed(body).get("is_paused"))

    def plugin_status(self) -> int:
        """Return the status of a request to this project's HTTP API without an access token: 401 if it is mounted."""
        client = self._client().api_client

        def get(**options: object) -> HTTPResponse:
            url = f"{self.base_url.rstrip('/')}{_PLUGIN_ROUTE}"
            response: HTTPResponse = client.call_api("GET", url, {}, **options).response
            return response

        return self._call(get)[0]

    def _read(self, call: _Call) -> dict[str, Any]:
        status, body = self._send(call)
        _require_status(status, HTTPStatus.OK)
        return _parsed(body)

    def _client(self) -> DagRunApi:
        # Importing the client takes 0.7 s of CPU time (measured), which only processes that use the API should spend.
        from airflow_client.client import ApiClient, Configuration  # noqa: PLC0415 - a slow import
        from airflow_client.client.api.dag_run_api import DagRunApi  # noqa: PLC0415 - a slow import

        with self._lock:
            if self._dag_runs is None:
                configuration = Configuration(host=self.base_url.rstrip("/"), retries=False)
                client = ApiClient(configuration)
                bound_responses(client.rest_client.pool_manager)
                self._dag_runs = DagRunApi(client)
            return self._dag_runs

    def _send(self, call: _Call, *arguments: object) -> tuple[int, bytes]:
        """Call the API and return status and body; log in first if there is no token or Airflow rejects the token."""
        token = self._current_token()
        response = self._call(partial(call, *arguments), _headers={"Authorization": f"Bearer {token}"})
        if response[0] != HTTPStatus.UNAUTHORIZED:
            return response
        self._discard_token(token)
        return self._call(partial(call, *arguments), _headers={"Authorization": f"Bearer {self._current_token()}"})

    def _current_token(self) -> str:
        client = self._client().api_client
        with self._wait_for(self._login):
            if self._token is None:
                self._token = self._log_in(client)
            return self._token

    def _discard_token(self, token: str) -> None:
        with self._wait_for(self._login):
            if self._token == token:
                self._token = None

    def _log_in(self, client: ApiClient) -> str:
        def post(**options: object) -> HTTPResponse:
            url, headers = f"{self.base_url.rstrip('/')}/auth/token", {"Content-Type": "application/json"}
            body = {"username": self.username, "password": self.password}
            response: HTTPResponse = client.call_api("POST", url, headers, body, **options).response
            return response

        status, body = self._call(post)
        _require_status(status, HTTPStatus.CREATED)
        try:
            return str(json.loads(body)["access_token"])
        except (ValueError, KeyError, TypeError):
            raise AirflowApiError("Airflow's response to the login has no access token.") from None

    def _call(self, call: _Call, **options: object) -> tuple[int, bytes]:
        with self._wait_for(self._slots):
            return self._call_in_slot(call, **options)

    @contextmanager
    def _wait_for(self, held: threading.Lock | threading.Semaphore) -> Generator[None]:
        """Hold a slot or the lock of the login, which other requests may hold until their time-out."""
        if not held.acquire(timeout=self.timeout_seconds):
            raise AirflowApiError(
                "Airflow's REST API has not answered the requests before this one. Initial fetches that were not "
                "triggered stay pending. Check the load of the API server."
            )
        try:
            yield
        finally:
            held.release()

    def _call_in_slot(self, call: _Call, **options: object) -> tuple[int, bytes]:
        from airflow_client.client.exceptions import ApiException  # noqa: PLC0415 - a slow import

        try:
            response = call(**options, _request_timeout=float(self.timeout_seconds))
            body = response.data
        except (HTTPError, ApiException) as error:
            # Only the name of the error: its text may contain the whole address.
            raise AirflowApiError(
                f"Airflow's REST API cannot be reached ({type(error).__name__}). Initial fetches that were not "
                "triggered stay pending. Check the API server and the host of the Connection airflow_api."
            ) from None
        return response.status, body


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        return dict(json.loads(body))
    except (ValueError, TypeError):
        raise AirflowApiError(
            "Airflow's response is not the JSON of its REST API. Check the host of airflow_api."
        ) from None


_REMEDIES: Mapping[int, str] = {
    HTTPStatus.UNAUTHORIZED: "Check the login and the permissions of the Connection airflow_api.",
    HTTPStatus.FORBIDDEN: "Check the login and the permissions of the Connection airflow_api.",
    HTTPStatus.NOT_FOUND: "Check that Airflow has the DAG, and the host of the Connection airflow_api.",
}


def _require_status(status: int, expected: HTTPStatus) -> None:
    if status != expected:
        raise AirflowApiError(
            f"Airflow's REST API returned {status} instead of {expected.value}. Initial fetches that were not "
            f"triggered stay pending. {_REMEDIES.get(status, 'Look at the log of the API server.')}"
        )
