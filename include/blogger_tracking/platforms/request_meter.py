"""Count of the requests that one fetch sends: gateways charge for each, retries included."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class RequestMeter:
    """Number of requests sent while the meter was active."""

    requests: int = 0


_active_meter: ContextVar[RequestMeter | None] = ContextVar("active_request_meter", default=None)


@contextmanager
def count_requests() -> Generator[RequestMeter]:
    """Count the requests that the code inside sends in its own thread.

    Platform services are shared by many threads, so a counter of the service could not tell fetches apart.
    """
    meter = RequestMeter()
    token = _active_meter.set(meter)
    try:
        yield meter
    finally:
        _active_meter.reset(token)


def note_request() -> None:
    """Count a request that is about to be sent, if a meter is active."""
    meter = _active_meter.get()
    if meter is not None:
        meter.requests += 1
