"""Stand-in for Airflow's REST API: tokens, triggering, the state of a run; tests can stop it and revoke its tokens."""

from __future__ import annotations

import json
import secrets
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import jsonschema

from blogger_tracking.domain.initial_fetch import message_schemas

LOGIN = "service"
PASSWORD = "s3rvice-acc0unt"  # noqa: S105 - valid on this stand-in only


class AirflowStandIn:
    """Server that accepts runs of one DAG and does not execute them; `states` and `confs` are by `dag_run_id`."""

    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        self.confs: dict[str, dict[str, Any]] = {}
        self.tokens: set[str] = set()
        self.logins = 0
        self.down = False
        self._lock = threading.Lock()
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

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
        elif self.path == "/auth/token":
            self._answer(*airflow.log_in(body))
        elif not self._authorized():
            self._answer(HTTPStatus.UNAUTHORIZED, {})
        else:
            self._answer(*airflow.trigger(body))

    def do_GET(self) -> None:
        airflow = self.server.owner
        state = airflow.states.get(self.path.rsplit("/", 1)[1])
        if airflow.down:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, {})
        elif not self._authorized():
            self._answer(HTTPStatus.UNAUTHORIZED, {})
        elif state is None:
            self._answer(HTTPStatus.NOT_FOUND, {})
        else:
            self._answer(HTTPStatus.OK, {"state": state})

    def _authorized(self) -> bool:
        return self.headers.get("Authorization", "").removeprefix("Bearer ") in self.server.owner.tokens

    def _answer(self, status: HTTPStatus, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        pass
