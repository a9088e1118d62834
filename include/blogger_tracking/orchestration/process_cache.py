"""Cache of values that are created once per process, by the first thread that needs them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import Protocol, TypeVar, TypeVarTuple

from blogger_tracking.domain.errors import BloggerTrackingError

Arguments = TypeVarTuple("Arguments")
R = TypeVar("R")

REMEMBER_FAILURE_SECONDS = 5
"""Lifetime of a cached error. Instances that start together thus wait for one time-out of the database only."""

_clear_functions: list[Callable[[], None]] = []


def cached_in_process(make: Callable[[*Arguments], R]) -> Callable[[*Arguments], R]:
    """Cache the results of a function, and its errors for a moment. Concurrent first calls run the function once.

    Arguments are positional, and part of the key.
    """
    lock = threading.Lock()
    made: dict[tuple[object, ...], R] = {}
    failed: dict[tuple[object, ...], tuple[float, BloggerTrackingError]] = {}
    _clear_functions.extend((made.clear, failed.clear))

    @wraps(make)
    def cached(*args: *Arguments) -> R:
        with lock:
            if args in made:
                return made[args]
            at, error = failed.get(args, (float("-inf"), None))
            if error and time.monotonic() - at < REMEMBER_FAILURE_SECONDS:
                raise error
            try:
                made[args] = make(*args)
            except BloggerTrackingError as failure:
                failed[args] = (time.monotonic(), failure)
                raise
            return made[args]

    return cached


class TriedUntilTrue(Protocol):
    """A function decorated with `until_true`."""

    def __call__(self, *, at_once: bool = False) -> None:
        """Try the function if a try is due; with `at_once` also within the interval."""


def until_true(interval_seconds: float) -> Callable[[Callable[[], bool]], TriedUntilTrue]:
    """Return a decorator for a function that is tried until the function returns True, and never again afterwards.

    After a try without success, calls within the interval do nothing, except those with `at_once`. Concurrent calls
    wait for the try in progress.
    """

    def decorate(attempt: Callable[[], bool]) -> TriedUntilTrue:
        lock = threading.Lock()
        due = [float("-inf")]
        _clear_functions.append(lambda: due.__setitem__(0, float("-inf")))

        def is_due(*, at_once: bool) -> bool:
            return due[0] < float("inf") if at_once else time.monotonic() >= due[0]

        @wraps(attempt)
        def attempt_if_due(*, at_once: bool = False) -> None:
            if not is_due(at_once=at_once):
                return
            with lock:
                if is_due(at_once=at_once):
                    due[0] = float("inf") if attempt() else time.monotonic() + interval_seconds

        return attempt_if_due

    return decorate


def clear_process_cache() -> None:
    """Empty the cache, so that all values are created again at their next use."""
    for clear in _clear_functions:
        clear()
