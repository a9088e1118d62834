"""Things that are made once per process, on first use, whichever thread is first."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from blogger_tracking.domain.errors import BloggerTrackingError

P = ParamSpec("P")
R = TypeVar("R")

REMEMBER_FAILURE_SECONDS = 5
"""A thousand instances that start at once get one answer about an unreachable database, not one time-out each."""

_forgetters: list[Callable[[], None]] = []


def cached_in_process(make: Callable[P, R]) -> Callable[P, R]:
    """Like functools.cache for many threads that ask first at once; a failure is remembered for a moment."""
    lock = threading.Lock()
    made: dict[tuple[object, ...], R] = {}
    failed: dict[tuple[object, ...], tuple[float, BloggerTrackingError]] = {}
    _forgetters.extend((made.clear, failed.clear))

    @wraps(make)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        with lock:
            if args in made:
                return made[args]
            at, error = failed.get(args, (float("-inf"), None))
            if error and time.monotonic() - at < REMEMBER_FAILURE_SECONDS:
                raise error
            try:
                made[args] = make(*args, **kwargs)
            except BloggerTrackingError as failure:
                failed[args] = (time.monotonic(), failure)
                raise
            return made[args]

    return guarded


def clear_process_cache() -> None:
    """Make all of it anew on next use."""
    for forget in _forgetters:
        forget()
