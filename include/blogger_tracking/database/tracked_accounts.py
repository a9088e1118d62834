"""Queries and changes of a single tracked account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg import Connection

from blogger_tracking.database.connections import bounded_transaction
from blogger_tracking.database.organizations import lock_organization, require_room
from blogger_tracking.database.rows import fetch_optional, fetch_values
from blogger_tracking.domain.initial_fetch import InitialFetchState, initial_dag_run_id
from blogger_tracking.domain.request_errors import TrackedAccountNotFoundError


@dataclass(frozen=True, slots=True)
class TrackedBlogger:
    """A tracked account with its blogger, its initial fetch, its last fetch and the number of videos saved."""

    tracking_id: UUID
    organization_id: UUID
    blogger_id: UUID
    platform: str
    username: str
    external_id: str
    sec_id: str | None
    channel_name: str | None
    subscribers: int | None
    thumbnail_url: str | None
    account_state: str
    account_state_since: datetime
    account_state_reason: str | None
    former_username: str | None
    renamed_at: datetime | None
    is_active: bool
    daily_videos_count: int
    last_scraped_at: datetime | None
    pending_initial_fetch: bool
    initial_videos_fetched: bool
    initial_fetch_attempt: int
    initial_fetch_reason: str | None
    initial_fetch_dag_run_id: str | None
    last_fetch_state: str | None
    last_fetch_reason: str | None
    last_fetch_at: datetime | None
    videos_saved: int

    @property
    def initial_fetch_state(self) -> InitialFetchState:
        """State of the initial fetch."""
        if self.initial_videos_fetched:
            return InitialFetchState.FETCHED
        if self.pending_initial_fetch:
            return InitialFetchState.STARTED if self.initial_fetch_dag_run_id else InitialFetchState.WAITING
        return InitialFetchState.ENDED if self.initial_fetch_reason else InitialFetchState.NONE

    @property
    def dag_run_id(self) -> str | None:
        """The DAG run that the initial fetch is assigned to, or else the one that will be triggered for it."""
        if self.initial_fetch_dag_run_id or not self.pending_initial_fetch:
            return self.initial_fetch_dag_run_id
        return initial_dag_run_id(self.tracking_id, self.initial_fetch_attempt)


_READ = """
select
    tracked_accounts.id as tracking_id,
    tracked_accounts.organization_id,
    tracked_accounts.blogger_id,
    blogger_information.platform,
    blogger_information.username,
    blogger_information.external_id,
    blogger_information.sec_id,
    blogger_information.channel_name,
    blogger_information.subscribers,
    blogger_information.thumbnail_url,
    blogger_information.account_state,
    blogger_information.account_state_since,
    blogger_information.account_state_reason,
    last_rename.old_username as former_username,
    last_rename.since as renamed_at,
    tracked_accounts.is_active,
    coalesce(tracked_accounts.daily_videos_count, organizations.daily_videos_count) as daily_videos_count,
    tracked_accounts.last_scraped_at,
    tracked_accounts.pending_initial_fetch,
    tracked_accounts.initial_videos_fetched,
    tracked_accounts.initial_fetch_attempt,
    tracked_accounts.initial_fetch_reason,
    owner.dag_run_id as initial_fetch_dag_run_id,
    last_fetch.state as last_fetch_state,
    last_fetch.reason as last_fetch_reason,
    last_fetch.claimed_at as last_fetch_at,
    (
        select count(*)
        from blogger_tracking.organization_videos
        join blogger_tracking.videos on videos.id = organization_videos.video_id
        where videos.blogger_id = tracked_accounts.blogger_id
          and organization_videos.organization_id = tracked_accounts.organization_id
    ) as videos_saved
from blogger_tracking.tracked_accounts
join blogger_tracking.organizations on organizations.id = tracked_accounts.organization_id
join blogger_tracking.blogger_information on blogger_information.id = tracked_accounts.blogger_id
left join blogger_tracking.runs as owner on owner.id = tracked_accounts.initial_fetch_run_id
left join lateral (
    select account_state_changes.old_username, account_state_changes.since
    from blogger_tracking.account_state_changes
    where account_state_changes.blogger_id = tracked_accounts.blogger_id and account_state_changes.state = 'renamed'
    order by account_state_changes.id desc
    limit 1
) as last_rename on true
left join lateral (
    select fetches.state, coalesce(fetch_allocations.reason, fetches.reason) as reason, fetches.claimed_at
    from blogger_tracking.fetch_allocations
    join blogger_tracking.fetches on fetches.id = fetch_allocations.fetch_id
    where fetch_allocations.tracked_account_id = tracked_accounts.id
    order by fetches.id desc
    limit 1
) as last_fetch on true
where tracked_accounts.id = %(tracking_id)s
"""

_ORGANIZATION = "select organization_id from blogger_tracking.tracked_accounts where id = %(tracking_id)s"

_LOCK = "select is_active from blogger_tracking.tracked_accounts where id = %(tracking_id)s for no key update"

_CHANGE = """
update blogger_tracking.tracked_accounts
set
    is_active = coalesce(%(is_active)s, is_active),
    daily_videos_count = case
        when %(sets_daily_videos_count)s then %(daily_videos_count)s
        else daily_videos_count
    end
where id = %(tracking_id)s
"""


@dataclass(frozen=True, slots=True)
class Change:
    """New values for a tracked account. `is_active` None leaves the account as it is.

    `daily_videos_count` is only written if `sets_daily_videos_count` is True; None then stands for the organization's
    count.
    """

    is_active: bool | None = None
    sets_daily_videos_count: bool = False
    daily_videos_count: int | None = None


def read_tracked_blogger(connection: Connection, tracking_id: UUID) -> TrackedBlogger:
    """Return a tracked account. Raises TrackedAccountNotFoundError."""
    account = fetch_optional(connection, TrackedBlogger, _READ, {"tracking_id": tracking_id})
    if account is None:
        raise _not_found()
    return account


def read_organization_of(connection: Connection, tracking_id: UUID) -> UUID:
    """Return the organization of a tracked account. Raises TrackedAccountNotFoundError."""
    organizations: list[UUID] = fetch_values(connection, _ORGANIZATION, {"tracking_id": tracking_id})
    if not organizations:
        raise _not_found()
    return organizations[0]


def change_tracked_account(connection: Connection, organization_id: UUID, tracking_id: UUID, change: Change) -> None:
    """Change a tracked account. A paused account can only be made active within the blogger limit.

    Raises TrackedAccountNotFoundError, NoActiveSubscriptionError, BloggerLimitReachedError.
    """
    parameters = {"tracking_id": tracking_id}
    with bounded_transaction(connection):
        lock_organization(connection, organization_id)
        was_active = fetch_values(connection, _LOCK, parameters)
        if not was_active:
            raise _not_found()
        if change.is_active and not was_active[0]:
            require_room(connection, organization_id)
        connection.execute(
            _CHANGE,
            {
                "tracking_id": tracking_id,
                "is_active": change.is_active,
                "sets_daily_videos_count": change.sets_daily_videos_count,
                "daily_videos_count": change.daily_videos_count,
            },
        )


def _not_found() -> TrackedAccountNotFoundError:
    return TrackedAccountNotFoundError("There is no such tracked account.")
