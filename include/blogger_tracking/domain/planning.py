"""Planning a run: which accounts are fetched, for how many videos, at whose expense. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from blogger_tracking.domain.ledger import SkipReason
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.quotas import MAX_VIDEOS_COUNT, Grant, QuotaDecision, decide
from blogger_tracking.domain.youtube_quota import UnitBudget

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TrackedAccount:
    """A row of `tracked_bloggers_view` with the time of its last attempt in the ledger. Nothing in it is trusted."""

    tracking_id: UUID
    organization_id: UUID
    blogger_id: UUID
    platform: str
    external_id: str | None
    username: str | None
    videos_count: int | None
    is_active: bool
    pending_initial_fetch: bool
    last_attempt_at: datetime | None


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left of an organization's subscription period that covers now."""

    organization_id: UUID
    period_start: datetime
    period_end: datetime
    remaining: int


@dataclass(frozen=True, slots=True)
class Skip:
    """An account that is left out, and why. `detail` says more where the reason alone does not."""

    account: TrackedAccount
    reason: SkipReason
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


@dataclass(frozen=True, slots=True)
class Allocation:
    """One organization's share of a fetch."""

    account: TrackedAccount
    quota: Quota
    grant: Grant


@dataclass(slots=True)
class PlannedFetch:
    """One blogger to fetch, once, for every organization that was granted some of it."""

    blogger_id: UUID
    platform: Platform
    username: str
    allocations: list[Allocation] = field(default_factory=list)

    @property
    def target_count(self) -> int:
        """The largest count any organization was granted."""
        return max(allocation.grant.videos for allocation in self.allocations)


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole decision: every account is either in a fetch's allocations or among the skips."""

    fetches: list[PlannedFetch]
    skips: list[Skip]


@dataclass(frozen=True, slots=True)
class PlanningConstraints:
    """What planning has to respect besides the accounts themselves. `youtube_units_left`: None is no bound."""

    quotas: Mapping[UUID, Quota]
    live_bloggers: Collection[UUID] = frozenset()
    suspended_platforms: Mapping[Platform, str] = field(default_factory=dict)
    youtube_units_left: int | None = None


def plan(accounts: Iterable[TrackedAccount], constraints: PlanningConstraints) -> Plan:
    """Apply the subscription rule to each organization's accounts, least recently attempted first.

    Inactive accounts, those with an open initial fetch and those of a blogger that another live run has are left
    out, as are rows that make no sense; none of them uses up anything.
    """
    skips: list[Skip] = []
    fetches: dict[UUID, PlannedFetch] = {}
    remaining = {quota.organization_id: quota.remaining for quota in constraints.quotas.values()}
    units = UnitBudget(constraints.youtube_units_left)
    for account in sorted(accounts, key=_fairness):
        outcome = _within_units(_consider(account, constraints, remaining), fetches, units)
        if isinstance(outcome, Skip):
            skips.append(outcome)
            continue
        remaining[account.organization_id] -= outcome.grant.videos
        _fetch_of(account, fetches).allocations.append(outcome)
    return Plan(list(fetches.values()), skips)


def _fairness(account: TrackedAccount) -> tuple[datetime, UUID]:
    return account.last_attempt_at or _NEVER, account.tracking_id


def _consider(
    account: TrackedAccount, constraints: PlanningConstraints, remaining: Mapping[UUID, int]
) -> Allocation | Skip:
    for rule in _RULES:
        skip = rule(account, constraints)
        if skip:
            return skip
    quota = constraints.quotas[account.organization_id]
    left = remaining[account.organization_id]
    grant = decide(_asked(account), left)
    if grant.decision is QuotaDecision.SKIP:
        return Skip(account, SkipReason.SUBSCRIPTION_LIMIT, f"asked {account.videos_count}, {left} left")
    return Allocation(account, quota, grant)


def _within_units(
    outcome: Allocation | Skip, fetches: Mapping[UUID, PlannedFetch], units: UnitBudget
) -> Allocation | Skip:
    """The same, unless YouTube's units left for the day do not cover it."""
    if isinstance(outcome, Skip) or outcome.account.platform != Platform.YOUTUBE:
        return outcome
    planned = fetches.get(outcome.account.blogger_id)
    before = planned.target_count if planned else 0
    after = max(before, outcome.grant.videos)
    if not units.covers(after, instead_of=before):
        return Skip(outcome.account, SkipReason.DAILY_UNITS, f"{units.units_left} left for the whole run")
    units.spend(after, instead_of=before)
    return outcome


def _skip_inactive(account: TrackedAccount, _: PlanningConstraints) -> Skip | None:
    return None if account.is_active else Skip(account, SkipReason.INACTIVE)


def _skip_invalid(account: TrackedAccount, _: PlanningConstraints) -> Skip | None:
    fault = _fault(account)
    return Skip(account, SkipReason.INVALID, fault) if fault else None


def _skip_pending_initial_fetch(account: TrackedAccount, _: PlanningConstraints) -> Skip | None:
    return Skip(account, SkipReason.PENDING_INITIAL_FETCH) if account.pending_initial_fetch else None


def _skip_already_running(account: TrackedAccount, constraints: PlanningConstraints) -> Skip | None:
    return Skip(account, SkipReason.ALREADY_RUNNING) if account.blogger_id in constraints.live_bloggers else None


def _skip_suspended(account: TrackedAccount, constraints: PlanningConstraints) -> Skip | None:
    reason = constraints.suspended_platforms.get(Platform(account.platform))
    return Skip(account, SkipReason.PLATFORM_SUSPENDED, reason) if reason else None


def _skip_without_subscription(account: TrackedAccount, constraints: PlanningConstraints) -> Skip | None:
    covered = account.organization_id in constraints.quotas
    return None if covered else Skip(account, SkipReason.NO_ACTIVE_SUBSCRIPTION)


_RULES: tuple[Callable[[TrackedAccount, PlanningConstraints], Skip | None], ...] = (
    _skip_inactive,
    _skip_invalid,
    _skip_pending_initial_fetch,
    _skip_already_running,
    _skip_suspended,
    _skip_without_subscription,
)


def _fault(account: TrackedAccount) -> str | None:
    if account.platform not in set(Platform):
        return f"unknown platform {account.platform!r}"
    if not (account.external_id or "").strip():
        return "no external id"
    if account.videos_count is None or not 1 <= account.videos_count <= MAX_VIDEOS_COUNT:
        return f"videos count {account.videos_count}, expected 1 to {MAX_VIDEOS_COUNT}"
    return None


def _asked(account: TrackedAccount) -> int:
    return account.videos_count or 0


def _fetch_of(account: TrackedAccount, fetches: dict[UUID, PlannedFetch]) -> PlannedFetch:
    known = fetches.get(account.blogger_id)
    if known is None:
        known = PlannedFetch(
            account.blogger_id, Platform(account.platform), account.username or str(account.external_id)
        )
        fetches[account.blogger_id] = known
    return known
