"""A local HTTP endpoint that keeps what is posted: a webhook, or a collector of metrics."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Self


@dataclass(frozen=True)
class PostedRequest:
    """A request as received."""

    path: str
    headers: Message
    body: bytes


class PostedBodies:
    """A server on the loopback interface. `requests` has what was posted, in order."""

    def __init__(self) -> None:
        self.requests: list[PostedRequest] = []
        self.status = 200
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                endpoint.requests.append(PostedRequest(self.path, self.headers, body))
                self.send_response(endpoint.status)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
                """Write no log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def bodies(self) -> list[bytes]:
        return [request.body for request in self.requests]

    @property
    def tokens(self) -> list[str | None]:
        """The header Authorization of each request."""
        return [request.headers["Authorization"] for request in self.requests]

    @property
    def port(self) -> int:
        return self._server.server_port

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
