"""Rule for the outcome of a run: the problems that make it red. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from blogger_tracking.domain.ledger import FetchState

_UNANSWERED = (FetchState.FAILED, FetchState.PLANNED, FetchState.RUNNING, FetchState.RELEASED)


@dataclass(frozen=True, slots=True)
class PlatformTally:
    """Number of one platform's fetches in a run, by final state.

    `suspended` is the number of skipped fetches whose reason is the platform's suspension. A number above that of the
    skipped fetches is lowered to it, so that no fetch counts twice and `failed` never exceeds `fetches`.
    """

    states: Mapping[FetchState, int]
    suspended: int = 0

    @property
    def fetches(self) -> int:
        """Number of fetches that the platform had to answer, those skipped by its suspension included."""
        return sum(self.states.values()) - self._skipped + self._skipped_by_suspension

    @property
    def failed(self) -> int:
        """Number of fetches without an answer: failed, never finished, or skipped by the suspension."""
        return sum(self.states.get(state, 0) for state in _UNANSWERED) + self._skipped_by_suspension

    @property
    def _skipped(self) -> int:
        return self.states.get(FetchState.SKIPPED, 0)

    @property
    def _skipped_by_suspension(self) -> int:
        return min(self.suspended, self._skipped)


def run_problems(tallies: Mapping[str, PlatformTally], failed_share_limit: float) -> list[str]:
    """Return the problems that make a run red; an empty list for a green run.

    `failed_share_limit` is the tolerated share of failed fetches, 0 to 1. A private, missing or empty account is
    a result, not a failure; so is a blogger without room in the subscriptions.
    """
    problems = [
        f"every fetch of {platform} failed ({tally.failed})"
        for platform, tally in tallies.items()
        if tally.fetches and tally.failed == tally.fetches
    ]
    fetches = sum(tally.fetches for tally in tallies.values())
    failed = sum(tally.failed for tally in tallies.values())
    if fetches and failed / fetches > failed_share_limit:
        problems.append(f"{failed} of {fetches} fetches failed, more than {failed_share_limit:.0%}")
    return problems
