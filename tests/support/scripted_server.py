"""Scripted platform: a loopback server that plays listed responses in order and records the requests."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

_DRIP_SECONDS = 0.02


@dataclass(frozen=True)
class Scripted:
    """One response. A `body` of bytes is sent as is, any other body as JSON.

    `announced`: a Content-Length other than the true one. `hang`: no response until the server stops. `drip`: sent byte
    by byte. `compressed`: with gzip.
    """

    body: Any = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    announced: int | None = None
    hang: bool = False
    drip: bool = False
    compressed: bool = False

    @property
    def content(self) -> bytes:
        content = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        return gzip.compress(content) if self.compressed else content


@dataclass(frozen=True)
class Asked:
    """A received request."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


class ScriptedServer:
    """Server that plays `script`; a request beyond its end gets the last response again."""

    def __init__(self) -> None:
        self.script: list[Scripted] = []
        self.asked: list[Asked] = []
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def play(self, *answers: Scripted | object) -> None:
        """Set the responses; anything but a `Scripted` is the JSON body of a 200."""
        self.script = [answer if isinstance(answer, Scripted) else Scripted(answer) for answer in answers]

    def next_answer(self, asked: Asked) -> Scripted:
        with self._lock:
            self.asked.append(asked)
            return self.script[min(len(self.asked), len(self.script)) - 1]

    @property
    def queries(self) -> Sequence[Mapping[str, str]]:
        return [asked.query for asked in self.asked]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Stopping the server must not wait for kept-alive connections.
    block_on_close = False
    owner: ScriptedServer

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore errors: some tests have a client that disconnects during the response."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = Asked(parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)), dict(self.headers.items()))
        answer = self.server.owner.next_answer(asked)
        if answer.hang:
            self.server.owner.stopping.wait()
            self.close_connection = True
            return
        content = answer.content
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.compressed:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content) if answer.announced is None else answer.announced))
        self.end_headers()
        self._send(content, drip=answer.drip)
        self.close_connection = self.close_connection or answer.announced is not None

    def _send(self, content: bytes, *, drip: bool) -> None:
        if not drip:
            self.wfile.write(content)
            return
        for position in range(len(content)):
            if self.server.owner.stopping.wait(_DRIP_SECONDS):
                return
            self.wfile.write(content[position : position + 1])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Log nothing."""
