"""Model of the ledger for tests: the rules of docs/contracts.md, section 2, on plain objects.

Written from the contracts alone; uses no code of the package. The time is a counter of claims and ends, because the
rules only compare which of two came first.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from tests.support.ledger_contents import LedgerContents

SMALLEST_PARTIAL_GRANT = 10

CONCLUSIVE_STATES = frozenset({"succeeded", "partial", "empty", "private", "not_found"})

LIVE_STATES = frozenset({"planned", "running"})


class _Printer(Protocol):
    def text(self, text: str) -> None: ...


class _Named:
    """An object that Hypothesis prints by its name, and not with all its fields."""

    __slots__ = ()

    def _repr_pretty_(self, printer: _Printer, _: object) -> None:  # noqa: PLW3201 - Hypothesis looks for this name
        printer.text(f"<{self!r}>")


@dataclass(eq=False, slots=True)
class ModelPeriod(_Named):
    """A subscription period, which pays for what was planned in the period.

    `ended_early` is True if the subscription was ended before the end that planning read.
    """

    organization: UUID
    start: datetime
    limit: int
    opening: int
    over: bool = False
    ended_early: bool = False

    def __repr__(self) -> str:
        return f"period of {self.limit} videos of organization {self.organization}"


@dataclass(eq=False, slots=True)
class ModelAccount(_Named):
    """A tracked account. `scraped_by` is the token of the attempt that set `last_scraped_at`.

    Allocations of a removed account stay.
    """

    id: UUID
    organization: UUID
    blogger: UUID
    asks: int
    active: bool = True
    removed: bool = False
    last_attempt: int = 0
    scraped_by: int | None = None

    def __repr__(self) -> str:
        return f"account {self.id.int}"


@dataclass(eq=False, slots=True)
class ModelRun(_Named):
    """A run with its decision on each active account: "planned", or the reason for skipping."""

    id: int
    decisions: dict[UUID, str] = field(default_factory=dict)
    ended: int | None = None
    expired: int | None = None

    def __repr__(self) -> str:
        return f"run {self.id}"


@dataclass(eq=False, slots=True)
class ModelAllocation:
    """One organization's part in a fetch."""

    account: ModelAccount
    period: ModelPeriod
    granted: int
    reserved: int
    charged: int = 0


@dataclass(eq=False, slots=True)
class ModelFetch(_Named):
    """One blogger in one run. `id` and `instance` are the database's, of which the rules know nothing."""

    run: ModelRun
    blogger: UUID
    target_count: int = 0
    allocations: list[ModelAllocation] = field(default_factory=list)
    attempts: list[ModelAttempt] = field(default_factory=list)
    state: str = "planned"
    conclusive_state: str | None = None
    claimed: int = 0
    answered: int | None = None
    lease_expired: bool = False
    id: int = 0
    instance: tuple[str, int] = ("", 0)

    @property
    def is_answered(self) -> bool:
        """True if the platform has answered the newest attempt."""
        return bool(self.attempts) and self.attempts[-1].outcome in CONCLUSIVE_STATES

    def __repr__(self) -> str:
        return f"fetch {self.id} ({self.state}) of {self.run}"


@dataclass(eq=False, slots=True)
class ModelAttempt(_Named):
    """One try of a fetch: the videos granted to each allocation, or the reasons for granting none.

    `outcome` is None while the attempt may save. `token` is the database's.
    """

    fetch: ModelFetch
    grants: dict[ModelAllocation, int] = field(default_factory=dict)
    reasons: set[str] = field(default_factory=set)
    outcome: str | None = None
    token: int = 0
    requests: int = 0

    def __repr__(self) -> str:
        return f"attempt {self.token} ({self.outcome or 'running'}) of {self.fetch}"


class LedgerModel:
    """The ledger as the contracts describe it. `platforms` has the platform of each blogger."""

    def __init__(self, platforms: Mapping[UUID, str]) -> None:
        self.platforms = platforms
        self.suspended: set[str] = set()
        self.periods: list[ModelPeriod] = []
        self.accounts: list[ModelAccount] = []
        self.runs: list[ModelRun] = []
        self.fetches: list[ModelFetch] = []
        self.links: dict[tuple[UUID, str], ModelFetch] = {}
        self.videos: set[str] = set()
        self.time = 0

    def current_period(self, organization: UUID) -> ModelPeriod | None:
        """Return the period that covers now, or None."""
        return next((each for each in self.periods if each.organization == organization and not each.over), None)

    def plan(self, run_id: int, organizations: Collection[UUID] | None) -> ModelRun:
        """Plan a new run of all organizations, or of the given ones."""
        self._release_stale()
        run = ModelRun(run_id)
        self.runs.append(run)
        live = {fetch.blogger for fetch in self.fetches if fetch.state in LIVE_STATES}
        for account in sorted(self.accounts, key=lambda each: (each.last_attempt, each.id)):
            if account.active and (organizations is None or account.organization in organizations):
                run.decisions[account.id] = self._plan_account(run, account, live)
        return run

    def plan_again(self, run: ModelRun) -> None:
        """Plan a run that was planned before: the run keeps its plan and is live again."""
        run.ended = run.expired = None

    def claim(self, fetch: ModelFetch) -> ModelAttempt:
        """Begin an attempt, the only one that may save from now on."""
        for earlier in fetch.attempts:
            earlier.outcome = earlier.outcome or "superseded"
        attempt = ModelAttempt(fetch)
        fetch.attempts.append(attempt)
        fetch.claimed, fetch.lease_expired = self._tick(), False
        refusal = self._refuse_claim(fetch)
        for allocation in fetch.allocations:
            videos, reason = (0, refusal) if refusal else self._claim_allocation(allocation)
            allocation.reserved = max(0, videos - allocation.charged)
            if videos:
                attempt.grants[allocation] = videos
                allocation.account.last_attempt = fetch.claimed
            else:
                attempt.reasons.add(reason)
        if attempt.grants:
            fetch.state = "running"
        else:
            attempt.reasons = attempt.reasons or {"removed"}
            attempt.outcome = "skipped"
            fetch.state = fetch.conclusive_state or "skipped"
        return attempt

    @staticmethod
    def is_left_over(fetch: ModelFetch, created: int) -> bool:
        """Return True if the run ended or the platform answered after a try of the task instance was created."""
        return any(each is not None and each > created for each in (fetch.run.ended, fetch.run.expired, fetch.answered))

    def settle(self, attempt: ModelAttempt, state: str, videos: Sequence[str]) -> None:
        """Save the outcome of an attempt that may save; `videos` are newest first."""
        conclusive = state in CONCLUSIVE_STATES
        for allocation, granted in attempt.grants.items():
            allocation.reserved = 0
            if conclusive:
                allocation.charged = max(allocation.charged, min(granted, len(videos)))
                allocation.account.scraped_by = attempt.token
                self._link(attempt.fetch, allocation, videos[:granted])
        self.videos.update(videos)
        attempt.outcome = state
        if conclusive:
            attempt.fetch.conclusive_state, attempt.fetch.answered = state, self._tick()
        attempt.fetch.state = attempt.fetch.conclusive_state or state

    def finish_run(self, run: ModelRun) -> None:
        """End a run, however often it ended before."""
        run.ended = self._tick()
        self._release_stale()

    def expire_run(self, run: ModelRun) -> None:
        """Let the time of a run pass."""
        run.expired = self._tick()

    def remove_account(self, account: ModelAccount) -> None:
        """Remove a tracked account: what was planned for it, and charged, stays."""
        account.removed = True
        self.accounts.remove(account)

    def remove_organization(self, organization: UUID) -> None:
        """Remove an organization with all of its own: the fetches that it shared go on without it."""
        for account in [each for each in self.accounts if each.organization == organization]:
            self.remove_account(account)
        self.periods = [each for each in self.periods if each.organization != organization]
        self.links = {link: fetch for link, fetch in self.links.items() if link[0] != organization}
        for fetch in self.fetches:
            fetch.allocations = [each for each in fetch.allocations if each.account.organization != organization]
            for attempt in fetch.attempts:
                attempt.grants = {part: videos for part, videos in attempt.grants.items() if part in fetch.allocations}

    def contents(self) -> LedgerContents:
        """Return what the database must contain."""
        return LedgerContents(
            usage={
                (period.organization, period.start): usage
                for period in self.periods
                if any(usage := [period.opening, self._sum(period, "charged"), self._sum(period, "reserved")])
            },
            decisions={(run.id, account): decision for run in self.runs for account, decision in run.decisions.items()},
            fetches={
                (fetch.run.id, fetch.blogger): [
                    fetch.state,
                    fetch.target_count,
                    [f"{attempt.outcome or 'running'}, {attempt.requests} requests" for attempt in fetch.attempts],
                ]
                for fetch in self.fetches
            },
            allocations={
                (fetch.run.id, fetch.blogger, each.account.organization): [
                    each.period.start,
                    each.granted,
                    each.reserved,
                    each.charged,
                ]
                for fetch in self.fetches
                for each in fetch.allocations
            },
            scraped_by={account.id: account.scraped_by for account in self.accounts if account.scraped_by},
            links={link: [fetch.run.id, fetch.blogger] for link, fetch in self.links.items()},
            videos=set(self.videos),
            suspended=set(self.suspended),
        )

    def _plan_account(self, run: ModelRun, account: ModelAccount, live: Collection[UUID]) -> str:
        period = self.current_period(account.organization)
        if account.blogger in live:
            return "already_running"
        if self.platforms[account.blogger] in self.suspended:
            return "platform_suspended"
        if period is None:
            return "no_active_subscription"
        videos = _grant(account.asks, self._remaining(period))
        if not videos:
            return "subscription_limit"
        fetch = next((each for each in self.fetches if each.run is run and each.blogger == account.blogger), None)
        if fetch is None:
            fetch = ModelFetch(run, account.blogger)
            self.fetches.append(fetch)
        fetch.allocations.append(ModelAllocation(account, period, videos, reserved=videos))
        fetch.target_count = max(fetch.target_count, videos)
        return "planned"

    def _refuse_claim(self, fetch: ModelFetch) -> str:
        """Return the reason for which no organization is granted a video, or an empty text."""
        if any(
            other is not fetch and other.blogger == fetch.blogger and other.state in LIVE_STATES
            for other in self.fetches
        ):
            return "already_running"
        return "platform_suspended" if self.platforms[fetch.blogger] in self.suspended else ""

    def _claim_allocation(self, allocation: ModelAllocation) -> tuple[int, str]:
        """Return the videos granted now, and the reason if there are none."""
        if allocation.account.removed:
            return 0, "removed"
        if not allocation.account.active:
            return 0, "inactive"
        if allocation.period.ended_early:
            return 0, "no_active_subscription"
        own = allocation.charged + allocation.reserved
        return _grant(allocation.granted, self._remaining(allocation.period) + own), "subscription_limit"

    def _remaining(self, period: ModelPeriod) -> int:
        return period.limit - period.opening - self._sum(period, "charged") - self._sum(period, "reserved")

    def _sum(self, period: ModelPeriod, count: str) -> int:
        return sum(
            getattr(allocation, count)
            for fetch in self.fetches
            for allocation in fetch.allocations
            if allocation.period is period
        )

    def _link(self, fetch: ModelFetch, allocation: ModelAllocation, newest: Sequence[str]) -> None:
        """Link the newest videos that the organization has not got yet, no more than are charged."""
        organization = allocation.account.organization
        linked = sum(link[0] == organization and by is fetch for link, by in self.links.items())
        missing = [video for video in newest if (organization, video) not in self.links]
        for video in missing[: allocation.charged - linked]:
            self.links[organization, video] = fetch

    def _release_stale(self) -> None:
        for fetch in self.fetches:
            if fetch.state in LIVE_STATES and _is_stale(fetch):
                for allocation in fetch.allocations:
                    allocation.reserved = 0
                for attempt in fetch.attempts:
                    attempt.outcome = attempt.outcome or "released"
                fetch.state = fetch.conclusive_state or "released"

    def _tick(self) -> int:
        self.time += 1
        return self.time


def _grant(asked: int, remaining: int) -> int:
    if remaining >= asked:
        return asked
    return remaining if remaining >= SMALLEST_PARTIAL_GRANT else 0


def _is_stale(fetch: ModelFetch) -> bool:
    """Return True if the lease has expired, or the run ended or expired after the fetch was claimed."""
    ends = [end for end in (fetch.run.ended, fetch.run.expired) if end is not None]
    if fetch.state == "planned":
        return bool(ends)
    return fetch.lease_expired or any(fetch.claimed < end for end in ends)
