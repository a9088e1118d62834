"""Use case: preview the next run for one organization, with the planner itself and without writing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.database.connections import bounded_transaction
from blogger_tracking.database.organization_usage import require_organization
from blogger_tracking.database.run_plans import RunScope, read_accounts, read_planning_constraints
from blogger_tracking.domain import planning
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.planning import TrackedAccount
from blogger_tracking.domain.quotas import QuotaDecision

_READ_ONLY = "set transaction isolation level repeatable read read only"


@dataclass(frozen=True, slots=True)
class PreviewedAccount:
    """The planner's decision on one tracked account. `videos` is 0 for a skipped account, which has a reason."""

    tracking_id: UUID
    blogger_id: UUID
    platform: str
    username: str
    decision: QuotaDecision
    asked: int
    videos: int
    reason: str | None


def preview_run(pool: ConnectionPool, organization_id: UUID) -> list[PreviewedAccount]:
    """Return the decisions that planning a run of all accounts would make now on the organization's active accounts.

    The reservations of dead runs, which planning would release first, count as they are.
    Raises OrganizationNotFoundError.
    """
    with pool.connection() as connection, bounded_transaction(connection):
        connection.execute(_READ_ONLY)
        require_organization(connection, organization_id)
        constraints = read_planning_constraints(connection, datetime.now(UTC))
        accounts = _read_rivals(connection, organization_id)
    plan = planning.plan(accounts, constraints)
    granted = (
        _granted(allocation)
        for fetch in plan.fetches
        for allocation in fetch.allocations
        if allocation.account.organization_id == organization_id
    )
    skipped = (_skipped(skip) for skip in plan.skips if skip.account.organization_id == organization_id)
    return _in_order([*granted, *skipped])


def _read_rivals(connection: Connection, organization_id: UUID) -> Iterable[TrackedAccount]:
    """Return the organization's accounts, and those of all organizations that share a limit with them.

    Only the day's units of YouTube are shared: every other rule is about one organization or one blogger alone.
    """
    own = read_accounts(connection, RunScope(organizations=(organization_id,)))
    if all(account.platform != Platform.YOUTUBE for account in own):
        return own
    rivals = read_accounts(connection, RunScope(platforms=(Platform.YOUTUBE,)))
    return {account.tracking_id: account for account in [*own, *rivals]}.values()


def _granted(allocation: planning.Allocation) -> PreviewedAccount:
    return _previewed(allocation.account, allocation.grant.decision, allocation.grant.videos, None)


def _skipped(skip: planning.SkippedAccount) -> PreviewedAccount:
    return _previewed(skip.account, QuotaDecision.SKIP, 0, str(skip))


def _previewed(account: TrackedAccount, decision: QuotaDecision, videos: int, reason: str | None) -> PreviewedAccount:
    return PreviewedAccount(
        account.tracking_id,
        account.blogger_id,
        account.platform,
        account.username or "",
        decision,
        account.videos_count or 0,
        videos,
        reason,
    )


def _in_order(accounts: list[PreviewedAccount]) -> list[PreviewedAccount]:
    return sorted(accounts, key=lambda account: (account.platform, account.username.lower(), account.tracking_id))
