"""Waiting for a condition that another process brings about."""

from __future__ import annotations

import time
from collections.abc import Callable

_POLL_SECONDS = 0.1


def wait_until(
    condition: Callable[[], bool], timeout_seconds: float = 150, observed: Callable[[], object] = lambda: ""
) -> None:
    """Return once the condition holds. Raises AssertionError, with the observed state, after `timeout_seconds`."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"the condition did not hold within {timeout_seconds:.0f} s {observed()}")
        time.sleep(_POLL_SECONDS)
