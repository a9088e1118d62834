"""Stand-in for Airflow's REST API: login, runs (trigger, state, list, deletion), version, health, paused DAGs.

Tests can make the stand-in unavailable, delay and redirect its responses, and let it forget its access tokens.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import jsonschema

from blogger_tracking.domain.initial_fetch import message_schemas

LOGIN = "service"
PASSWORD = "s3rvice-acc0unt"  # noqa: S105 - of this stand-in alone


class AirflowStandIn:
    """A server that stores triggered runs and executes none. `states` and `confs` are keyed by `dag_run_id`.

    `ended` has for each DAG the time at which each of its runs ended; runs in `undeletable` cannot be deleted. `paused`
    has the state of each DAG, `running` the processes that are healthy, and `plugin_status` the response of
    /blogger. `most_reads_at_once` counts reads that were delayed at the same time.
    """

    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        self.confs: dict[str, dict[str, Any]] = {}
        self.ended: dict[str, dict[str, datetime]] = {}
        self.undeletable: set[str] = set()
        self.tokens: set[str] = set()
        self.paused: dict[str, bool] = {}
        self.running = {"scheduler", "triggerer", "dag_processor"}
        self.version = "3.3.2"
        self.plugin_status = HTTPStatus.UNAUTHORIZED
        self.logins = 0
        self.down = False
        self.moved_to: str | None = None
        self.reads = 0
        self.read_delay_seconds = 0.0
        self.reads_at_once = 0
        self.most_reads_at_once = 0
        self._lock = threading.Lock()
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def delay_read(self) -> None:
        with self._lock:
            self.reads += 1
            self.reads_at_once += 1
            self.most_reads_at_once = max(self.most_reads_at_once, self.reads_at_once)
        time.sleep(self.read_delay_seconds)
        with self._lock:
            self.reads_at_once -= 1

    def log_in(self, body: dict[str, Any]) -> tuple[HTTPStatus, dict[str, Any]]:
        if (body.get("username"), body.get("password")) != (LOGIN, PASSWORD):
            return HTTPStatus.UNAUTHORIZED, {}
        token = secrets.token_hex()
        self.tokens.add(token)
        self.logins += 1
        return HTTPStatus.CREATED, {"access_token": token}

    def trigger(self, body: dict[str, Any]) -> tuple[HTTPStatus, dict[str, Any]]:
        dag_run_id, conf = body["dag_run_id"], body["conf"]
        try:
            for name, schema in message_schemas().items():
                jsonschema.validate(conf[name], schema)
        except (KeyError, jsonschema.ValidationError) as error:
            return HTTPStatus.BAD_REQUEST, {"detail": str(error)}
        with self._lock:
            if dag_run_id in self.states:
                return HTTPStatus.CONFLICT, {}
            self.states[dag_run_id] = "queued"
            self.confs[dag_run_id] = conf
        return HTTPStatus.OK, {"dag_run_id": dag_run_id, "state": "queued"}

    def list_runs(self, dag_id: str, query: Mapping[str, list[str]]) -> dict[str, Any]:
        before = datetime.fromisoformat(query["end_date_lt"][0])
        found = sorted(
            (moment, dag_run_id)
            for dag_run_id, moment in self.ended.get(dag_id, {}).items()
            if moment < before and self.states[dag_run_id] in query["state"]
        )
        return {"dag_runs": [{"dag_run_id": dag_run_id} for _, dag_run_id in found[: int(query["limit"][0])]]}

    def delete_run(self, dag_id: str, dag_run_id: str) -> HTTPStatus:
        if dag_run_id in self.undeletable:
            return HTTPStatus.INTERNAL_SERVER_ERROR
        if self.ended.get(dag_id, {}).pop(dag_run_id, None) is None:
            return HTTPStatus.NOT_FOUND
        return HTTPStatus.NO_CONTENT

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()


class _Server(ThreadingHTTPServer):
    owner: AirflowStandIn


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        airflow = self.server.owner
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if airflow.down:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, {})
        elif airflow.moved_to:
            self._answer(HTTPStatus.TEMPORARY_REDIRECT, {}, {"Location": f"{airflow.moved_to}{self.path}"})
        elif self.path == "/auth/token":
            self._answer(*airflow.log_in(body))
        elif not self._authorized():
            self._answer(HTTPStatus.UNAUTHORIZED, {})
        else:
            self._answer(*airflow.trigger(body))

    def do_GET(self) -> None:
        airflow = self.server.owner
        airflow.delay_read()
        if airflow.down:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, {})
        elif self.path.startswith("/blogger/"):
            self._answer(airflow.plugin_status, {})
        elif not self._authorized():
            self._answer(HTTPStatus.UNAUTHORIZED, {})
        else:
            body = self._found(airflow, urlsplit(self.path))
            self._answer(HTTPStatus.NOT_FOUND if body is None else HTTPStatus.OK, body or {})

    def _found(self, airflow: AirflowStandIn, url: SplitResult) -> dict[str, Any] | None:
        name = unquote(url.path.rsplit("/", 1)[1])
        if name == "dagRuns":
            return airflow.list_runs(url.path.split("/")[4], parse_qs(url.query))
        if name == "version":
            return {"version": airflow.version}
        if name == "health":
            return {each: {"status": "healthy"} for each in airflow.running}
        if name in airflow.paused:
            return {"dag_id": name, "is_paused": airflow.paused[name]}
        return {"state": airflow.states[name]} if name in airflow.states else None

    def do_DELETE(self) -> None:
        airflow = self.server.owner
        if not self._authorized():
            self._answer(HTTPStatus.UNAUTHORIZED, {})
        else:
            *_, dag_id, _, dag_run_id = self.path.split("/")
            self._answer(airflow.delete_run(dag_id, unquote(dag_run_id)), {})

    def _authorized(self) -> bool:
        return self.headers.get("Authorization", "").removeprefix("Bearer ") in self.server.owner.tokens

    def _answer(self, status: HTTPStatus, body: dict[str, Any], headers: Mapping[str, str] | None = None) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        pass
