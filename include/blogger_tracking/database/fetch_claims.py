"""Claiming a fetch: two round trips, independent of the number of organizations."""

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
    """A refused attempt: no organization of the fetch is granted a video. The ledger records the attempt as skipped."""

    fetch_id: int
    username: str
    reason: str


@dataclass(frozen=True, slots=True)
class _LockedFetch:
    blogger_id: UUID
    platform: str
    external_id: str
    sec_id: str | None
    username: str
    moment: datetime
    live_elsewhere: bool
    suspended: bool


# Every transaction that writes to a fetch locks the usage rows first, in this order, and then the fetch.
# This lock order prevents deadlocks.
LOCK_USAGE = """
select
from blogger_tracking.subscription_usage
where (organization_id, period_start) in (
    select organization_id, period_start from blogger_tracking.fetch_allocations where fetch_id = %(fetch_id)s
)
order by organization_id, period_start
for update
"""

# The suspension is read by this statement, not by database/platform_suspensions.py, to save a round trip per claim.
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
        from blogger_tracking.fetches as live
        where live.blogger_id = fetches.blogger_id
          and live.id <> fetches.id
          and live.state in ('planned', 'running')
    ) as live_elsewhere,
    exists (
        select
        from blogger_tracking.platform_suspensions
        where platform_suspensions.platform = fetches.platform and suspended_until > clock_timestamp()
    ) as suspended
from blogger_tracking.fetches
join blogger_tracking.blogger_information on blogger_information.id = fetches.blogger_id
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
from blogger_tracking.fetch_allocations
join blogger_tracking.tracked_accounts on tracked_accounts.id = fetch_allocations.tracked_account_id
join blogger_tracking.subscription_usage as usage
    on usage.organization_id = fetch_allocations.organization_id
    and usage.period_start = fetch_allocations.period_start
left join blogger_tracking.subscriptions
    on subscriptions.organization_id = fetch_allocations.organization_id
    and subscriptions.period_start = fetch_allocations.period_start
where fetch_allocations.fetch_id = %(fetch_id)s
order by fetch_allocations.organization_id
"""

_SUPERSEDE_ATTEMPTS = """
update blogger_tracking.fetch_attempts
set outcome = 'superseded', finished_at = %(moment)s
where fetch_id = %(fetch_id)s and outcome is null
"""

_INSERT_ATTEMPT = """
insert into blogger_tracking.fetch_attempts (
    fetch_id, started_at, lease_expires_at, executor, outcome, finished_at, reason
)
values (
    %(fetch_id)s, %(moment)s, %(lease_expires_at)s, %(executor)s, %(outcome)s, %(finished_at)s, %(reason)s
)
returning id
"""

# A fetch with a conclusive attempt keeps the state and the reason of that attempt; the refused attempt has its own row.
_UPDATE_FETCH = """
update blogger_tracking.fetches
set
    state = case when %(refused)s then coalesce(conclusive_state, 'skipped') else 'running' end,
    reason = case when conclusive_state is null then %(reason)s else reason end,
    current_attempt_id = (select max(id) from blogger_tracking.fetch_attempts where fetch_id = %(fetch_id)s),
    claimed_at = %(moment)s,
    lease_expires_at = %(lease_expires_at)s
where id = %(fetch_id)s
"""

# The allocations of a fetch with a conclusive attempt keep their decision and reason until another attempt is
# conclusive (see database/fetch_settlement.py).
_UPDATE_ALLOCATIONS = """
with claimed as (
    select organization_id, reserved, decision, reason
    from unnest(%(organizations)s::uuid[], %(reserved)s::integer[], %(decisions)s::text[], %(reasons)s::text[])
        as claimed (organization_id, reserved, decision, reason)
),
updated as (
    update blogger_tracking.fetch_allocations
    set
        reserved = claimed.reserved,
        decision = case
            when fetches.conclusive_state is null then claimed.decision
            else fetch_allocations.decision
        end,
        reason = case
            when fetches.conclusive_state is null then claimed.reason
            else fetch_allocations.reason
        end,
        last_attempt_at = case
            when claimed.decision = 'skip' then fetch_allocations.last_attempt_at
            else %(moment)s
        end
    from claimed
    cross join blogger_tracking.fetches
    where fetches.id = %(fetch_id)s
      and fetch_allocations.fetch_id = fetches.id
      and fetch_allocations.organization_id = claimed.organization_id
    returning fetch_allocations.organization_id, fetch_allocations.period_start
)
update blogger_tracking.subscription_usage as usage
set reserved = usage.reserved + changed.difference
from updated
join unnest(%(organizations)s::uuid[], %(differences)s::integer[]) as changed (organization_id, difference)
    using (organization_id)
where usage.organization_id = updated.organization_id and usage.period_start = updated.period_start
"""


def claim_fetch(connection: Connection, fetch_id: int, lease: timedelta, executor: str) -> Claim | ClaimRefused:
    """Begin an attempt of a fetch: reserve the videos that the subscription rule grants now.

    Earlier attempts of this fetch can no longer save. `lease` is the time after which the attempt is presumed dead;
    `executor` names the process that makes the attempt.
    """
    with pipelined_transaction(connection) as pipeline:
        fetch, allocations = _lock(connection, pipeline, fetch_id)
        claims = _claim_allocations(fetch, allocations)
        refusal_reason = _refusal_reason(claims)
        parameters = {
            "fetch_id": fetch_id,
            "moment": fetch.moment,
            "executor": executor,
            "refused": refusal_reason is not None,
            "reason": refusal_reason,
            "outcome": "skipped" if refusal_reason else None,
            "finished_at": fetch.moment if refusal_reason else None,
            "lease_expires_at": fetch.moment + lease,
        }
        connection.execute(_SUPERSEDE_ATTEMPTS, parameters)
        attempt = connection.cursor(row_factory=scalar_row).execute(_INSERT_ATTEMPT, parameters)
        connection.execute(_UPDATE_FETCH, parameters)
        connection.execute(_UPDATE_ALLOCATIONS, parameters | _reservation_parameters(allocations, claims))
    if refusal_reason is not None:
        return ClaimRefused(fetch_id, fetch.username, refusal_reason)
    account = Account(
        platform=Platform(fetch.platform),
        external_id=fetch.external_id,
        sec_id=fetch.sec_id,
        username=fetch.username,
    )
    granted = [claim for claim in claims if claim.decision is not QuotaDecision.SKIP]
    return Claim(fetch_id, attempt.fetchall()[0], fetch.blogger_id, account, granted)


def _lock(connection: Connection, pipeline: Pipeline, fetch_id: int) -> tuple[_LockedFetch, list[LockedAllocation]]:
    parameters = {"fetch_id": fetch_id}
    connection.execute(LOCK_USAGE, parameters)
    fetch = connection.cursor(row_factory=class_row(_LockedFetch)).execute(_LOCK_FETCH, parameters)
    allocations = connection.cursor(row_factory=class_row(LockedAllocation)).execute(_ALLOCATIONS, parameters)
    pipeline.sync()
    return fetch.fetchall()[0], allocations.fetchall()


def _claim_allocations(fetch: _LockedFetch, allocations: Sequence[LockedAllocation]) -> list[AllocationClaim]:
    if fetch.live_elsewhere:
        return [skip_allocation(allocation, SkipReason.ALREADY_RUNNING) for allocation in allocations]
    if fetch.suspended:
        return [skip_allocation(allocation, SkipReason.PLATFORM_SUSPENDED) for allocation in allocations]
    return [claim_allocation(allocation, fetch.moment) for allocation in allocations]


def _refusal_reason(claims: Sequence[AllocationClaim]) -> str | None:
    if any(claim.decision is not QuotaDecision.SKIP for claim in claims):
        return None
    return ", ".join(sorted({str(claim.reason) for claim in claims}))


def _reservation_parameters(
    allocations: Sequence[LockedAllocation], claims: Sequence[AllocationClaim]
) -> dict[str, list[Any]]:
    return {
        "organizations": [claim.organization_id for claim in claims],
        "reserved": [claim.reserved for claim in claims],
        "decisions": [claim.decision for claim in claims],
        "reasons": [claim.reason for claim in claims],
        "differences": [
            claim.reserved - allocation.reserved for claim, allocation in zip(claims, allocations, strict=True)
        ],
    }
