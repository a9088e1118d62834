"""A local endpoint that receives Sentry's envelopes, for tests with the real transport of the SDK."""

from __future__ import annotations

import gzip
from typing import Any

import sentry_sdk
from sentry_sdk.envelope import Envelope

from blogger_tracking.domain.alerts import alerts
from tests.support.posted_bodies import PostedBodies

DSN_KEY = "0123456789abcdef0123456789abcdef"


class SentryReceiver(PostedBodies):
    """A server on the loopback interface that stores what the SDK sends to its DSN."""

    @property
    def dsn(self) -> str:
        return f"http://{DSN_KEY}@127.0.0.1:{self.port}/1"

    def text(self) -> str:
        """Return everything that was received until now."""
        return b"\n".join(self._envelopes()).decode()

    def events(self) -> list[dict[str, Any]]:
        """Return the received events, of each id the first one, as Sentry keeps them."""
        kept: dict[str, dict[str, Any]] = {}
        for envelope in map(Envelope.deserialize, self._envelopes()):
            event: Any = envelope.get_event()
            if event:
                kept.setdefault(event["event_id"], event)
        return list(kept.values())

    def messages(self) -> list[str]:
        """Return the messages of the events, without breadcrumbs."""
        return [event["logentry"]["formatted"] for event in self.events()]

    def _envelopes(self) -> list[bytes]:
        return [
            gzip.decompress(request.body) if request.headers["Content-Encoding"] == "gzip" else request.body
            for request in self.requests
        ]

    def __exit__(self, *exception: object) -> None:
        """End the server, and the client that this process has."""
        sentry_sdk.get_client().close()
        sentry_sdk.get_global_scope().set_client(None)
        alerts.handlers.clear()
        super().__exit__(*exception)
