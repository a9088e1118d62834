"""A local endpoint that receives Sentry's envelopes, for tests with the real transport of the SDK."""

from __future__ import annotations

import gzip
import json
from typing import Any

import sentry_sdk

from blogger_tracking.domain.alerts import alerts
from tests.support.posted_bodies import PostedBodies

_KEY = "0123456789abcdef0123456789abcdef"
_GZIP = b"\x1f\x8b"


class SentryReceiver(PostedBodies):
    """A server on the loopback interface that stores what the SDK sends to its DSN."""

    @property
    def dsn(self) -> str:
        return f"http://{_KEY}@127.0.0.1:{self.port}/1"

    def text(self) -> str:
        """Return everything that was received until now."""
        bodies = (gzip.decompress(body) if body.startswith(_GZIP) else body for body in self.bodies)
        return "\n".join(body.decode() for body in bodies)

    def events(self) -> list[dict[str, Any]]:
        """Return the received events of log records, of each id the first one, as Sentry keeps them."""
        received = [json.loads(line) for line in self.text().splitlines() if '"logentry"' in line]
        kept: dict[str, dict[str, Any]] = {}
        for event in received:
            kept.setdefault(event["event_id"], event)
        return list(kept.values())

    def messages(self) -> list[str]:
        """Return the messages of the events, without breadcrumbs."""
        return [event["logentry"]["formatted"] for event in self.events()]

    def __exit__(self, *exception: object) -> None:
        """End the server, and the client that this process has."""
        sentry_sdk.get_client().close()
        sentry_sdk.get_global_scope().set_client(None)
        alerts.handlers.clear()
        super().__exit__(*exception)
