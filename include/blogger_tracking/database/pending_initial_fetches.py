"""The wish for an initial fetch in the database: opened, taken by a run, given back, handed over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

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
    """What a run for an open wish has to be told. `user_id` is somebody who belongs to the organization now."""

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
    def run_id(self) -> str:
        """The DAG run that has the wish, or the one that is to have it."""
        return self.owner_dag_run_id or initial_dag_run_id(self.tracking_id, self.attempt)


@dataclass(frozen=True, slots=True)
class _Addressed:
    tracking_id: UUID
    platform: str
    external_id: str
    sec_id: str | None
    user_is_member: bool


_REOPEN = """
update tracked_accounts
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
        from organization_members
        where organization_members.organization_id = tracked_accounts.organization_id
          and organization_members.user_id = %(user_id)s
    ) as user_is_member
from tracked_accounts
join blogger_information on blogger_information.id = tracked_accounts.blogger_id
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
from tracked_accounts
left join runs as owner on owner.id = tracked_accounts.initial_fetch_run_id
where tracked_accounts.id = %(tracking_id)s
for no key update of tracked_accounts
"""

_TAKE = """
update tracked_accounts
set pending_initial_fetch = true, initial_fetch_run_id = %(run_id)s, initial_fetch_reason = null
where id = %(tracking_id)s and not initial_videos_fetched
"""

_GIVE_BACK = """
update tracked_accounts
set pending_initial_fetch = true, initial_fetch_run_id = null, initial_fetch_reason = %(reason)s
where id = %(tracking_id)s and not initial_videos_fetched
"""

# Any run of the initial fetch that got an answer closes the wish, also one that lost it to another run meanwhile.
_SETTLE = """
update tracked_accounts
set
    pending_initial_fetch = not %(conclusive)s,
    initial_videos_fetched = %(fetched)s,
    initial_fetch_reason = %(reason)s
from fetches
join runs on runs.id = fetches.run_id
join fetch_allocations on fetch_allocations.fetch_id = fetches.id
where fetches.id = %(fetch_id)s
  and runs.dag_id = %(dag_id)s
  and tracked_accounts.id = fetch_allocations.tracked_account_id
  and tracked_accounts.pending_initial_fetch
"""

_NEXT_ATTEMPT = """
update tracked_accounts
set initial_fetch_attempt = initial_fetch_attempt + 1, initial_fetch_run_id = null
where id = %(tracking_id)s
  and pending_initial_fetch
  and initial_fetch_attempt = %(attempt)s
  and initial_fetch_run_id is not distinct from %(owner_id)s
"""

# Whoever added the account may have left; then the message speaks for the member with most to say.
_DISPATCH = """
select
    tracked_accounts.id as tracking_id,
    tracked_accounts.organization_id,
    (
        select organization_members.user_id
        from organization_members
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
from tracked_accounts
join organizations on organizations.id = tracked_accounts.organization_id
join blogger_information on blogger_information.id = tracked_accounts.blogger_id
left join runs as owner on owner.id = tracked_accounts.initial_fetch_run_id
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
from tracked_accounts
join organizations on organizations.id = tracked_accounts.organization_id
join blogger_information on blogger_information.id = tracked_accounts.blogger_id
where tracked_accounts.pending_initial_fetch
  and tracked_accounts.is_active
  and (%(organizations)s::uuid[] is null or tracked_accounts.organization_id = any(%(organizations)s))
  and (%(platforms)s::text[] is null or blogger_information.platform = any(%(platforms)s))
  and (%(bloggers)s::uuid[] is null or tracked_accounts.blogger_id = any(%(bloggers)s))
"""


def reopen_initial_fetch(connection: Connection, tracking_id: UUID) -> None:
    """Wish again for an initial fetch that ended without videos. An open wish and a granted one stay as they are."""
    connection.execute(_REOPEN, {"tracking_id": tracking_id})


def find_addressed_account(connection: Connection, message: InitialFetchMessage) -> UUID:
    """The tracked account that a message is for. Raises MessageMismatchError, in plain words."""
    parameters = {
        "organization_id": message.organization_id,
        "blogger_id": message.blogger_id,
        "user_id": message.user_id,
    }
    addressed = connection.cursor(row_factory=class_row(_Addressed)).execute(_ADDRESSED, parameters).fetchone()
    if addressed is None:
        raise MessageMismatchError("This organization does not track this blogger: nothing was fetched.")
    _require_same_blogger(message, addressed)
    return addressed.tracking_id


def lock_initial_fetch(connection: Connection, tracking_id: UUID, moment: datetime) -> PendingInitialFetch:
    """The state of the wish, held until the transaction ends."""
    parameters = {"tracking_id": tracking_id, "moment": moment}
    return (
        connection
        .cursor(row_factory=class_row(PendingInitialFetch))
        .execute(_LOCK_INITIAL_FETCH, parameters)
        .fetchall()[0]
    )


def assign_initial_fetch(connection: Connection, tracking_id: UUID, run_id: int) -> None:
    """Make a ledger run the owner of the wish; a message without a wish is one itself."""
    connection.execute(_TAKE, {"tracking_id": tracking_id, "run_id": run_id})


def release_initial_fetch(connection: Connection, tracking_id: UUID, reason: str) -> None:
    """Keep the wish open for another run, and say why this one could not do it."""
    connection.execute(_GIVE_BACK, {"tracking_id": tracking_id, "reason": reason})


def settle_initial_fetch(connection: Connection, fetch_id: int, state: FetchState, reason: str | None) -> None:
    """Close the wish that an initial fetch has answered; a failure keeps it open and says why.

    Part of the settling transaction; changes nothing for a fetch of any other DAG.
    """
    gone = state in {FetchState.PRIVATE, FetchState.NOT_FOUND}
    connection.execute(
        _SETTLE,
        {
            "fetch_id": fetch_id,
            "dag_id": INITIAL_FETCH_DAG_ID,
            "conclusive": state.conclusive,
            "fetched": state.conclusive and not gone,
            "reason": reason or (state.value if gone else None),
        },
    )


def read_initial_fetch_dispatch(connection: Connection, tracking_id: UUID) -> InitialFetchDispatch:
    """What a run for this wish has to be told."""
    cursor = connection.cursor(row_factory=class_row(InitialFetchDispatch))
    return cursor.execute(_DISPATCH, {"tracking_id": tracking_id}).fetchall()[0]


def begin_next_attempt(connection: Connection, wish: InitialFetchDispatch) -> None:
    """Count the next attempt of an open wish whose run is over, unless somebody else has done so already."""
    parameters = {"tracking_id": wish.tracking_id, "attempt": wish.attempt, "owner_id": wish.owner_id}
    connection.execute(_NEXT_ATTEMPT, parameters)


def read_accounts_with_pending_initial_fetch(connection: Connection, scope: RunScope) -> list[TrackedAccount]:
    """The active accounts in scope that wish for their initial fetch, as planning would see them without the wish."""
    cursor = connection.cursor(row_factory=class_row(TrackedAccount))
    return cursor.execute(_ACCOUNTS_WITH_PENDING_INITIAL_FETCH, scope.parameters()).fetchall()


def _require_same_blogger(message: InitialFetchMessage, addressed: _Addressed) -> None:
    if message.platform != addressed.platform:
        raise MessageMismatchError(
            f"The message says {message.platform}, but this blogger is on {addressed.platform}: nothing was fetched."
        )
    if message.external_id != addressed.external_id:
        raise MessageMismatchError("externalId is not this blogger's: nothing was fetched.")
    if message.sec_uid is not None and addressed.sec_id is not None and message.sec_uid != addressed.sec_id:
        raise MessageMismatchError("secUid is not this blogger's: nothing was fetched.")
    if not addressed.user_is_member:
        raise MessageMismatchError("userId is not a member of the organization: nothing was fetched.")
