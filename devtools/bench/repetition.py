"""Measuring something that takes a while, and not for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

_TOO_LONG_TO_REPEAT_SECONDS = 120.0


class Timed(Protocol):
    """A measurement that says how long it took."""

    @property
    def seconds(self) -> float:
        """From beginning to end."""


T = TypeVar("T", bound=Timed)


def median_run(measure: Callable[[], T], runs: int) -> T:
    """The measurement in the middle of so many; the first one where that alone takes two minutes."""
    measured = [measure()]
    if measured[0].seconds < _TOO_LONG_TO_REPEAT_SECONDS:
        measured += [measure() for _ in range(runs - 1)]
    return sorted(measured, key=lambda each: each.seconds)[len(measured) // 2]
