"""A kind of disturbance: its name, its sentence, the points at which it may begin, and the outcome that is allowed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from devtools.chaos.trial import Point, Trial


class Outcome(StrEnum):
    """End of the disturbed run that is expected."""

    GREEN = "green"
    ANY = "green or red"
    RED = "red"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of disturbance. `inject` disturbs the run of a trial.

    `outcome` is the expected end of the disturbed run. With `follow_up`, or after a run that is not green, another run
    follows, which must be green; together the runs must fetch everybody. `slow_reason` says why the kind may take a
    minute longer than the others until everything is fetched.
    """

    name: str
    sentence: str
    points: Sequence[Point]
    inject: Callable[[Trial], None]
    outcome: Outcome = Outcome.GREEN
    follow_up: bool = False
    slow_reason: str | None = None


ANYWHERE = (Point.TRIGGERED, Point.PLANNING, Point.PLANNED, Point.CLAIMED, Point.SETTLED)
FETCHING = (Point.PLANNED, Point.CLAIMED, Point.SETTLED)
