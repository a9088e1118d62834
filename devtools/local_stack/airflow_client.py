"""A small client of Airflow's public REST API, for what runs beside the stack."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, TypedDict, cast

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from devtools.local_stack.errors import StackError

_TIMEOUT_SECONDS = 30.0
_POLL_SECONDS = 1.0
_PAGE = 100
# A server that died is back within seconds.
_PATIENCE = Retry(total=6, backoff_factor=0.5, allowed_methods={"GET"})
FINISHED_STATES = frozenset({"success", "failed"})


class DagRun(TypedDict):
    """What the API says of a run, as far as it is used here."""

    dag_id: str
    dag_run_id: str
    run_type: str
    state: str
    end_date: str | None


class TaskInstance(TypedDict):
    """What the API says of a task instance. `map_index` is -1 for one that is not mapped."""

    task_id: str
    map_index: int
    state: str | None
    try_number: int
    rendered_map_index: str | None


class AirflowClient:
    """Speaks to one API server as one user. Every call raises StackError with Airflow's own words when refused."""

    def __init__(self, api_url: str, login: str, password: str) -> None:
        self._url = api_url
        self._credentials = {"username": login, "password": password}
        self._session = requests.Session()
        self._session.mount(api_url, HTTPAdapter(max_retries=_PATIENCE))

    def has_dag(self, dag_id: str) -> bool:
        """Whether the DAG has been parsed and can be triggered."""
        answer = self._send("GET", f"/dags/{dag_id}")
        return answer.status_code == HTTPStatus.OK

    def pause(self, dag_id: str) -> None:
        """Let a DAG start no runs by itself, and no more tasks of those it has."""
        self._call("PATCH", f"/dags/{dag_id}", {"is_paused": True})

    def unpause(self, dag_id: str) -> None:
        """Let a DAG start its runs, and go on with those it has."""
        self._call("PATCH", f"/dags/{dag_id}", {"is_paused": False})

    def import_errors(self) -> list[str]:
        """What the DAG processor could not import, and why."""
        return [error["stack_trace"] for error in self._call("GET", "/importErrors")["import_errors"]]

    def trigger(self, dag_id: str, conf: Mapping[str, object] | None = None, run_id: str | None = None) -> DagRun:
        """Start a run."""
        body = {"logical_date": None, "conf": dict(conf or {}), "dag_run_id": run_id}
        return cast("DagRun", self._call("POST", f"/dags/{dag_id}/dagRuns", body))

    def run(self, dag_id: str, run_id: str) -> DagRun:
        """One run."""
        return cast("DagRun", self._call("GET", f"/dags/{dag_id}/dagRuns/{run_id}"))

    def runs(self, dag_id: str) -> list[DagRun]:
        """The newest runs of a DAG."""
        return cast("list[DagRun]", self._call("GET", f"/dags/{dag_id}/dagRuns?order_by=-id")["dag_runs"])

    def wait_for_run(
        self, dag_id: str, run_id: str, timeout_seconds: float, poll_seconds: float = _POLL_SECONDS
    ) -> DagRun:
        """The run once it has ended. Raises StackError when it has not in time.

        To answer about a run Airflow reads all of its task instances, hundreds of milliseconds for a thousand.
        """
        deadline = time.monotonic() + timeout_seconds
        while (run := self.run(dag_id, run_id))["state"] not in FINISHED_STATES:
            if time.monotonic() > deadline:
                raise StackError(f"{run_id} of {dag_id} is still {run['state']} after {timeout_seconds:.0f} s.")
            time.sleep(poll_seconds)
        return run

    def task_instances(self, dag_id: str, run_id: str) -> list[TaskInstance]:
        """All task instances of a run."""
        return list(self._pages(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", "task_instances"))

    def clear(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> None:
        """Have one task instance done again, and what follows it, as the UI does."""
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": [task_id if map_index < 0 else [task_id, map_index]],
            "only_failed": False,
            "include_downstream": True,
        }
        self._call("POST", f"/dags/{dag_id}/clearTaskInstances", body)

    def clear_run(self, dag_id: str, run_id: str) -> None:
        """Have all of a run done again."""
        self._call("POST", f"/dags/{dag_id}/dagRuns/{run_id}/clear", {"dry_run": False})

    def xcom(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> object:
        """What a task instance returned."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value"
        return self._call("GET", f"{path}?map_index={map_index}&deserialize=true")["value"]

    def log(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1, try_number: int = 1) -> str:
        """The log of one try of a task instance, a line for each event."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}?map_index={map_index}"
        return "\n".join(str(line) for line in self._call("GET", path)["content"])

    def _pages(self, path: str, key: str) -> Iterator[Any]:
        offset = 0
        while True:
            page = self._call("GET", f"{path}?limit={_PAGE}&offset={offset}")
            yield from page[key]
            offset += _PAGE
            if offset >= page["total_entries"]:
                return

    def _call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        answer = self._send(method, path, body)
        if not answer.ok:
            raise StackError(f"Airflow refused {method} {path} with {answer.status_code}: {answer.text[:500]}")
        return cast("dict[str, Any]", answer.json())

    def _send(self, method: str, path: str, body: object = None) -> requests.Response:
        answer = self._send_once(method, path, body)
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            self._log_in()
            answer = self._send_once(method, path, body)
        return answer

    def _send_once(self, method: str, path: str, body: object) -> requests.Response:
        return self._session.request(method, f"{self._url}/api/v2{path}", json=body, timeout=_TIMEOUT_SECONDS)

    def _log_in(self) -> None:
        answer = self._session.post(f"{self._url}/auth/token", json=self._credentials, timeout=_TIMEOUT_SECONDS)
        if not answer.ok:
            raise StackError(f"Airflow refused the login {self._credentials['username']} ({answer.status_code}).")
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
