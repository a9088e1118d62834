"""A local HTTP endpoint that keeps what is posted: a webhook, or a collector of metrics."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Self


class PostedBodies:
    """A server on the loopback interface. `bodies` has what was posted, `tokens` the header Authorization of each."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.tokens: list[str | None] = []
        self.status = 200
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                endpoint.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                endpoint.tokens.append(self.headers["Authorization"])
                self.send_response(endpoint.status)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
                """Write no log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def port(self) -> int:
        return self._server.server_port

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
