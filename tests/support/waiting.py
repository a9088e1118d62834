"""Waiting for another process."""

from __future__ import annotations

import time
from collections.abc import Callable

_POLL_SECONDS = 0.1


def wait_until(
    condition: Callable[[], bool], timeout_seconds: float = 150, seen: Callable[[], object] = lambda: ""
) -> None:
    """Wait until a condition holds. Raises AssertionError with the result of `seen` after `timeout_seconds`."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"The condition did not hold within {timeout_seconds} s. {seen()}")
        time.sleep(_POLL_SECONDS)
