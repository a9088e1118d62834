"""Addition of a blogger to an organization.

One transaction saves the blogger, the tracked account with its pending initial fetch, the campaign and the tags.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from psycopg import Connection

from blogger_tracking.database.connections import bounded_transaction
from blogger_tracking.database.organizations import lock_organization, read_role, require_campaign, require_room
from blogger_tracking.database.pending_initial_fetches import reopen_initial_fetch
from blogger_tracking.database.rows import fetch_optional, fetch_value
from blogger_tracking.domain.models import BloggerProfile, Platform
from blogger_tracking.domain.request_errors import BloggerUnknownError, RoleNotAllowedError


class AdditionKind(StrEnum):
    """Result of an addition: a new tracked account, a paused one made active, or an active one left unchanged."""

    ADDED = "added"
    REACTIVATED = "reactivated"
    ALREADY_TRACKED = "already_tracked"


@dataclass(frozen=True, slots=True)
class AdditionRequest:
    """The user, the organization and the options of an addition. `daily_videos_count` None: the organization's.

    `by_operator`: an addition by staff, who are no users of the database. `user_id` then only identifies the holder of
    the look-up budget, and the account is saved without a user.
    """

    user_id: UUID
    organization_id: UUID
    campaign_id: UUID | None = None
    tags: Sequence[str] = ()
    daily_videos_count: int | None = None
    by_operator: bool = False


@dataclass(frozen=True, slots=True)
class AdditionResult:
    """The tracked account and the kind of the addition.

    `is_reopened`: an initial fetch that had ended without videos is pending again.
    """

    tracking_id: UUID
    kind: AdditionKind
    is_reopened: bool


@dataclass(frozen=True, slots=True)
class _TrackedAccount:
    tracking_id: UUID
    is_active: bool


_LOCK_BY_PROFILE = """
select tracked_accounts.id as tracking_id, tracked_accounts.is_active
from blogger_tracking.tracked_accounts
join blogger_tracking.blogger_information on blogger_information.id = tracked_accounts.blogger_id
where tracked_accounts.organization_id = %(organization_id)s
  and blogger_information.platform = %(platform)s
  and blogger_information.external_id = %(external_id)s
for no key update of tracked_accounts
"""

_LOCK_BY_BLOGGER = """
select id as tracking_id, is_active
from blogger_tracking.tracked_accounts
where organization_id = %(organization_id)s and blogger_id = %(blogger_id)s
for no key update
"""

_TRACKED_BY_NAME = """
select
from blogger_tracking.tracked_accounts
join blogger_tracking.blogger_information on blogger_information.id = tracked_accounts.blogger_id
where tracked_accounts.organization_id = %(organization_id)s
  and tracked_accounts.is_active
  and blogger_information.platform = %(platform)s
  and (
      lower(blogger_information.username) = lower(%(username)s)
      or blogger_information.external_id = %(username)s
  )
"""

_KNOWN_TO_ORGANIZATION = """
select
from blogger_tracking.blogger_information
where id = %(blogger_id)s
  and (
      exists (
          select
          from blogger_tracking.organization_videos
          join blogger_tracking.videos on videos.id = organization_videos.video_id
          where organization_videos.organization_id = %(organization_id)s
            and videos.blogger_id = blogger_information.id
      )
      or exists (
          select
          from blogger_tracking.blogger_campaign
          join blogger_tracking.campaigns on campaigns.id = blogger_campaign.campaign_id
          where campaigns.organization_id = %(organization_id)s
            and blogger_campaign.blogger_id = blogger_information.id
      )
      or exists (
          select
          from blogger_tracking.tracked_accounts
          where tracked_accounts.organization_id = %(organization_id)s
            and tracked_accounts.blogger_id = blogger_information.id
      )
  )
"""

# A rename is a new username with the same external id. Values that the platform's response lacks are kept. That a new
# account is private is a first sighting, which the initial fetch confirms; the state of a known one is left to fetches.
_SAVE_PROFILE = """
insert into blogger_tracking.blogger_information (
    platform, external_id, username, sec_id, channel_name, subscribers, thumbnail_url, sighted_state,
    sighted_at
)
values (
    %(platform)s, %(external_id)s, %(username)s, %(sec_id)s, %(channel_name)s, %(subscribers)s, %(thumbnail_url)s,
    case when %(is_private)s then 'private' end, case when %(is_private)s then now() end
)
on conflict (platform, external_id) do update
set
    username = excluded.username,
    sec_id = coalesce(excluded.sec_id, blogger_information.sec_id),
    channel_name = excluded.channel_name,
    subscribers = coalesce(excluded.subscribers, blogger_information.subscribers),
    thumbnail_url = coalesce(excluded.thumbnail_url, blogger_information.thumbnail_url),
    updated_at = clock_timestamp()
returning id
"""

_TRACK = """
insert into blogger_tracking.tracked_accounts (
    organization_id, user_id, blogger_id, daily_videos_count, pending_initial_fetch, initial_fetch_attempt
)
values (%(organization_id)s, %(user_id)s, %(blogger_id)s, %(daily_videos_count)s, true, 1)
returning id
"""

_REACTIVATE = """
update blogger_tracking.tracked_accounts
set is_active = true, daily_videos_count = coalesce(%(daily_videos_count)s, daily_videos_count)
where id = %(tracking_id)s
"""

_LINK_CAMPAIGN = """
insert into blogger_tracking.blogger_campaign (campaign_id, blogger_id)
values (%(campaign_id)s, %(blogger_id)s)
on conflict do nothing
"""

_LINK_TAGS = """
insert into blogger_tracking.blogger_tags (organization_id, blogger_id, tag)
select %(organization_id)s, %(blogger_id)s, tag
from unnest(%(tags)s::text[]) as new_tags (tag)
on conflict do nothing
"""


def is_tracked_by_name(connection: Connection, organization_id: UUID, platform: Platform, username: str) -> bool:
    """Return True if an active tracked account of the organization has this name (or external id)."""
    parameters = {
        "organization_id": organization_id,
        "platform": platform,
        "username": username.removeprefix("@"),
    }
    return connection.execute(_TRACKED_BY_NAME, parameters).fetchone() is not None


def add_by_profile(connection: Connection, addition: AdditionRequest, profile: BloggerProfile) -> AdditionResult:
    """Save a blogger's profile and track the blogger.

    Raises NoActiveSubscriptionError, BloggerLimitReachedError, CampaignNotFoundError, or RoleNotAllowedError for a
    paused account and a user who may not resume the account, having changed nothing.
    """
    identity = {"platform": profile.platform, "external_id": profile.external_id}
    with bounded_transaction(connection):
        lock_organization(connection, addition.organization_id)
        existing = _lock_tracked_account(connection, _LOCK_BY_PROFILE, addition, identity)
        _require_room_for(connection, addition, existing)
        blogger_id = _save_profile(connection, profile)
        return _track(connection, addition, blogger_id, existing)


def add_known_blogger(connection: Connection, addition: AdditionRequest, blogger_id: UUID) -> AdditionResult:
    """Track a blogger that the organization has videos of, has in a campaign, or tracked before.

    Raises BloggerUnknownError for any other blogger, and the errors of `add_by_profile`, having changed nothing.
    """
    identity = {"blogger_id": blogger_id}
    with bounded_transaction(connection):
        lock_organization(connection, addition.organization_id)
        parameters = {"organization_id": addition.organization_id, **identity}
        if connection.execute(_KNOWN_TO_ORGANIZATION, parameters).fetchone() is None:
            raise BloggerUnknownError("This organization does not know this blogger. Add it by its username.")
        existing = _lock_tracked_account(connection, _LOCK_BY_BLOGGER, addition, identity)
        _require_room_for(connection, addition, existing)
        return _track(connection, addition, blogger_id, existing)


def _lock_tracked_account(
    connection: Connection, statement: str, addition: AdditionRequest, identity: Mapping[str, object]
) -> _TrackedAccount | None:
    """Lock and return the tracked account, or return None if there is none.

    The tracked account is locked before its blogger, as in the settlement of a fetch: this order prevents deadlocks.
    """
    parameters = {"organization_id": addition.organization_id, **identity}
    return fetch_optional(connection, _TrackedAccount, statement.encode(), parameters)


def _require_room_for(connection: Connection, addition: AdditionRequest, existing: _TrackedAccount | None) -> None:
    if addition.campaign_id is not None:
        require_campaign(connection, addition.organization_id, addition.campaign_id)
    if existing is not None and not existing.is_active:
        _require_may_reactivate(connection, addition)
    if existing is None or not existing.is_active:
        require_room(connection, addition.organization_id)


def _require_may_reactivate(connection: Connection, addition: AdditionRequest) -> None:
    """Raise RoleNotAllowedError unless the user may manage tracked accounts: the pause was a manager's decision."""
    if addition.by_operator:
        raise RoleNotAllowedError(
            "This blogger is paused in this organization. Ask an owner or an admin of the organization to resume it."
        )
    role = read_role(connection, addition.organization_id, addition.user_id)
    if not role.may_manage:
        raise RoleNotAllowedError(
            f"This blogger is paused in this organization, and the role {role} may not resume a paused blogger. Ask an "
            "owner or an admin of the organization."
        )


def _save_profile(connection: Connection, profile: BloggerProfile) -> UUID:
    parameters = {
        "platform": profile.platform,
        "external_id": profile.external_id,
        "username": profile.username,
        "sec_id": profile.sec_id or None,
        "channel_name": profile.channel_name,
        "subscribers": profile.subscribers,
        "thumbnail_url": profile.thumbnail_url,
        "is_private": profile.is_private,
    }
    blogger_id: UUID = fetch_value(connection, _SAVE_PROFILE, parameters)
    return blogger_id


def _track(
    connection: Connection, addition: AdditionRequest, blogger_id: UUID, existing: _TrackedAccount | None
) -> AdditionResult:
    parameters = {
        "organization_id": addition.organization_id,
        "user_id": None if addition.by_operator else addition.user_id,
        "blogger_id": blogger_id,
        "daily_videos_count": addition.daily_videos_count,
        "campaign_id": addition.campaign_id,
        "tags": list(addition.tags),
    }
    added = _insert_or_reactivate(connection, parameters, existing)
    if addition.campaign_id is not None:
        connection.execute(_LINK_CAMPAIGN, parameters)
    connection.execute(_LINK_TAGS, parameters)
    return added


def _insert_or_reactivate(
    connection: Connection, parameters: Mapping[str, object], existing: _TrackedAccount | None
) -> AdditionResult:
    if existing is None:
        return AdditionResult(fetch_value(connection, _TRACK, parameters), AdditionKind.ADDED, is_reopened=False)
    is_reopened = reopen_initial_fetch(connection, existing.tracking_id)
    if existing.is_active:
        return AdditionResult(existing.tracking_id, AdditionKind.ALREADY_TRACKED, is_reopened)
    connection.execute(_REACTIVATE, {**parameters, "tracking_id": existing.tracking_id})
    return AdditionResult(existing.tracking_id, AdditionKind.REACTIVATED, is_reopened)
