"""The subscription rule: the number of videos that may be fetched for one tracked account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

MIN_PARTIAL_FETCH = 10
"""Smallest partial fetch, in videos; fewer are not worth a request (rule of the domain)."""

MAX_VIDEOS_COUNT = 500
"""Largest number of videos that an account may ask for in one fetch."""


class QuotaDecision(StrEnum):
    """Decision of the subscription rule: everything asked for, a part of it, or nothing."""

    FULL = "full"
    PARTIAL = "partial"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Grant:
    """A decision with the number of videos to reserve; 0 when skipped."""

    decision: QuotaDecision
    videos: int


def decide(asked: int, remaining: int) -> Grant:
    """Apply the subscription rule to one account that asks for `asked` videos (>= 1) when `remaining` are left."""
    if remaining >= asked:
        return Grant(QuotaDecision.FULL, asked)
    if remaining >= MIN_PARTIAL_FETCH:
        return Grant(QuotaDecision.PARTIAL, remaining)
    return Grant(QuotaDecision.SKIP, 0)


def remaining_for(asked: int, grant: Grant) -> tuple[int | None, int | None]:
    """Return the least and the largest number of remaining videos for which `decide` returns this grant.

    None: no bound.
    """
    if grant.decision is QuotaDecision.FULL:
        return asked, None
    if grant.decision is QuotaDecision.PARTIAL:
        return grant.videos, grant.videos
    return None, min(asked, MIN_PARTIAL_FETCH) - 1


def projected_end(limit: int, used: int, start: datetime, end: datetime, now: datetime) -> datetime | None:
    """Return the time at which a period's videos are used up at the rate so far; `now` if they are used up.

    None: not before the period ends, or nothing was used yet.
    """
    if used >= limit:
        return now
    if used <= 0 or now <= start:
        return None
    at = start + (now - start) * limit / used
    return at if at < end else None
