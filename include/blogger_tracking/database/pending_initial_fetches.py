"""Pending initial fetches: the entries of a transactional outbox in `tracked_accounts`.

An entry is made pending when a blogger is added, dispatched to Airflow, assigned to the run that executes it, released
if that run cannot do it, and closed by the transaction that saves a conclusive outcome, or if no run can do it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg import Connection

from blogger_tracking.database.rows import fetch_all, fetch_one, fetch_optional
from blogger_tracking.database.run_plans import RunScope
from blogger_tracking.domain.initial_fetch import (
    INITIAL_FETCH_DAG_ID,
    InitialFetchMessage,
    MessageMismatchError,
    PendingInitialFetch,
    initial_dag_run_id,
)
from blogger_tracking.domain.ledger import FetchState
from blogger_tracking.domain.planning import TrackedAccount


@dataclass(frozen=True, slots=True)
class InitialFetchDispatch:
    """Content of the message to the run of a tracked account's initial fetch, with the state of that fetch.

    `user_id` is a current member of the organization; None if the organization has no members. `owner_id` and
    `owner_dag_run_id` are the run that the initial fetch is assigned to.
    """

    tracking_id: UUID
    organization_id: UUID
    user_id: UUID | None
    blogger_id: UUID
    platform: str
    external_id: str
    sec_id: str | None
    videos_count: int
    pending: bool
    attempt: int
    owner_id: int | None
    owner_dag_run_id: str | None

    @property
    def dag_run_id(self) -> str:
        """The DAG run that the initial fetch is assigned to, or else the one to trigger for it."""
        return self.owner_dag_run_id or initial_dag_run_id(self.tracking_id, self.attempt)


@dataclass(frozen=True, slots=True)
class _AddressedAccount:
    tracking_id: UUID
    platform: str
    external_id: str
    sec_id: str | None
    user_is_member: bool


_REOPEN = """
update blogger_tracking.tracked_accounts
set
    pending_initial_fetch = true,
    initial_fetch_run_id = null,
    initial_fetch_attempt = initial_fetch_attempt + 1,
    initial_fetch_reason = null
where id = %(tracking_id)s and not pending_initial_fetch and not initial_videos_fetched
"""

_ADDRESSED = """
select
    tracked_accounts.id as tracking_id,
    blogger_information.platform,
    blogger_information.external_id,
    blogger_information.sec_id,
    exists (
        select
        from blogger_tracking.organization_members
        where organization_members.organization_id = tracked_accounts.organization_id
          and organization_members.user_id = %(user_id)s
    ) as user_is_member
from blogger_tracking.tracked_accounts
join blogger_tracking.blogger_information on blogger_information.id = tracked_accounts.blogger_id
where tracked_accounts.organization_id = %(organization_id)s and tracked_accounts.blogger_id = %(blogger_id)s
"""

_LOCK_INITIAL_FETCH = """
select
    tracked_accounts.pending_initial_fetch as pending,
    tracked_accounts.initial_videos_fetched as fetched,
    tracked_accounts.initial_fetch_attempt as attempt,
    tracked_accounts.initial_fetch_run_id as owner_id,
    coalesce(least(owner.ended_at, owner.expires_at) <= %(moment)s, false) as owner_over,
    owner.dag_run_id as owner_dag_run_id
from blogger_tracking.tracked_accounts
left join blogger_tracking.runs as owner on owner.id = tracked_accounts.initial_fetch_run_id
where tracked_accounts.id = %(tracking_id)s
for no key update of tracked_accounts
"""

_ASSIGN = """
update blogger_tracking.tracked_accounts
set pending_initial_fetch = true, initial_fetch_run_id = %(run_id)s, initial_fetch_reason = null
where id = %(tracking_id)s and not initial_videos_fetched
"""

_RELEASE = """
update blogger_tracking.tracked_accounts
set pending_initial_fetch = true, initial_fetch_run_id = null, initial_fetch_reason = %(reason)s
where id = %(tracking_id)s and not initial_videos_fetched
"""

# A conclusive fetch closes the pending initial fetch, even if the initial fetch was assigned to another run meanwhile.
_SETTLE = """
update blogger_tracking.tracked_accounts
set
    pending_initial_fetch = not %(conclusive)s,
    initial_videos_fetched = %(fetched)s,
    initial_fetch_reason = %(reason)s
from blogger_tracking.fetches
join blogger_tracking.runs on runs.id = fetches.run_id
join blogger_tracking.fetch_allocations on fetch_allocations.fetch_id = fetches.id
where fetches.id = %(fetch_id)s
  and runs.dag_id = %(dag_id)s
  and tracked_accounts.id = fetch_allocations.tracked_account_id
  and tracked_accounts.pending_initial_fetch
"""

_NEXT_ATTEMPT = """
update blogger_tracking.tracked_accounts
set initial_fetch_attempt = initial_fetch_attempt + 1, initial_fetch_run_id = null
where id = %(tracking_id)s
  and pending_initial_fetch
  and initial_fetch_attempt = %(attempt)s
  and initial_fetch_run_id is not distinct from %(owner_id)s
"""

_CLOSE = """
update blogger_tracking.tracked_accounts
set pending_initial_fetch = false, initial_fetch_reason = %(reason)s
where id = %(tracking_id)s
  and pending_initial_fetch
  and initial_fetch_attempt = %(attempt)s
  and initial_fetch_run_id is not distinct from %(owner_id)s
"""

# The user is the one who added the account, or, after that user has left, the member with the highest role.
_DISPATCH = """
select
    tracked_accounts.id as tracking_id,
    tracked_accounts.organization_id,
    (
        select organization_members.user_id
        from blogger_tracking.organization_members
        where organization_members.organization_id = tracked_accounts.organization_id
        order by
            organization_members.user_id is not distinct from tracked_accounts.user_id desc,
            array_position(array['owner', 'admin', 'member', 'viewer'], organization_members.role),
            organization_members.user_id
        limit 1
    ) as user_id,
    tracked_accounts.blogger_id,
    blogger_information.platform,
    blogger_information.external_id,
    blogger_information.sec_id,
    organizations.initial_videos_count as videos_count,
    tracked_accounts.pending_initial_fetch as pending,
    tracked_accounts.initial_fetch_attempt as attempt,
    tracked_accounts.initial_fetch_run_id as owner_id,
    owner.dag_run_id as owner_dag_run_id
from blogger_tracking.tracked_accounts
join blogger_tracking.organizations on organizations.id = tracked_accounts.organization_id
join blogger_tracking.blogger_information on blogger_information.id = tracked_accounts.blogger_id
left join blogger_tracking.runs as owner on owner.id = tracked_accounts.initial_fetch_run_id
where tracked_accounts.id = %(tracking_id)s
"""

_ACCOUNTS_WITH_PENDING_INITIAL_FETCH = """
select
    tracked_accounts.id as tracking_id,
    tracked_accounts.organization_id,
    tracked_accounts.blogger_id,
    blogger_information.platform,
    blogger_information.external_id,
    blogger_information.username,
    organizations.initial_videos_count as videos_count,
    tracked_accounts.is_active,
    false as pending_initial_fetch,
    null::timestamptz as last_attempt_at
from blogger_tracking.tracked_accounts
join blogger_tracking.organizations on organizations.id = tracked_accounts.organization_id
join blogger_tracking.blogger_information on blogger_information.id = tracked_accounts.blogger_id
where tracked_accounts.pending_initial_fetch
  and tracked_accounts.is_active
  and (%(organizations)s::uuid[] is null or tracked_accounts.organization_id = any(%(organizations)s))
  and (%(platforms)s::text[] is null or blogger_information.platform = any(%(platforms)s))
  and (%(bloggers)s::uuid[] is null or tracked_accounts.blogger_id = any(%(bloggers)s))
"""


def reopen_initial_fetch(connection: Connection, tracking_id: UUID) -> bool:
    """Make an initial fetch that ended without videos pending again, as the next attempt.

    Return False, and change nothing, if the initial fetch is pending or has succeeded.
    """
    return connection.execute(_REOPEN, {"tracking_id": tracking_id}).rowcount > 0


def find_addressed_account(connection: Connection, message: InitialFetchMessage) -> UUID:
    """Return the tracked account that a message is for.

    Raises MessageMismatchError, with the mismatch in its text, if the message contradicts the database.
    """
    parameters = {
        "organization_id": message.organization_id,
        "blogger_id": message.blogger_id,
        "user_id": message.user_id,
    }
    addressed = fetch_optional(connection, _AddressedAccount, _ADDRESSED, parameters)
    if addressed is None:
        raise MessageMismatchError("This organization does not track this blogger: nothing was fetched.")
    _require_same_blogger(message, addressed)
    return addressed.tracking_id


def lock_initial_fetch(connection: Connection, tracking_id: UUID, moment: datetime) -> PendingInitialFetch:
    """Return the state of an initial fetch, locked until the transaction ends."""
    parameters = {"tracking_id": tracking_id, "moment": moment}
    return fetch_one(connection, PendingInitialFetch, _LOCK_INITIAL_FETCH, parameters)


def assign_initial_fetch(connection: Connection, tracking_id: UUID, run_id: int) -> None:
    """Assign the pending initial fetch to this run; create it if the DAG was triggered directly over REST."""
    connection.execute(_ASSIGN, {"tracking_id": tracking_id, "run_id": run_id})


def release_initial_fetch(connection: Connection, tracking_id: UUID, reason: str) -> None:
    """Release the pending initial fetch, so that another run may do it; save the reason for the release."""
    connection.execute(_RELEASE, {"tracking_id": tracking_id, "reason": reason})


def settle_initial_fetch(connection: Connection, fetch_id: int, state: FetchState, reason: str | None) -> None:
    """Close the pending initial fetch after a conclusive outcome; after a failure save the reason and keep it pending.

    Part of the settling transaction. Changes nothing for a fetch of another DAG.
    """
    inaccessible = state in {FetchState.PRIVATE, FetchState.NOT_FOUND}
    connection.execute(
        _SETTLE,
        {
            "fetch_id": fetch_id,
            "dag_id": INITIAL_FETCH_DAG_ID,
            "conclusive": state.conclusive,
            "fetched": state.conclusive and not inaccessible,
            "reason": reason or (state.value if inaccessible else None),
        },
    )


def read_initial_fetch_dispatch(connection: Connection, tracking_id: UUID) -> InitialFetchDispatch | None:
    """Return the content of the message for a tracked account's initial fetch, and the state of that fetch.

    None: the tracked account was deleted.
    """
    return fetch_optional(connection, InitialFetchDispatch, _DISPATCH, {"tracking_id": tracking_id})


def begin_next_attempt(connection: Connection, dispatch: InitialFetchDispatch) -> bool:
    """Begin the next attempt of a pending initial fetch whose run is over.

    Return False, and change nothing, if a concurrent caller has begun that attempt, or assigned or closed the initial
    fetch.
    """
    parameters = {"tracking_id": dispatch.tracking_id, "attempt": dispatch.attempt, "owner_id": dispatch.owner_id}
    return connection.execute(_NEXT_ATTEMPT, parameters).rowcount > 0


def close_initial_fetch(connection: Connection, dispatch: InitialFetchDispatch, reason: str) -> bool:
    """Close a pending initial fetch that no run can do, with the reason: from now on the batch fetches the account.

    Return False, and change nothing, if a concurrent caller has begun the next attempt or assigned the initial fetch.
    """
    parameters = {
        "tracking_id": dispatch.tracking_id,
        "attempt": dispatch.attempt,
        "owner_id": dispatch.owner_id,
        "reason": reason,
    }
    return connection.execute(_CLOSE, parameters).rowcount > 0


def read_accounts_with_pending_initial_fetch(connection: Connection, scope: RunScope) -> list[TrackedAccount]:
    """Return the active accounts in scope with a pending initial fetch.

    The accounts are input for the planner, which skips accounts with a pending initial fetch; therefore each account
    has `pending_initial_fetch` False.
    """
    return fetch_all(connection, TrackedAccount, _ACCOUNTS_WITH_PENDING_INITIAL_FETCH, scope.parameters())


def _require_same_blogger(message: InitialFetchMessage, addressed: _AddressedAccount) -> None:
    if message.platform != addressed.platform:
        raise MessageMismatchError(
            f"platform is {message.platform}, but this blogger is on {addressed.platform}: nothing was fetched."
        )
    if message.external_id != addressed.external_id:
        raise MessageMismatchError("externalId is not this blogger's: nothing was fetched.")
    if message.sec_uid is not None and addressed.sec_id is not None and message.sec_uid != addressed.sec_id:
        raise MessageMismatchError("secUid is not this blogger's: nothing was fetched.")
    if not addressed.user_is_member:
        raise MessageMismatchError("userId is not a member of the organization: nothing was fetched.")
