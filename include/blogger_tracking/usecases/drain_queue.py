"""Use case: work on a queue as long as there is work, within a bound of time."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from blogger_tracking.domain.clock import Clock
from blogger_tracking.domain.queues import Backlog


@dataclass(frozen=True, slots=True)
class TimeBudget:
    """How long one run of a consumer goes on, and how long it pauses before it looks again."""

    seconds: float
    poll_seconds: float


def drain(
    look: Callable[[], Backlog],
    is_ready: Callable[[Backlog], bool],
    work: Callable[[Backlog], Counter[str]],
    time_budget: TimeBudget,
    clock: Clock,
) -> Counter[str]:
    """Look and work in turns, and add up what was done.

    Ends when nothing waits and nothing more is to come, which costs one look, or when the time is up; while fetches
    are under way that will queue more, it looks again after a pause.
    """
    started = time.monotonic()
    done: Counter[str] = Counter()
    while True:
        backlog = look()
        if is_ready(backlog):
            done.update(work(backlog))
        elif backlog.more_to_come:
            clock.sleep(time_budget.poll_seconds)
        else:
            return done
        if time.monotonic() - started >= time_budget.seconds:
            return done
