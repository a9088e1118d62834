"""Settling a fetch in one transaction: save the videos and charge for them, or release the reservation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.errors import SerializationFailure
from psycopg.rows import TupleRow, scalar_row
from psycopg.types.json import Jsonb

from blogger_tracking.database.connections import pipelined_transaction
from blogger_tracking.database.fetch_claims import lock_usage_and_fetch
from blogger_tracking.database.pending_initial_fetches import settle_initial_fetch
from blogger_tracking.database.rows import fetch_values
from blogger_tracking.database.videos import save_videos
from blogger_tracking.domain.claims import Claim
from blogger_tracking.domain.errors import StaleClaimError
from blogger_tracking.domain.ledger import FetchState, RequestUse
from blogger_tracking.domain.models import CommonVideo, PostsHistory
from blogger_tracking.domain.platform_errors import PlatformError


@dataclass(frozen=True, slots=True)
class FetchOutcome:
    """Outcome of an attempt.

    `videos` are newest first; `sec_id` is set if this attempt looked up the secUid, `posts_history` if it read an
    Instagram account's posts completely, `username` if the list tells the account's name; `requests` counts the
    requests to the platform by purpose. `reason` is for operators and may quote the platform; without an `error` it
    describes a fault of the configuration.
    """

    state: FetchState
    videos: Sequence[CommonVideo] = ()
    pages: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    error: PlatformError | None = None
    reason: str | None = None
    sec_id: str | None = None
    posts_history: PostsHistory | None = None
    username: str | None = None
    requests: Mapping[RequestUse, int] = field(default_factory=dict)

    @property
    def explanation(self) -> str | None:
        """The reason in a sentence for the members of the organizations, who are told no details of this system."""
        if self.error is not None:
            return self.error.explanation
        return None if self.reason is None else "The access to this platform is not set up."


@dataclass(frozen=True, slots=True)
class SettledFetch:
    """Changes made by settling a fetch: the number of new videos, and the charge added to each organization.

    `charged` lacks the organizations that were deleted after the claim.
    """

    videos_new: int
    charged: dict[UUID, int]


# Keeps the fetch and its blogger until the end of the transaction: a removal passes over the locked fetch.
_KEEP_FETCH = "select from blogger_tracking.fetches where id = %(fetch_id)s for key share"

_REQUIRE_NEWEST_ATTEMPT = """
select
    blogger_tracking.require_unchanged(
        exists (
            select
            from blogger_tracking.fetches
            where id = %(fetch_id)s and current_attempt_id = %(attempt_id)s and state = 'running'
        )
    )
"""

# While an attempt is the newest one, no other transaction changes the reserved and charged numbers of its allocations.
# Allocations that the attempt has not claimed reserve nothing.
_SETTLE_ALLOCATIONS = """
with settled as (
    update blogger_tracking.fetch_allocations
    set
        charged = outcome.charged,
        charged_at = case
            when outcome.charged > fetch_allocations.charged then fetch_allocations.last_attempt_at
            else fetch_allocations.charged_at
        end,
        reserved = 0,
        decision = case when %(conclusive)s then outcome.decision else fetch_allocations.decision end,
        reason = case when not %(conclusive)s then fetch_allocations.reason end
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
returning usage.organization_id, changed.added
"""

_MARK_ACCOUNTS = """
update blogger_tracking.tracked_accounts set last_scraped_at = now() where id = any(%(tracked_accounts)s)
"""

# A state other than active is shown once two fetches in a row have seen it: one answer may be an error of the platform.
# A fetch that lists videos proves at once that the account is active. Attempts of one fetch are one sighting.
# A name in other capitals is no rename. The trigger `keep_account_state` writes the history.
_MARK_BLOGGER = """
update blogger_tracking.blogger_information
set
    account_state = case when seen.is_change then %(account_state)s else account_state end,
    account_state_since = case
        when not seen.is_change then account_state_since
        when %(account_state)s::text = 'active' then now()
        else sighted_at
    end,
    account_state_reason = case when seen.is_change then %(state_reason)s else account_state_reason end,
    account_state_fetch_id = case when seen.is_change then %(fetch_id)s else account_state_fetch_id end,
    sighted_state = case when seen.is_first then %(account_state)s end,
    sighted_at = case
        when not seen.is_first then null
        when sighted_state = %(account_state)s::text then sighted_at
        else now()
    end,
    sighted_fetch_id = case when seen.is_first then %(fetch_id)s::bigint end,
    username = case when lower(username) <> lower(%(username)s::text) then %(username)s else username end,
    sec_id = coalesce(%(sec_id)s, sec_id),
    posts_read_at = coalesce(%(posts_read_at)s, posts_read_at),
    newest_posts_only_at = coalesce(%(newest_posts_only_at)s, newest_posts_only_at),
    updated_at = now()
from (
    select id, differs and is_proven as is_change, differs and not is_proven as is_first
    from (
        select
            id,
            account_state <> %(account_state)s::text as differs,
            %(account_state)s::text = 'active'
            or (
                sighted_state is not distinct from %(account_state)s::text
                and sighted_fetch_id is distinct from %(fetch_id)s::bigint
            ) as is_proven
        from blogger_tracking.blogger_information
        where id = %(blogger_id)s
    ) as sighting
) as seen
where blogger_information.id = seen.id
  and (
      account_state <> %(account_state)s::text
      or sighted_state is not null
      or lower(username) <> lower(%(username)s::text)
      or sec_id is distinct from coalesce(%(sec_id)s, sec_id)
      or %(posts_read_at)s::timestamptz is not null
  )
"""

_FINISH_ATTEMPT = """
update blogger_tracking.fetch_attempts
set
    finished_at = now(),
    outcome = %(state)s,
    error_kind = %(error_kind)s,
    reason = %(reason)s,
    pages = %(pages)s,
    videos_returned = %(returned)s,
    entries_skipped = %(skipped)s,
    requests = %(requests)s,
    videos_new = (
        select count(*)
        from blogger_tracking.videos
        where platform = %(platform)s and external_video_id = any(%(ids)s) and first_seen_at = now()
    )
where id = %(attempt_id)s
returning videos_new
"""

# A conclusive attempt replaces an earlier one; an inconclusive attempt leaves state and reason to a conclusive one.
_FINISH_FETCH = """
update blogger_tracking.fetches
set
    state = case when %(conclusive)s then %(state)s else coalesce(conclusive_state, %(state)s) end,
    reason = case when %(conclusive)s or conclusive_state is null then %(explanation)s else reason end,
    conclusive_state = case when %(conclusive)s then %(state)s else conclusive_state end,
    conclusive_attempt_id = case when %(conclusive)s then %(attempt_id)s else conclusive_attempt_id end,
    lease_expires_at = null
where id = %(fetch_id)s
"""


_SETTLED_ATTEMPT = """
select videos_new
from blogger_tracking.fetch_attempts
where id = %(attempt_id)s and outcome = %(state)s
"""

_CHARGES = "select organization_id, charged from blogger_tracking.fetch_allocations where fetch_id = %(fetch_id)s"

_RECORD_REQUESTS = "update blogger_tracking.fetch_attempts set requests = %(requests)s where id = %(attempt_id)s"


def settle_fetch(connection: Connection, claim: Claim, outcome: FetchOutcome) -> SettledFetch:
    """Save an outcome: videos, links, statistics, queue messages, charges, `last_scraped_at`, and the fetch's state.

    One round trip; the videos are written before the usage of the organizations is locked, so that the fetches of one
    organization wait for each other only while the charges are written. All times are that of the transaction.

    Raises StaleClaimError, having changed nothing, if a newer attempt has taken over the fetch or the fetch was
    released.
    """
    try:
        with pipelined_transaction(connection):
            _save_videos(connection, claim, outcome)
            videos_new, charged = _settle(connection, claim, outcome)
    except SerializationFailure:
        raise StaleClaimError(
            f"Attempt {claim.attempt_id} of fetch {claim.fetch_id} saved nothing: a newer attempt has taken over the "
            "fetch, the lease of this attempt expired, or the blogger was removed. The newer attempt or the next run "
            "fetches a blogger who is still tracked."
        ) from None
    return SettledFetch(videos_new.fetchall()[0], dict(charged.fetchall()))


def require_newest_attempt(connection: Connection, claim: Claim) -> None:
    """Raise StaleClaimError if this attempt may no longer save, because its fetch was released or claimed again."""
    try:
        connection.execute(_REQUIRE_NEWEST_ATTEMPT, {"fetch_id": claim.fetch_id, "attempt_id": claim.attempt_id})
    except SerializationFailure:
        raise StaleClaimError(
            f"Attempt {claim.attempt_id} of fetch {claim.fetch_id} asks the platform for nothing more: its run was "
            "ended, or a newer attempt has taken over the fetch."
        ) from None


def find_settlement(connection: Connection, claim: Claim, outcome: FetchOutcome) -> SettledFetch | None:
    """Return what an earlier `settle_fetch` with these arguments has saved, or None if it saved nothing."""
    found = fetch_values(connection, _SETTLED_ATTEMPT, {"attempt_id": claim.attempt_id, "state": outcome.state})
    if not found:
        return None
    charges: dict[UUID, int] = dict(connection.execute(_CHARGES, {"fetch_id": claim.fetch_id}).fetchall())
    return SettledFetch(
        found[0],
        {
            allocation.organization_id: charges[allocation.organization_id] - allocation.charged
            for allocation in claim.allocations
            if allocation.organization_id in charges
        },
    )


def record_requests(connection: Connection, attempt_id: int, requests: Mapping[RequestUse, int]) -> None:
    """Record the requests of an attempt that may not settle its fetch; the requests were sent and cost all the same."""
    connection.execute(_RECORD_REQUESTS, {"attempt_id": attempt_id, "requests": Jsonb(dict(requests))})


def _save_videos(connection: Connection, claim: Claim, outcome: FetchOutcome) -> None:
    if outcome.videos:
        # Before anything is written that refers to the fetch or to its blogger, in case the blogger was removed.
        parameters = {"fetch_id": claim.fetch_id, "attempt_id": claim.attempt_id}
        connection.execute(_KEEP_FETCH, parameters)
        connection.execute(_REQUIRE_NEWEST_ATTEMPT, parameters)
        save_videos(connection, claim, outcome.videos)


def _settle(connection: Connection, claim: Claim, outcome: FetchOutcome) -> tuple[Cursor[int], Cursor[TupleRow]]:
    lock_usage_and_fetch(connection, claim.fetch_id)
    parameters = _attempt_parameters(claim, outcome)
    connection.execute(_REQUIRE_NEWEST_ATTEMPT, parameters)
    charged = connection.execute(_SETTLE_ALLOCATIONS, parameters | _allocation_parameters(claim, outcome))
    if outcome.state.conclusive:
        _mark_scraped(connection, claim, outcome)
    settle_initial_fetch(connection, claim.fetch_id, outcome.state, outcome.explanation)
    videos_new = connection.cursor(row_factory=scalar_row).execute(_FINISH_ATTEMPT, parameters)
    connection.execute(_FINISH_FETCH, parameters)
    return videos_new, charged


def _allocation_parameters(claim: Claim, outcome: FetchOutcome) -> dict[str, Any]:
    charged = [allocation.charge_for(len(outcome.videos)) for allocation in claim.allocations]
    return {
        "organizations": [allocation.organization_id for allocation in claim.allocations],
        "charged": charged,
        "decisions": [allocation.decision for allocation in claim.allocations],
        "added": [after - before.charged for after, before in zip(charged, claim.allocations, strict=True)],
        "released": [allocation.reserved for allocation in claim.allocations],
    }


_ACCOUNT_STATES = {FetchState.PRIVATE: "private", FetchState.NOT_FOUND: "not_found", FetchState.EMPTY: "empty"}

_STATE_REASONS = {
    "active": "The platform lists this account's videos.",
    "private": "This account is private.",
    "not_found": "The platform knows no such account.",
    "empty": "This account has no videos.",
}
"""Reasons of the account states, in sentences for members."""


def _mark_scraped(connection: Connection, claim: Claim, outcome: FetchOutcome) -> None:
    connection.execute(
        _MARK_ACCOUNTS,
        {"tracked_accounts": [claimed.tracked_account_id for claimed in claim.allocations]},
    )
    account_state = _ACCOUNT_STATES.get(outcome.state, "active")
    connection.execute(
        _MARK_BLOGGER,
        {
            "blogger_id": claim.blogger_id,
            "fetch_id": claim.fetch_id,
            "account_state": account_state,
            "state_reason": _STATE_REASONS[account_state],
            "username": outcome.username,
            "sec_id": outcome.sec_id,
            "posts_read_at": outcome.posts_history.read_at if outcome.posts_history else None,
            "newest_posts_only_at": outcome.posts_history.newest_posts_only_at if outcome.posts_history else None,
        },
    )


def _attempt_parameters(claim: Claim, outcome: FetchOutcome) -> dict[str, Any]:
    return {
        "fetch_id": claim.fetch_id,
        "attempt_id": claim.attempt_id,
        "platform": claim.account.platform,
        "state": outcome.state,
        "conclusive": outcome.state.conclusive,
        "error_kind": outcome.error.kind if outcome.error else None,
        "reason": outcome.reason,
        "explanation": outcome.explanation,
        "pages": outcome.pages,
        "returned": len(outcome.videos),
        "skipped": Jsonb(dict(outcome.skipped)),
        "requests": Jsonb(dict(outcome.requests)),
        "ids": [video.external_video_id for video in outcome.videos],
    }
