"""Loopback HTTP server that sends prepared responses in order and records the requests."""

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
_DRIPPED_BYTES = 1_000


@dataclass(frozen=True)
class Scripted:
    """One prepared response. `body`: bytes are sent unchanged, any other value as JSON.

    `announced`: a Content-Length other than the true one. `hang`: no response until the server stops. `drip`: the body
    is sent byte by byte. `drip_headers`: nothing but a long header is sent, byte by byte. `endless_continues`:
    nothing but `100 Continue` is sent, until the client disconnects. `compressed`: the body is compressed with gzip.
    """

    body: Any = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    announced: int | None = None
    hang: bool = False
    drip: bool = False
    drip_headers: bool = False
    endless_continues: bool = False
    compressed: bool = False

    @property
    def content(self) -> bytes:
        content = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        return gzip.compress(content) if self.compressed else content


@dataclass(frozen=True)
class ReceivedRequest:
    """A request as received."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


class ScriptedServer:
    """HTTP server of the responses in `script`; the last response is repeated after the end of the script.

    `asked` has the received requests in order.
    """

    def __init__(self) -> None:
        self.script: list[Scripted] = []
        self.asked: list[ReceivedRequest] = []
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def play(self, *responses: Scripted | object) -> None:
        """Set the responses; a value other than a `Scripted` is the JSON body of a response with status 200."""
        self.script = [one if isinstance(one, Scripted) else Scripted(one) for one in responses]

    def next_response(self, request: ReceivedRequest) -> Scripted:
        with self._lock:
            self.asked.append(request)
            return self.script[min(len(self.asked), len(self.script)) - 1]

    @property
    def queries(self) -> Sequence[Mapping[str, str]]:
        return [request.query for request in self.asked]

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
        """Ignore clients that disconnect early, as some tests do on purpose."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        request = ReceivedRequest(
            parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)), dict(self.headers.items())
        )
        response = self.server.owner.next_response(request)
        if response.hang:
            self.server.owner.stopping.wait()
            self.close_connection = True
            return
        if response.drip_headers:
            self._send(b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * _DRIPPED_BYTES, drip=True)
            self.close_connection = True
            return
        while response.endless_continues and not self.server.owner.stopping.wait(_DRIP_SECONDS):
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        content = response.content
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.compressed:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content) if response.announced is None else response.announced))
        self.end_headers()
        self._send(content, drip=response.drip)
        self.close_connection = self.close_connection or response.announced is not None

    def _send(self, content: bytes, *, drip: bool) -> None:
        if not drip:
            self.wfile.write(content)
            return
        for position in range(len(content)):
            if self.server.owner.stopping.wait(_DRIP_SECONDS):
                return
            self.wfile.write(content[position : position + 1])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 — the standard library's name
        """Log nothing."""
