"""Waiting for what another process does."""

from __future__ import annotations

import time
from collections.abc import Callable

_POLL_SECONDS = 0.1


def wait_until(
    condition: Callable[[], bool], patience_seconds: float = 150, seen: Callable[[], object] = lambda: ""
) -> None:
    """Return once it holds. Raises AssertionError, with what is there to be seen, when it does not in time."""
    deadline = time.monotonic() + patience_seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not happen in time {seen()}")
        time.sleep(_POLL_SECONDS)
