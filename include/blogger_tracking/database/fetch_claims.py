"""Claiming a fetch: two round trips, independent of the number of organizations.

The first round trip reads, the second locks, verifies and writes. The locks are held on the server only, not while a
message travels, so that the fetches of one organization do not wait for each other's round trips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor, sql
from psycopg.errors import SerializationFailure, UniqueViolation
from psycopg.rows import class_row, scalar_row

from blogger_tracking.database.connections import pipelined_transaction
from blogger_tracking.domain.claims import AllocationClaim, Claim, CurrentAllocation, claim_allocation, skip_allocation
from blogger_tracking.domain.errors import FetchRemovedError
from blogger_tracking.domain.ledger import SkipReason
from blogger_tracking.domain.models import Account, Platform, PostsHistory
from blogger_tracking.domain.quotas import Grant, QuotaDecision


@dataclass(frozen=True, slots=True)
class ClaimRefused:
    """A refused attempt: no organization of the fetch is granted a video. The ledger records the attempt as skipped."""

    fetch_id: int
    platform: Platform
    username: str
    reason: str


class NoAttemptReason(StrEnum):
    """Reason for which no attempt begins, in words for the log of the task instance."""

    RUN_ENDED = "its run has ended, and its instance was not cleared since"
    ALREADY_FETCHED = "this try of its instance has fetched it before"


@dataclass(frozen=True, slots=True)
class NoAttempt:
    """A fetch of which no attempt began: the ledger is unchanged."""

    fetch_id: int
    platform: Platform
    username: str
    reason: NoAttemptReason


@dataclass(frozen=True, slots=True)
class _CurrentFetch:
    blogger_id: UUID
    platform: str
    external_id: str
    sec_id: str | None
    username: str
    posts_read_at: datetime | None
    newest_posts_only_at: datetime | None
    moment: datetime
    live_elsewhere: bool
    suspended: bool
    run_ended: bool
    already_fetched: bool

    @property
    def no_attempt_reason(self) -> NoAttemptReason | None:
        """The reason for which no attempt may begin, or None."""
        if self.already_fetched:
            return NoAttemptReason.ALREADY_FETCHED
        return NoAttemptReason.RUN_ENDED if self.run_ended else None


@dataclass(frozen=True, slots=True)
class _Decision:
    """The rule's decision on each allocation, with the rows on which the decision is based."""

    fetch: _CurrentFetch
    allocations: Sequence[CurrentAllocation]
    claims: Sequence[AllocationClaim]

    @property
    def refusal_reason(self) -> str | None:
        """The reasons of all organizations if none is granted a video."""
        if any(claim.decision is not QuotaDecision.SKIP for claim in self.claims):
            return None
        return ", ".join(sorted(self._reasons))

    @property
    def common_refusal_reason(self) -> str | None:
        """The reason if it is the same for all organizations: no organization is told the reason of another."""
        return self.refusal_reason if len(self._reasons) == 1 else None

    @property
    def _reasons(self) -> set[str]:
        # Without an allocation: every organization of the fetch was deleted.
        return {str(claim.reason) for claim in self.claims} or {SkipReason.REMOVED}


_UNLOCKED_TRIES = 3
"""Number of decisions that are made without a lock. Each is repeated only if a row changed within a round trip."""

_LOCK_USAGE = """
select
from blogger_tracking.subscription_usage
where (organization_id, period_start) in (
    select organization_id, period_start from blogger_tracking.fetch_allocations where fetch_id = %(fetch_id)s
)
order by organization_id, period_start
for update
"""

# Saving videos refers to the fetch before its transaction locks the usage: `for update` would conflict with that.
_LOCK_FETCH = "select from blogger_tracking.fetches where id = %(fetch_id)s for no key update"

# The suspension is read by this statement, not by database/platform_suspensions.py, to save a round trip per claim.
# A try that Airflow created before the end of the run is left over: its process was frozen, or the try was cancelled
# together with its run. A try that was created afterwards was cleared on purpose.
_FETCH = """
select
    fetches.blogger_id,
    fetches.platform,
    blogger_information.external_id,
    blogger_information.sec_id,
    blogger_information.username,
    blogger_information.posts_read_at,
    blogger_information.newest_posts_only_at,
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
    ) as suspended,
    (
        coalesce(runs.ended_at between %(try_created_at)s::timestamptz and clock_timestamp(), false)
        or coalesce(runs.expires_at between %(try_created_at)s::timestamptz and clock_timestamp(), false)
    ) as run_ended,
    coalesce(conclusive.finished_at >= %(try_created_at)s::timestamptz, false) as already_fetched
from blogger_tracking.fetches
join blogger_tracking.blogger_information on blogger_information.id = fetches.blogger_id
join blogger_tracking.runs on runs.id = fetches.run_id
left join blogger_tracking.fetch_attempts as conclusive on conclusive.id = fetches.conclusive_attempt_id
where fetches.id = %(fetch_id)s
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
left join blogger_tracking.tracked_accounts on tracked_accounts.id = fetch_allocations.tracked_account_id
join blogger_tracking.subscription_usage as usage
    on usage.organization_id = fetch_allocations.organization_id
    and usage.period_start = fetch_allocations.period_start
left join blogger_tracking.subscriptions
    on subscriptions.organization_id = fetch_allocations.organization_id
    and subscriptions.period_start = fetch_allocations.period_start
where fetch_allocations.fetch_id = %(fetch_id)s
order by fetch_allocations.organization_id
"""

# A usage may differ from the one that was read, as long as the rule decides the same.
_REQUIRE_SAME_DECISION = sql.SQL("""
with decided as (
    select *
    from unnest(
        %(organizations)s::uuid[],
        %(reserved_before)s::integer[],
        %(charged_before)s::integer[],
        %(active)s::boolean[],
        %(video_limits)s::bigint[],
        %(period_ends)s::timestamptz[],
        %(least_usages)s::bigint[],
        %(largest_usages)s::bigint[]
    ) as decided (
        organization_id, reserved, charged, is_active, video_limit, period_end_now, least_usage, largest_usage
    )
)
select
    blogger_tracking.require_unchanged(
        exists (
            select
            from ({current_fetch}) as found
            where found.live_elsewhere = %(live_elsewhere)s
              and found.suspended = %(suspended)s
              and not found.run_ended
              and not found.already_fetched
        )
        and not exists (
            select
            from ({allocations}) as allocation
            full join decided on decided.organization_id = allocation.organization_id
            where (
                allocation.organization_id,
                allocation.reserved,
                allocation.charged,
                allocation.is_active,
                allocation.video_limit,
                allocation.period_end_now
            ) is distinct from (
                decided.organization_id,
                decided.reserved,
                decided.charged,
                decided.is_active,
                decided.video_limit,
                decided.period_end_now
            )
            or allocation.opening + allocation.videos_fetched + allocation.reserved_in_period < decided.least_usage
            or allocation.opening + allocation.videos_fetched + allocation.reserved_in_period > decided.largest_usage
        )
    )
""").format(current_fetch=sql.SQL(_FETCH), allocations=sql.SQL(_ALLOCATIONS))

# A fetch with a conclusive attempt keeps the state and the reason of that attempt; the refused attempt has its own row.
# The time is read under the lock: a run that ended before the lock was granted ended before the claim.
_BEGIN_ATTEMPT = """
with beginning as (
    select clock_timestamp() as moment
),
superseded as (
    update blogger_tracking.fetch_attempts
    set outcome = 'superseded', finished_at = beginning.moment
    from beginning
    where fetch_id = %(fetch_id)s and outcome is null
),
attempt as (
    insert into blogger_tracking.fetch_attempts (
        fetch_id, started_at, lease_expires_at, executor, outcome, finished_at, reason
    )
    select
        %(fetch_id)s,
        moment,
        moment + %(lease)s,
        %(executor)s,
        case when %(refused)s then 'skipped' end,
        case when %(refused)s then moment end,
        %(reason)s
    from beginning
    returning id, started_at, lease_expires_at
)
update blogger_tracking.fetches
set
    state = case when %(refused)s then coalesce(conclusive_state, 'skipped') else 'running' end,
    reason = case when conclusive_state is null then %(common_reason)s else reason end,
    current_attempt_id = attempt.id,
    claimed_at = attempt.started_at,
    lease_expires_at = attempt.lease_expires_at
from attempt
where fetches.id = %(fetch_id)s
returning attempt.id
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
            else fetches.claimed_at
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


def claim_fetch(
    connection: Connection,
    fetch_id: int,
    lease: timedelta,
    executor: str,
    try_created_at: datetime | None = None,
) -> Claim | ClaimRefused | NoAttempt:
    """Begin an attempt of a fetch: reserve the videos that the subscription rule grants now.

    Earlier attempts of this fetch can no longer save. `lease` is the time after which the attempt is presumed dead;
    `executor` names the process that makes the attempt. `try_created_at` is the time at which Airflow created the try
    of the task instance: no attempt begins if the run has ended since, or if the platform has answered the fetch since.
    It is None for an attempt that belongs to no task instance.

    Raises FetchRemovedError if the fetch is not in the ledger, and UniqueViolation if another run goes on beginning
    fetches of the blogger meanwhile.
    """
    attempt = {"fetch_id": fetch_id, "lease": lease, "executor": executor, "try_created_at": try_created_at}
    for _ in range(_UNLOCKED_TRIES):
        try:
            return _claim_unlocked(connection, attempt)
        except (SerializationFailure, UniqueViolation):
            # Unique: another run has begun to fetch the blogger since, without a common organization to wait for.
            continue
    return _claim_locked(connection, attempt)


def lock_usage_and_fetch(connection: Connection, fetch_id: int) -> None:
    """Lock the usage rows of a fetch's organizations, in the order of their keys, and then the fetch.

    Every transaction that writes to a fetch takes its locks in this order, which prevents deadlocks.
    """
    connection.execute(_LOCK_USAGE, {"fetch_id": fetch_id})
    connection.execute(_LOCK_FETCH, {"fetch_id": fetch_id})


def _claim_unlocked(connection: Connection, attempt: dict[str, Any]) -> Claim | ClaimRefused | NoAttempt:
    """Decide without a lock, then lock, verify the decision, and write.

    Raises SerializationFailure, having changed nothing, if the rule would decide otherwise now.
    """
    with connection.pipeline():
        current = _read(connection, attempt)
    decision = _decide(*current)
    if decision.fetch.no_attempt_reason:
        return _no_attempt(attempt["fetch_id"], decision.fetch, decision.fetch.no_attempt_reason)
    with pipelined_transaction(connection):
        lock_usage_and_fetch(connection, attempt["fetch_id"])
        connection.execute(_REQUIRE_SAME_DECISION, attempt | _verified_parameters(decision))
        begun = _begin_attempt(connection, attempt, decision)
    return _result(attempt["fetch_id"], decision, begun)


def _claim_locked(connection: Connection, attempt: dict[str, Any]) -> Claim | ClaimRefused | NoAttempt:
    """Lock, decide and write: the locks are held for a round trip, but the decision needs no repetition."""
    with pipelined_transaction(connection) as pipeline:
        lock_usage_and_fetch(connection, attempt["fetch_id"])
        current = _read(connection, attempt)
        pipeline.sync()
        decision = _decide(*current)
        if decision.fetch.no_attempt_reason:
            return _no_attempt(attempt["fetch_id"], decision.fetch, decision.fetch.no_attempt_reason)
        begun = _begin_attempt(connection, attempt, decision)
    return _result(attempt["fetch_id"], decision, begun)


def _read(connection: Connection, attempt: dict[str, Any]) -> tuple[Cursor[_CurrentFetch], Cursor[CurrentAllocation]]:
    return (
        connection.cursor(row_factory=class_row(_CurrentFetch)).execute(_FETCH, attempt),
        connection.cursor(row_factory=class_row(CurrentAllocation)).execute(_ALLOCATIONS, attempt),
    )


def _decide(found: Cursor[_CurrentFetch], current: Cursor[CurrentAllocation]) -> _Decision:
    fetch, allocations = found.fetchone(), current.fetchall()
    if fetch is None:
        raise FetchRemovedError(
            "The fetch is not in the ledger any more: its blogger was removed. Nothing was fetched."
        )
    return _Decision(fetch, allocations, _claim_allocations(fetch, allocations))


def _no_attempt(fetch_id: int, fetch: _CurrentFetch, reason: NoAttemptReason) -> NoAttempt:
    return NoAttempt(fetch_id, Platform(fetch.platform), fetch.username, reason)


def _claim_allocations(fetch: _CurrentFetch, allocations: Sequence[CurrentAllocation]) -> list[AllocationClaim]:
    if fetch.live_elsewhere:
        return [skip_allocation(allocation, SkipReason.ALREADY_RUNNING) for allocation in allocations]
    if fetch.suspended:
        return [skip_allocation(allocation, SkipReason.PLATFORM_SUSPENDED) for allocation in allocations]
    return [claim_allocation(allocation, fetch.moment) for allocation in allocations]


def _verified_parameters(decision: _Decision) -> dict[str, Any]:
    usages = [
        allocation.usage_for(Grant(claim.decision, claim.videos)) if claim.depends_on_usage else (None, None)
        for allocation, claim in zip(decision.allocations, decision.claims, strict=True)
    ]
    return {
        "live_elsewhere": decision.fetch.live_elsewhere,
        "suspended": decision.fetch.suspended,
        "organizations": [allocation.organization_id for allocation in decision.allocations],
        "reserved_before": [allocation.reserved for allocation in decision.allocations],
        "charged_before": [allocation.charged for allocation in decision.allocations],
        "active": [allocation.is_active for allocation in decision.allocations],
        "video_limits": [allocation.video_limit for allocation in decision.allocations],
        "period_ends": [allocation.period_end_now for allocation in decision.allocations],
        "least_usages": [least for least, _ in usages],
        "largest_usages": [largest for _, largest in usages],
    }


def _begin_attempt(connection: Connection, attempt: dict[str, Any], decision: _Decision) -> Cursor[int]:
    reason = decision.refusal_reason
    parameters = attempt | {
        "refused": reason is not None,
        "reason": reason,
        "common_reason": decision.common_refusal_reason,
    }
    begun = connection.cursor(row_factory=scalar_row).execute(_BEGIN_ATTEMPT, parameters)
    connection.execute(_UPDATE_ALLOCATIONS, parameters | _reservation_parameters(decision))
    return begun


def _reservation_parameters(decision: _Decision) -> dict[str, list[Any]]:
    return {
        "organizations": [claim.organization_id for claim in decision.claims],
        "reserved": [claim.reserved for claim in decision.claims],
        "decisions": [claim.decision for claim in decision.claims],
        "reasons": [claim.reason for claim in decision.claims],
        "differences": [
            claim.reserved - allocation.reserved
            for claim, allocation in zip(decision.claims, decision.allocations, strict=True)
        ],
    }


def _result(fetch_id: int, decision: _Decision, begun: Cursor[int]) -> Claim | ClaimRefused:
    fetch = decision.fetch
    if decision.refusal_reason is not None:
        return ClaimRefused(fetch_id, Platform(fetch.platform), fetch.username, decision.refusal_reason)
    granted = [claim for claim in decision.claims if claim.decision is not QuotaDecision.SKIP]
    return Claim(fetch_id, begun.fetchall()[0], fetch.blogger_id, _account(fetch), granted)


def _account(fetch: _CurrentFetch) -> Account:
    read_at = fetch.posts_read_at
    history = PostsHistory(read_at=read_at, newest_posts_only_at=fetch.newest_posts_only_at) if read_at else None
    return Account(
        platform=Platform(fetch.platform),
        external_id=fetch.external_id,
        sec_id=fetch.sec_id,
        username=fetch.username,
        posts_history=history,
    )
