"""Response times of Airflow's UI during a run."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from statistics import quantiles
from types import TracebackType
from typing import Any, Self

import requests
from psycopg import Connection

from blogger_tracking.database.connections import connect
from devtools.local_stack.batch_run import BATCH_DAG
from devtools.local_stack.stack import Stack

_POLL_SECONDS = 1.0
_TIMEOUT_SECONDS = 60.0
_RUNS_SHOWN = 10
"""Number of runs that the grid shows by default."""

_NEWEST_FETCHED = """
select fetches.task_id, fetches.map_index
from blogger_tracking.fetches
join blogger_tracking.runs on runs.id = fetches.run_id
where runs.dag_run_id = %s and fetches.state = 'succeeded'
order by fetches.claimed_at desc
limit 1
"""


class UiProbe:
    """Context manager that requests the grid's data and the log of the newest fetch once a second.

    The URLs are those of the UI of Airflow 3.3.2.
    """

    def __init__(self, stack: Stack, dag_run_id: str) -> None:
        self._url = stack.api_url
        self._credentials = {"username": stack.login, "password": stack.password}
        self._dsn = stack.pipeline_dsn
        self._dag_run_id = dag_run_id
        self._waits: dict[str, list[float]] = defaultdict(list)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._probe, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def percentiles(self) -> dict[str, float]:
        """Return the 95th percentile of the response time of each request, in seconds."""
        return {
            name: round(quantiles(waits, n=20, method="inclusive")[-1], 3)
            for name, waits in self._waits.items()
            if len(waits) > 1
        }

    def _probe(self) -> None:
        with requests.Session() as session, connect(self._dsn) as connection:
            answer = session.post(f"{self._url}/auth/token", json=self._credentials, timeout=_TIMEOUT_SECONDS)
            answer.raise_for_status()
            session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
            while not self._ended.wait(_POLL_SECONDS):
                self._probe_once(session, connection)

    def _probe_once(self, session: requests.Session, connection: Connection) -> None:
        shown = {"limit": _RUNS_SHOWN, "order_by": "-run_after"}
        runs = self._get(session, "grid: runs", f"/ui/grid/runs/{BATCH_DAG}", shown).json()
        self._get(session, "grid: structure", f"/ui/grid/structure/{BATCH_DAG}", shown)
        summaries = {"run_ids": [run["run_id"] for run in runs]}
        self._get(session, "grid: task instances", f"/ui/grid/ti_summaries/{BATCH_DAG}", summaries)
        fetched = connection.execute(_NEWEST_FETCHED, (self._dag_run_id,)).fetchone()
        if fetched is not None:
            task_id, map_index = fetched
            path = f"/api/v2/dags/{BATCH_DAG}/dagRuns/{self._dag_run_id}/taskInstances/{task_id}/logs/1"
            self._get(session, "log", path, {"map_index": map_index})

    def _get(self, session: requests.Session, name: str, path: str, params: dict[str, Any]) -> requests.Response:
        begin = time.monotonic()
        answer = session.get(f"{self._url}{path}", params=params, timeout=_TIMEOUT_SECONDS)
        answer.raise_for_status()
        self._waits[name].append(time.monotonic() - begin)
        return answer
