"""Events that are sent to Sentry, and data that is never sent."""

from __future__ import annotations

import gzip
import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

import pytest
import requests
import sentry_sdk

from blogger_tracking.domain.alerts import alerts
from blogger_tracking.orchestration.sentry import start_sentry
from tests.support.scripted_server import Scripted, ScriptedServer

KEY = "0123456789abcdef0123456789abcdef"


class Receiver:
    """A stand-in for Sentry that stores the received events."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        received = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.append((gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body).decode())
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
                """Write no log."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def text(self) -> str:
        """Return the received bodies, after all pending events were sent."""
        sentry_sdk.flush(5)
        return "\n".join(self.bodies)

    def messages(self) -> list[str]:
        """Return the messages of the events, without breadcrumbs."""
        events = [json.loads(line) for line in self.text().splitlines() if '"logentry"' in line]
        return [event["logentry"]["formatted"] for event in events]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    start_sentry(f"http://{KEY}@127.0.0.1:{receiver.server.server_port}/1")
    yield receiver
    sentry_sdk.get_client().close()
    sentry_sdk.get_global_scope().set_client(None)
    alerts.handlers.clear()
    receiver.server.shutdown()
    receiver.server.server_close()


def test_an_alert_is_sent_and_an_ordinary_warning_is_not(receiver: Receiver) -> None:
    logging.getLogger("airflow.somewhere").warning("ordinary")
    alerts.warning("%s is suspended", "TikTok")
    assert receiver.messages() == ["TikTok is suspended"]


def test_an_alert_is_sent_once_however_often_sentry_is_started(receiver: Receiver) -> None:
    start_sentry(f"http://{KEY}@127.0.0.1:{receiver.server.server_port}/1")
    alerts.warning("only once")
    assert receiver.messages() == ["only once"]


def test_local_variables_are_never_sent(receiver: Receiver) -> None:
    secret = str(uuid4())

    def fail() -> None:
        api_key = secret
        raise ValueError(len(api_key))

    try:
        fail()
    except ValueError:
        logging.getLogger("blogger_tracking.any").exception("it failed")
    sent = receiver.text()
    assert "it failed" in sent
    assert secret not in sent


def test_without_a_dsn_sentry_is_not_initialised() -> None:
    start_sentry(None)
    assert not sentry_sdk.get_client().is_active()


@pytest.mark.usefixtures("receiver")
def test_outgoing_requests_have_no_headers_of_sentry() -> None:
    with ScriptedServer() as host:
        host.play(Scripted({}))
        requests.get(host.url, timeout=10)
    assert not {"sentry-trace", "baggage"} & set(host.asked[0].headers)
