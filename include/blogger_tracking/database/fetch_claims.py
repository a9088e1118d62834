"""Claiming a fetch: two round trips, whatever the number of organizations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Connection, Pipeline
from psycopg.rows import class_row, scalar_row

from blogger_tracking.database.connections import pipelined_transaction
from blogger_tracking.domain.claims import AllocationClaim, Claim, LockedAllocation, claim_allocation, skip_allocation
from blogger_tracking.domain.ledger import SkipReason
from blogger_tracking.domain.models import Account, Platform
from blogger_tracking.domain.quotas import QuotaDecision


@dataclass(frozen=True, slots=True)
class ClaimRefused:
    """A start that may fetch nothing, and why. The ledger has it as skipped."""

    fetch_id: int
    username: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Fetch:
    blogger_id: UUID
    platform: str
    external_id: str
    sec_id: str | None
    username: str
    moment: datetime
    live_elsewhere: bool
    suspended: bool


# Usage before fetch, and usage in a fixed order: everything that writes to the ledger locks this way.
LOCK_USAGE = """
select
from subscription_usage
where (organization_id, period_start) in (
    select organization_id, period_start from fetch_allocations where fetch_id = %(fetch_id)s
)
order by organization_id, period_start
for update
"""

_LOCK_FETCH = """
select
    fetches.blogger_id,
    fetches.platform,
    blogger_information.external_id,
    blogger_information.sec_id,
    blogger_information.username,
    clock_timestamp() as moment,
    exists (
        select
        from fetches as other
        where other.blogger_id = fetches.blogger_id
          and other.id <> fetches.id
          and other.state in ('planned', 'running')
    ) as live_elsewhere,
    exists (
        select
        from platform_suspensions
        where platform_suspensions.platform = fetches.platform and suspended_until > clock_timestamp()
    ) as suspended
from fetches
join blogger_information on blogger_information.id = fetches.blogger_id
where fetches.id = %(fetch_id)s
for update of fetches
"""

_ALLOCATIONS = """
select
    fetch_allocations.organization_id,
    fetch_allocations.tracked_account_id,
    fetch_allocations.period_start,
    fetch_allocations.period_end,
    fetch_allocations.granted,
    fetch_allocations.reserved,
    fetch_allocations.charged,
    tracked_accounts.is_active,
    subscriptions.video_limit,
    subscriptions.period_end as period_end_now,
    usage.opening,
    usage.videos_fetched,
    usage.reserved as reserved_in_period
from fetch_allocations
join tracked_accounts on tracked_accounts.id = fetch_allocations.tracked_account_id
join subscription_usage as usage
    on usage.organization_id = fetch_allocations.organization_id
    and usage.period_start = fetch_allocations.period_start
left join subscriptions
    on subscriptions.organization_id = fetch_allocations.organization_id
    and subscriptions.period_start = fetch_allocations.period_start
where fetch_allocations.fetch_id = %(fetch_id)s
order by fetch_allocations.organization_id
"""

_SUPERSEDE = """
update fetch_attempts
set outcome = 'superseded', finished_at = %(moment)s
where fetch_id = %(fetch_id)s and outcome is null
"""

_START_ATTEMPT = """
insert into fetch_attempts (fetch_id, started_at, lease_expires_at, executor, outcome, finished_at, reason)
values (
    %(fetch_id)s, %(moment)s, %(lease_expires_at)s, %(executor)s, %(outcome)s, %(finished_at)s, %(reason)s
)
returning id
"""

_MARK_FETCH = """
update fetches
set
    state = case when %(refused)s then coalesce(conclusive_state, 'skipped') else 'running' end,
    reason = %(reason)s,
    current_attempt_id = (select max(id) from fetch_attempts where fetch_id = %(fetch_id)s),
    claimed_at = %(moment)s,
    lease_expires_at = %(lease_expires_at)s
where id = %(fetch_id)s
"""

_HOLD = """
with claimed as (
    select organization_id, reserved, decision, reason
    from unnest(%(organizations)s::uuid[], %(reserved)s::integer[], %(decisions)s::text[], %(reasons)s::text[])
        as claimed (organization_id, reserved, decision, reason)
),
held as (
    update fetch_allocations
    set
        reserved = claimed.reserved,
        decision = claimed.decision,
        reason = claimed.reason,
        last_attempt_at = case
            when claimed.decision = 'skip' then fetch_allocations.last_attempt_at
            else %(moment)s
        end
    from claimed
    where fetch_allocations.fetch_id = %(fetch_id)s
      and fetch_allocations.organization_id = claimed.organization_id
    returning fetch_allocations.organization_id, fetch_allocations.period_start
)
update subscription_usage as usage
set reserved = usage.reserved + changed.difference
from held
join unnest(%(organizations)s::uuid[], %(differences)s::integer[]) as changed (organization_id, difference)
    using (organization_id)
where usage.organization_id = held.organization_id and usage.period_start = held.period_start
"""


def claim_fetch(connection: Connection, fetch_id: int, lease: timedelta, executor: str) -> Claim | ClaimRefused:
    """Start a fetch: hold what the subscription rule grants now, and become its newest start.

    Any earlier start of this fetch can no longer save. `executor` says where this one runs.
    """
    with pipelined_transaction(connection) as pipeline:
        fetch, allocations = _lock(connection, pipeline, fetch_id)
        shares = _shares(fetch, allocations)
        refused = _why_nothing(shares)
        start = {
            "fetch_id": fetch_id,
            "moment": fetch.moment,
            "executor": executor,
            "refused": refused is not None,
            "reason": refused,
            "outcome": "skipped" if refused else None,
            "finished_at": fetch.moment if refused else None,
            "lease_expires_at": fetch.moment + lease,
        }
        connection.execute(_SUPERSEDE, start)
        attempt = connection.cursor(row_factory=scalar_row).execute(_START_ATTEMPT, start)
        connection.execute(_MARK_FETCH, start)
        connection.execute(_HOLD, start | _held(allocations, shares))
    if refused is not None:
        return ClaimRefused(fetch_id, fetch.username, refused)
    account = Account(
        platform=Platform(fetch.platform),
        external_id=fetch.external_id,
        sec_id=fetch.sec_id,
        username=fetch.username,
    )
    granted = [share for share in shares if share.decision is not QuotaDecision.SKIP]
    return Claim(fetch_id, attempt.fetchall()[0], fetch.blogger_id, account, granted)


def _lock(connection: Connection, pipeline: Pipeline, fetch_id: int) -> tuple[_Fetch, list[LockedAllocation]]:
    parameters = {"fetch_id": fetch_id}
    connection.execute(LOCK_USAGE, parameters)
    fetch = connection.cursor(row_factory=class_row(_Fetch)).execute(_LOCK_FETCH, parameters)
    allocations = connection.cursor(row_factory=class_row(LockedAllocation)).execute(_ALLOCATIONS, parameters)
    pipeline.sync()
    return fetch.fetchall()[0], allocations.fetchall()


def _shares(fetch: _Fetch, allocations: Sequence[LockedAllocation]) -> list[AllocationClaim]:
    if fetch.live_elsewhere:
        return [skip_allocation(allocation, SkipReason.ALREADY_RUNNING) for allocation in allocations]
    if fetch.suspended:
        return [skip_allocation(allocation, SkipReason.PLATFORM_SUSPENDED) for allocation in allocations]
    return [claim_allocation(allocation, fetch.moment) for allocation in allocations]


def _why_nothing(shares: Sequence[AllocationClaim]) -> str | None:
    if any(share.decision is not QuotaDecision.SKIP for share in shares):
        return None
    return ", ".join(sorted({str(share.reason) for share in shares}))


def _held(allocations: Sequence[LockedAllocation], shares: Sequence[AllocationClaim]) -> dict[str, list[Any]]:
    return {
        "organizations": [share.organization_id for share in shares],
        "reserved": [share.reserved for share in shares],
        "decisions": [share.decision for share in shares],
        "reasons": [share.reason for share in shares],
        "differences": [
            share.reserved - allocation.reserved for share, allocation in zip(shares, allocations, strict=True)
        ],
    }
