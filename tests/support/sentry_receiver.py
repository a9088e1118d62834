"""A local endpoint that receives Sentry's envelopes, for tests with the real transport of the SDK."""

from __future__ import annotations

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import sentry_sdk

from blogger_tracking.domain.alerts import alerts

_KEY = "0123456789abcdef0123456789abcdef"


class SentryReceiver:
    """A server on the loopback interface that stores what the SDK sends to its DSN."""

    def __init__(self) -> None:
        self._bodies: list[str] = []
        received = self._bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.append((gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body).decode())
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
                """Write no log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def dsn(self) -> str:
        return f"http://{_KEY}@127.0.0.1:{self._server.server_port}/1"

    def text(self) -> str:
        """Return everything that was received until now."""
        return "\n".join(self._bodies)

    def events(self) -> list[dict[str, Any]]:
        """Return the received events of log records."""
        return [json.loads(line) for line in self.text().splitlines() if '"logentry"' in line]

    def messages(self) -> list[str]:
        """Return the messages of the events, without breadcrumbs."""
        return [event["logentry"]["formatted"] for event in self.events()]

    def stop(self) -> None:
        """End the server, and the client that this process has."""
        sentry_sdk.get_client().close()
        sentry_sdk.get_global_scope().set_client(None)
        alerts.handlers.clear()
        self._server.shutdown()
        self._server.server_close()
