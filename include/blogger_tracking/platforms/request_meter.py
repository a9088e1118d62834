"""Count of the requests that one fetch sends, by purpose: gateways charge for each, retries included."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from blogger_tracking.domain.ledger import RequestUse


@dataclass(slots=True)
class RequestMeter:
    """Number of requests sent while the meter was active, by purpose.

    `before_request` is called before each request is counted and sent; its exception keeps the request from being sent.
    """

    before_request: Callable[[], None] | None = None
    by_use: Counter[RequestUse] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """Number of requests sent, whatever their purpose."""
        return self.by_use.total()


_active_meter: ContextVar[RequestMeter | None] = ContextVar("active_request_meter", default=None)


@contextmanager
def count_requests(before_request: Callable[[], None] | None = None) -> Generator[RequestMeter]:
    """Count the requests that the code inside sends in its own thread.

    Platform services are shared by many threads, so a counter of the service could not tell fetches apart.
    """
    meter = RequestMeter(before_request)
    token = _active_meter.set(meter)
    try:
        yield meter
    finally:
        _active_meter.reset(token)


def note_request(use: RequestUse) -> None:
    """Count a request that is about to be sent, if a meter is active. Exceptions of `before_request` propagate."""
    meter = _active_meter.get()
    if meter is None:
        return
    if meter.before_request is not None:
        meter.before_request()
    meter.by_use[use] += 1
