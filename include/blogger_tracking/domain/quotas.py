"""The subscription rule: how many videos may be fetched for one tracked account."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MIN_PARTIAL_FETCH = 10
"""A partial fetch below this is not worth a request (rule of the domain)."""

MAX_VIDEOS_COUNT = 500
"""The largest count an account may ask for in one fetch."""


class QuotaDecision(StrEnum):
    """What a tracked account gets of what it asked for."""

    FULL = "full"
    PARTIAL = "partial"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Grant:
    """A decision with the number of videos it reserves; 0 when skipped."""

    decision: QuotaDecision
    videos: int


def decide(asked: int, remaining: int) -> Grant:
    """Apply the rule to one account that asks for `asked` videos (>= 1) when `remaining` are left."""
    if remaining >= asked:
        return Grant(QuotaDecision.FULL, asked)
    if remaining >= MIN_PARTIAL_FETCH:
        return Grant(QuotaDecision.PARTIAL, remaining)
    return Grant(QuotaDecision.SKIP, 0)
