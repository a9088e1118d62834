"""Settling a fetch in one transaction: save the videos and charge for them, or release the reservation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection, Pipeline
from psycopg.rows import class_row, scalar_row
from psycopg.types.json import Jsonb

from blogger_tracking.database.connections import pipelined_transaction
from blogger_tracking.database.fetch_claims import LOCK_USAGE
from blogger_tracking.database.pending_initial_fetches import settle_initial_fetch
from blogger_tracking.database.videos import save_videos
from blogger_tracking.domain.claims import Claim, charge_after
from blogger_tracking.domain.errors import StaleClaimError
from blogger_tracking.domain.ledger import FetchState
from blogger_tracking.domain.models import CommonVideo
from blogger_tracking.domain.platform_errors import PlatformError


@dataclass(frozen=True, slots=True)
class FetchOutcome:
    """Outcome of an attempt. `videos` are newest first; `sec_id` is set if this attempt looked up the secUid."""

    state: FetchState
    videos: Sequence[CommonVideo] = ()
    pages: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    error: PlatformError | None = None
    reason: str | None = None
    sec_id: str | None = None


@dataclass(frozen=True, slots=True)
class SettledFetch:
    """Changes made by settling a fetch: the number of new videos, and the charge added to each organization."""

    videos_new: int
    charged: dict[UUID, int]


@dataclass(frozen=True, slots=True)
class _LockedCharge:
    organization_id: UUID
    charged: int
    reserved: int


_LOCK_FETCH = """
select clock_timestamp()
from blogger_tracking.fetches
where id = %(fetch_id)s and current_attempt_id = %(attempt_id)s and state = 'running'
for update
"""

_ALLOCATIONS = """
select organization_id, charged, reserved
from blogger_tracking.fetch_allocations
where fetch_id = %(fetch_id)s
order by organization_id
"""

# A decision is given only for the allocations that a conclusive attempt has claimed: see database/fetch_claims.py.
_SETTLE_ALLOCATIONS = """
with settled as (
    update blogger_tracking.fetch_allocations
    set
        charged = outcome.charged,
        charged_at = case
            when outcome.charged > fetch_allocations.charged then %(moment)s
            else fetch_allocations.charged_at
        end,
        reserved = 0,
        decision = coalesce(outcome.decision, fetch_allocations.decision),
        reason = case when outcome.decision is null then fetch_allocations.reason end
    from unnest(%(organizations)s::uuid[], %(charged)s::integer[], %(decisions)s::text[])
        as outcome (organization_id, charged, decision)
    where fetch_allocations.fetch_id = %(fetch_id)s
      and fetch_allocations.organization_id = outcome.organization_id
    returning fetch_allocations.organization_id, fetch_allocations.period_start
)
update blogger_tracking.subscription_usage as usage
set
    videos_fetched = usage.videos_fetched + changed.added,
    reserved = usage.reserved - changed.released
from settled
join unnest(%(organizations)s::uuid[], %(added)s::integer[], %(released)s::integer[])
    as changed (organization_id, added, released) using (organization_id)
where usage.organization_id = settled.organization_id and usage.period_start = settled.period_start
"""

_MARK_ACCOUNTS = """
update blogger_tracking.tracked_accounts set last_scraped_at = %(moment)s where id = any(%(tracked_accounts)s)
"""

_MARK_BLOGGER = """
update blogger_tracking.blogger_information
set
    account_state = %(account_state)s,
    sec_id = coalesce(%(sec_id)s, sec_id),
    updated_at = %(moment)s
where id = %(blogger_id)s
  and (account_state, sec_id) is distinct from (%(account_state)s, coalesce(%(sec_id)s, sec_id))
"""

_FINISH_ATTEMPT = """
update blogger_tracking.fetch_attempts
set
    finished_at = %(moment)s,
    outcome = %(state)s,
    error_kind = %(error_kind)s,
    reason = %(reason)s,
    pages = %(pages)s,
    videos_returned = %(returned)s,
    entries_skipped = %(skipped)s,
    videos_new = (
        select count(*)
        from blogger_tracking.videos
        where platform = %(platform)s and external_video_id = any(%(ids)s) and first_seen_at = %(moment)s
    )
where id = %(attempt_id)s
returning videos_new
"""

# A conclusive attempt replaces an earlier one; an inconclusive attempt leaves state and reason to a conclusive one.
_FINISH_FETCH = """
update blogger_tracking.fetches
set
    state = case when %(conclusive)s then %(state)s else coalesce(conclusive_state, %(state)s) end,
    reason = case when %(conclusive)s or conclusive_state is null then %(reason)s else reason end,
    conclusive_state = case when %(conclusive)s then %(state)s else conclusive_state end,
    conclusive_attempt_id = case when %(conclusive)s then %(attempt_id)s else conclusive_attempt_id end,
    lease_expires_at = null
where id = %(fetch_id)s
"""


def settle_fetch(connection: Connection, claim: Claim, outcome: FetchOutcome) -> SettledFetch:
    """Save an outcome: videos, links, statistics, queue messages, charges, `last_scraped_at`, and the fetch's state.

    Raises StaleClaimError, having changed nothing, if a newer attempt has taken over the fetch.
    """
    with pipelined_transaction(connection) as pipeline:
        moment, allocations = _lock(connection, pipeline, claim)
        charges = _charges(claim, allocations, len(outcome.videos))
        if outcome.videos:
            save_videos(connection, claim, outcome.videos, moment, charges)
        settled = {"fetch_id": claim.fetch_id, "moment": moment}
        connection.execute(
            _SETTLE_ALLOCATIONS, settled | _allocation_parameters(claim, outcome.state, allocations, charges)
        )
        if outcome.state.conclusive:
            _mark_scraped(connection, claim, outcome, moment)
        settle_initial_fetch(connection, claim.fetch_id, outcome.state, outcome.reason)
        finished = settled | _attempt_parameters(claim, outcome)
        videos_new = connection.cursor(row_factory=scalar_row).execute(_FINISH_ATTEMPT, finished)
        connection.execute(_FINISH_FETCH, finished)
    added = {
        allocation.organization_id: charges[allocation.organization_id] - allocation.charged
        for allocation in allocations
    }
    return SettledFetch(videos_new.fetchall()[0], added)


def _lock(connection: Connection, pipeline: Pipeline, claim: Claim) -> tuple[datetime, list[_LockedCharge]]:
    parameters = {"fetch_id": claim.fetch_id, "attempt_id": claim.attempt_id}
    connection.execute(LOCK_USAGE, parameters)
    fetch = connection.cursor(row_factory=scalar_row).execute(_LOCK_FETCH, parameters)
    allocations = connection.cursor(row_factory=class_row(_LockedCharge)).execute(_ALLOCATIONS, parameters)
    pipeline.sync()
    moments: list[datetime] = fetch.fetchall()
    if not moments:
        raise StaleClaimError(
            f"Attempt {claim.attempt_id} of fetch {claim.fetch_id} saved nothing: a newer attempt has taken over the "
            "fetch, or the lease of this attempt expired. The newer attempt or the next run fetches the blogger."
        )
    return moments[0], allocations.fetchall()


def _charges(claim: Claim, allocations: Sequence[_LockedCharge], returned: int) -> dict[UUID, int]:
    claimed = {allocation.organization_id: allocation.videos for allocation in claim.allocations}
    return {
        allocation.organization_id: charge_after(
            allocation.charged, claimed.get(allocation.organization_id, 0), returned
        )
        for allocation in allocations
    }


def _allocation_parameters(
    claim: Claim, state: FetchState, allocations: Sequence[_LockedCharge], charges: dict[UUID, int]
) -> dict[str, Any]:
    decisions = {claimed.organization_id: claimed.decision for claimed in claim.allocations if state.conclusive}
    return {
        "organizations": [allocation.organization_id for allocation in allocations],
        "charged": [charges[allocation.organization_id] for allocation in allocations],
        "decisions": [decisions.get(allocation.organization_id) for allocation in allocations],
        "added": [charges[allocation.organization_id] - allocation.charged for allocation in allocations],
        "released": [allocation.reserved for allocation in allocations],
    }


_ACCOUNT_STATES = {FetchState.PRIVATE: "private", FetchState.NOT_FOUND: "not_found"}


def _mark_scraped(connection: Connection, claim: Claim, outcome: FetchOutcome, moment: datetime) -> None:
    connection.execute(
        _MARK_ACCOUNTS,
        {"moment": moment, "tracked_accounts": [claimed.tracked_account_id for claimed in claim.allocations]},
    )
    connection.execute(
        _MARK_BLOGGER,
        {
            "moment": moment,
            "blogger_id": claim.blogger_id,
            "account_state": _ACCOUNT_STATES.get(outcome.state, "active"),
            "sec_id": outcome.sec_id,
        },
    )


def _attempt_parameters(claim: Claim, outcome: FetchOutcome) -> dict[str, Any]:
    return {
        "attempt_id": claim.attempt_id,
        "platform": claim.account.platform,
        "state": outcome.state,
        "conclusive": outcome.state.conclusive,
        "error_kind": outcome.error.kind if outcome.error else None,
        "reason": outcome.reason,
        "pages": outcome.pages,
        "returned": len(outcome.videos),
        "skipped": Jsonb(outcome.skipped),
        "ids": [video.external_video_id for video in outcome.videos],
    }
