"""Rule for the outcome of a run: the problems that make it red. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from blogger_tracking.domain.ledger import FetchState

_UNANSWERED = (FetchState.FAILED, FetchState.PLANNED, FetchState.RUNNING, FetchState.RELEASED)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Accounts of one platform that a run did not fetch although their organizations have room for them.

    `withheld` accounts were left out by planning because of the platform: its suspension, or the day's units. `reason`
    is the reason of one of them. `abandoned` accounts were left out for another run, which ended without fetching them.
    `held` accounts were left out for an open run of the deployment `held_by` (one of these deployments), of which no
    fetch has begun within a lease.
    """

    withheld: int = 0
    reason: str | None = None
    abandoned: int = 0
    held: int = 0
    held_by: str | None = None


@dataclass(frozen=True, slots=True)
class PlatformTally:
    """Number of one platform's fetches in a run, by final state, and the accounts that were left out.

    `suspended` is the number of skipped fetches whose reason is the platform's suspension. A number above that of the
    skipped fetches is lowered to it, so that no fetch counts twice and `failed` never exceeds `fetches`.
    """

    states: Mapping[FetchState, int]
    suspended: int = 0
    left_out: LeftOut = LeftOut()

    @property
    def fetches(self) -> int:
        """Number of fetches that the platform had to answer, those skipped by its suspension included."""
        return sum(self.states.values()) - self._skipped + self._skipped_by_suspension

    @property
    def failed(self) -> int:
        """Number of fetches without an answer: failed, never finished, or skipped by the suspension."""
        return sum(self.states.get(state, 0) for state in _UNANSWERED) + self._skipped_by_suspension

    @property
    def answered(self) -> int:
        """Number of fetches that the platform answered."""
        return self.fetches - self.failed

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
        if tally.fetches and not tally.answered
    ]
    fetches = sum(tally.fetches for tally in tallies.values())
    failed = sum(tally.failed for tally in tallies.values())
    if fetches and failed / fetches > failed_share_limit:
        problems.append(f"{failed} of {fetches} fetches failed, more than {failed_share_limit:.0%}")
    return [*problems, *left_out_problems(tallies).values()]


def left_out_problems(tallies: Mapping[str, PlatformTally]) -> dict[tuple[str, ...], str]:
    """Return the problems of accounts that the run has no failed fetch for, each with what to do, by cause.

    A cause is a platform and the kind of the reason, such as `("TikTok", "platform_suspended")`, or `("abandoned",)`.
    Accounts that planning withheld are a problem only if nothing of the platform was fetched: a part of a fleet that
    the day's units do not cover waits for the next run.
    """
    problems: dict[tuple[str, ...], str] = {}
    for platform, tally in tallies.items():
        left_out = tally.left_out
        if left_out.withheld and not tally.answered:
            problems[_withheld_cause(platform, left_out)] = (
                f"nothing of {platform} was fetched, because planning left out {left_out.withheld} accounts "
                f"({left_out.reason}): remove the cause, then trigger a new run with platforms set to {platform}"
            )
        if left_out.held:
            problems[platform, "held"] = (
                f"{left_out.held} accounts of {platform} were left out for a run of the deployment "
                f"{left_out.held_by}, of which no fetch begins: if its Airflow is gone, end the run with `end-runs "
                f"--deployment {left_out.held_by}`, then trigger a new run"
            )
    abandoned = sum(tally.left_out.abandoned for tally in tallies.values())
    if abandoned:
        problems["abandoned",] = (
            f"{abandoned} accounts were left out for another run that ended without fetching them: trigger a new run"
        )
    return problems


def _withheld_cause(platform: str, left_out: LeftOut) -> tuple[str, ...]:
    # After the kind a reason may have the text of an error, which varies.
    return platform, (left_out.reason or "").split(":")[0]
