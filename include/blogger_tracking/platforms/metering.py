"""Counts requests as they are sent, for platforms that charge for each: a retry costs as much as a first try."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class RequestMeter:
    """How many requests were sent while the meter ran."""

    requests: int = 0


_running: ContextVar[RequestMeter | None] = ContextVar("running_meter", default=None)


@contextmanager
def count_requests() -> Generator[RequestMeter]:
    """A meter for the requests that the code inside sends, in its own thread alone.

    Services are shared by many threads, so that none of them could say which fetch a request belongs to.
    """
    meter = RequestMeter()
    token = _running.set(meter)
    try:
        yield meter
    finally:
        _running.reset(token)


def note_request() -> None:
    """Count a request that is about to be sent; without a meter it is nobody's."""
    meter = _running.get()
    if meter is not None:
        meter.requests += 1
