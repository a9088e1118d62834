"""The verdict on a run: green, or red and why. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from blogger_tracking.domain.ledger import FetchState


@dataclass(frozen=True, slots=True)
class PlatformTally:
    """How the fetches of one platform ended. `suspended` is how many were skipped because the platform is."""

    states: Mapping[FetchState, int]
    suspended: int = 0

    @property
    def fetches(self) -> int:
        """How many a platform had to answer, or would have had if it were not suspended."""
        skipped_otherwise = self.states.get(FetchState.SKIPPED, 0) - self.suspended
        return sum(self.states.values()) - skipped_otherwise

    @property
    def failed(self) -> int:
        """How many have no answer: failed, suspended, or never finished."""
        without_answer = (FetchState.FAILED, FetchState.PLANNED, FetchState.RUNNING, FetchState.RELEASED)
        return sum(self.states.get(state, 0) for state in without_answer) + self.suspended


def run_problems(tallies: Mapping[str, PlatformTally], failed_share_limit: float) -> list[str]:
    """Why a run is red; empty when it is green.

    A blogger that is private, gone or empty is an outcome, not a failure; so is one without room in its subscription.
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
