"""Use case: work on a queue as long as there is work, within a bound of time."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from blogger_tracking.domain.queues import Demand


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as a consumer sees it; tests bring their own."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one run of a consumer goes on, and how long it pauses before it looks again."""

    seconds: float
    poll_seconds: float


def drain(
    look: Callable[[], Demand],
    is_ready: Callable[[Demand], bool],
    work: Callable[[Demand], Counter[str]],
    patience: Patience,
    clock: Clock,
) -> Counter[str]:
    """Look and work in turns, and add up what was done.

    Ends when nothing waits and nothing more is to come, which costs one look, or when the time is up; while fetches
    are under way that will queue more, it looks again after a pause.
    """
    started = time.monotonic()
    done: Counter[str] = Counter()
    while True:
        demand = look()
        if is_ready(demand):
            done.update(work(demand))
        elif demand.more_to_come:
            clock.sleep(patience.poll_seconds)
        else:
            return done
        if time.monotonic() - started >= patience.seconds:
            return done
