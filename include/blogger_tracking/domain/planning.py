"""Planning of a run: the bloggers to fetch, the number of videos, and the organizations that pay. Pure."""

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
    """A row of `tracked_bloggers_view`, not validated yet, with the time of its last attempt in the ledger."""

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
    """Remaining videos of an organization in the current period of its subscription."""

    organization_id: UUID
    period_start: datetime
    period_end: datetime
    remaining: int


@dataclass(frozen=True, slots=True)
class SkippedAccount:
    """An account that is left out of the run, with the reason and an optional detail."""

    account: TrackedAccount
    reason: SkipReason
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason

    @property
    def explanation(self) -> str:
        """The reason for the members of the organization, with a detail only if the detail is about the account.

        The detail of a suspension quotes the platform, that of the daily units is about all organizations together.
        """
        return str(self) if self.reason in {SkipReason.SUBSCRIPTION_LIMIT, SkipReason.INVALID} else self.reason


@dataclass(frozen=True, slots=True)
class Allocation:
    """One organization's part in a fetch."""

    account: TrackedAccount
    quota: Quota
    grant: Grant


@dataclass(slots=True)
class PlannedFetch:
    """One blogger to fetch once in the run, for every organization that was granted videos."""

    blogger_id: UUID
    platform: Platform
    username: str
    allocations: list[Allocation] = field(default_factory=list)

    @property
    def target_count(self) -> int:
        """The largest number of videos that any organization was granted."""
        return max(allocation.grant.videos for allocation in self.allocations)


@dataclass(frozen=True, slots=True)
class Plan:
    """The planner's decision: every account is either in an allocation of a fetch or among the skipped accounts."""

    fetches: list[PlannedFetch]
    skips: list[SkippedAccount]


@dataclass(frozen=True, slots=True)
class PlanningConstraints:
    """Constraints of a plan besides the accounts themselves.

    `live_bloggers` are the bloggers that other runs have planned or are fetching. `suspended_platforms` maps a platform
    to the reason of its suspension. `youtube_units_left` of None means no bound.
    """

    quotas: Mapping[UUID, Quota]
    live_bloggers: Collection[UUID] = frozenset()
    suspended_platforms: Mapping[Platform, str] = field(default_factory=dict)
    youtube_units_left: int | None = None


def plan(accounts: Iterable[TrackedAccount], constraints: PlanningConstraints) -> Plan:
    """Apply the subscription rule to each organization's accounts, least recently attempted first.

    Skipped before the subscription rule: inactive accounts, invalid rows, accounts with a pending initial fetch,
    accounts of a blogger that another run has planned or is fetching, accounts of a suspended platform, and accounts of
    an organization without a current subscription.
    """
    skips: list[SkippedAccount] = []
    fetches: dict[UUID, PlannedFetch] = {}
    remaining = {quota.organization_id: quota.remaining for quota in constraints.quotas.values()}
    units = UnitBudget(constraints.youtube_units_left)
    for account in sorted(accounts, key=_planning_order):
        outcome = _apply_unit_budget(_allocate(account, constraints, remaining), fetches, units)
        if isinstance(outcome, SkippedAccount):
            skips.append(outcome)
            continue
        remaining[account.organization_id] -= outcome.grant.videos
        _fetch_of(account, fetches).allocations.append(outcome)
    return Plan(list(fetches.values()), skips)


def _planning_order(account: TrackedAccount) -> tuple[datetime, UUID]:
    return account.last_attempt_at or _NEVER, account.tracking_id


def _allocate(
    account: TrackedAccount, constraints: PlanningConstraints, remaining: Mapping[UUID, int]
) -> Allocation | SkippedAccount:
    for rule in _SKIP_RULES:
        skipped = rule(account, constraints)
        if skipped:
            return skipped
    quota = constraints.quotas[account.organization_id]
    left = remaining[account.organization_id]
    # Accounts without a count were skipped by `_skip_invalid`.
    grant = decide(account.videos_count or 0, left)
    if grant.decision is QuotaDecision.SKIP:
        return SkippedAccount(account, SkipReason.SUBSCRIPTION_LIMIT, f"asked {account.videos_count}, {left} left")
    return Allocation(account, quota, grant)


def _apply_unit_budget(
    outcome: Allocation | SkippedAccount, fetches: Mapping[UUID, PlannedFetch], units: UnitBudget
) -> Allocation | SkippedAccount:
    """Skip a YouTube account if the day's remaining units do not cover its fetch; otherwise return `outcome`."""
    if isinstance(outcome, SkippedAccount) or outcome.account.platform != Platform.YOUTUBE:
        return outcome
    planned = fetches.get(outcome.account.blogger_id)
    before = planned.target_count if planned else 0
    after = max(before, outcome.grant.videos)
    if not units.covers(after, instead_of=before):
        return SkippedAccount(outcome.account, SkipReason.DAILY_UNITS, f"{units.units_left} left for the whole run")
    units.spend(after, instead_of=before)
    return outcome


def _skip_inactive(account: TrackedAccount, _: PlanningConstraints) -> SkippedAccount | None:
    return None if account.is_active else SkippedAccount(account, SkipReason.INACTIVE)


def _skip_invalid(account: TrackedAccount, _: PlanningConstraints) -> SkippedAccount | None:
    problem = _problem_of(account)
    return SkippedAccount(account, SkipReason.INVALID, problem) if problem else None


def _skip_pending_initial_fetch(account: TrackedAccount, _: PlanningConstraints) -> SkippedAccount | None:
    return SkippedAccount(account, SkipReason.PENDING_INITIAL_FETCH) if account.pending_initial_fetch else None


def _skip_already_running(account: TrackedAccount, constraints: PlanningConstraints) -> SkippedAccount | None:
    running = account.blogger_id in constraints.live_bloggers
    return SkippedAccount(account, SkipReason.ALREADY_RUNNING) if running else None


def _skip_suspended(account: TrackedAccount, constraints: PlanningConstraints) -> SkippedAccount | None:
    reason = constraints.suspended_platforms.get(Platform(account.platform))
    return SkippedAccount(account, SkipReason.PLATFORM_SUSPENDED, reason) if reason else None


def _skip_without_subscription(account: TrackedAccount, constraints: PlanningConstraints) -> SkippedAccount | None:
    covered = account.organization_id in constraints.quotas
    return None if covered else SkippedAccount(account, SkipReason.NO_ACTIVE_SUBSCRIPTION)


_SKIP_RULES: tuple[Callable[[TrackedAccount, PlanningConstraints], SkippedAccount | None], ...] = (
    _skip_inactive,
    _skip_invalid,
    _skip_pending_initial_fetch,
    _skip_already_running,
    _skip_suspended,
    _skip_without_subscription,
)


def _problem_of(account: TrackedAccount) -> str | None:
    if account.platform not in set(Platform):
        return f"unknown platform {account.platform!r}"
    if not (account.external_id or "").strip():
        return "no external id"
    if account.videos_count is None or not 1 <= account.videos_count <= MAX_VIDEOS_COUNT:
        return f"videos count {account.videos_count}, expected 1 to {MAX_VIDEOS_COUNT}"
    return None


def _fetch_of(account: TrackedAccount, fetches: dict[UUID, PlannedFetch]) -> PlannedFetch:
    """Return the planned fetch of the account's blogger; add an empty one for the blogger's first account."""
    fetch = fetches.get(account.blogger_id)
    if fetch is None:
        fetch = PlannedFetch(
            account.blogger_id, Platform(account.platform), account.username or str(account.external_id)
        )
        fetches[account.blogger_id] = fetch
    return fetch
