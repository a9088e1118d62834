"""Adding a blogger to an organization: blogger, tracked account, campaign, tags and the wish in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row, scalar_row

from blogger_tracking.database.organizations import require_campaign, require_room, take_turns
from blogger_tracking.database.pending_initial_fetches import reopen_initial_fetch
from blogger_tracking.domain.models import BloggerProfile, Platform
from blogger_tracking.domain.request_errors import BloggerUnknownError


class AdditionKind(StrEnum):
    """What adding a blogger came to."""

    ADDED = "added"
    REACTIVATED = "reactivated"
    ALREADY_TRACKED = "already_tracked"


@dataclass(frozen=True, slots=True)
class AdditionRequest:
    """Who adds to which organization, and with what. `daily_videos_count` None means the organization's."""

    user_id: UUID
    organization_id: UUID
    campaign_id: UUID | None = None
    tags: Sequence[str] = ()
    daily_videos_count: int | None = None


@dataclass(frozen=True, slots=True)
class AdditionResult:
    """The tracked account, and what adding it came to."""

    tracking_id: UUID
    kind: AdditionKind


@dataclass(frozen=True, slots=True)
class _Known:
    tracking_id: UUID
    is_active: bool


_LOCK_BY_PROFILE = """
select tracked_accounts.id as tracking_id, tracked_accounts.is_active
from tracked_accounts
join blogger_information on blogger_information.id = tracked_accounts.blogger_id
where tracked_accounts.organization_id = %(organization_id)s
  and blogger_information.platform = %(platform)s
  and blogger_information.external_id = %(external_id)s
for no key update of tracked_accounts
"""

_LOCK_BY_BLOGGER = """
select id as tracking_id, is_active
from tracked_accounts
where organization_id = %(organization_id)s and blogger_id = %(blogger_id)s
for no key update
"""

_TRACKED_BY_NAME = """
select
from tracked_accounts
join blogger_information on blogger_information.id = tracked_accounts.blogger_id
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
from blogger_information
where id = %(blogger_id)s
  and (
      exists (
          select
          from organization_videos
          join videos on videos.id = organization_videos.video_id
          where organization_videos.organization_id = %(organization_id)s
            and videos.blogger_id = blogger_information.id
      )
      or exists (
          select
          from blogger_campaign
          join campaigns on campaigns.id = blogger_campaign.campaign_id
          where campaigns.organization_id = %(organization_id)s
            and blogger_campaign.blogger_id = blogger_information.id
      )
      or exists (
          select
          from tracked_accounts
          where tracked_accounts.organization_id = %(organization_id)s
            and tracked_accounts.blogger_id = blogger_information.id
      )
  )
"""

# A rename is a new username of the same external id. What the platform does not tell stays as it was.
_SAVE_PROFILE = """
insert into blogger_information (
    platform, external_id, username, sec_id, channel_name, subscribers, thumbnail_url, account_state
)
values (
    %(platform)s, %(external_id)s, %(username)s, %(sec_id)s, %(channel_name)s, %(subscribers)s, %(thumbnail_url)s,
    %(account_state)s
)
on conflict (platform, external_id) do update
set
    username = excluded.username,
    sec_id = coalesce(excluded.sec_id, blogger_information.sec_id),
    channel_name = excluded.channel_name,
    subscribers = coalesce(excluded.subscribers, blogger_information.subscribers),
    thumbnail_url = coalesce(excluded.thumbnail_url, blogger_information.thumbnail_url),
    account_state = excluded.account_state,
    updated_at = clock_timestamp()
returning id
"""

_TRACK = """
insert into tracked_accounts (
    organization_id, user_id, blogger_id, daily_videos_count, pending_initial_fetch, initial_fetch_attempt
)
values (%(organization_id)s, %(user_id)s, %(blogger_id)s, %(daily_videos_count)s, true, 1)
returning id
"""

_REACTIVATE = """
update tracked_accounts
set is_active = true, daily_videos_count = coalesce(%(daily_videos_count)s, daily_videos_count)
where id = %(tracking_id)s
"""

_LINK_CAMPAIGN = """
insert into blogger_campaign (campaign_id, blogger_id)
values (%(campaign_id)s, %(blogger_id)s)
on conflict do nothing
"""

_LINK_TAGS = """
insert into blogger_tags (organization_id, blogger_id, tag)
select %(organization_id)s, %(blogger_id)s, tag
from unnest(%(tags)s::text[]) as wanted (tag)
on conflict do nothing
"""


def is_tracked_by_name(connection: Connection, organization_id: UUID, platform: Platform, username: str) -> bool:
    """Whether the organization tracks somebody who was last seen under this name (or id), actively."""
    parameters = {
        "organization_id": organization_id,
        "platform": platform,
        "username": username.removeprefix("@"),
    }
    return connection.execute(_TRACKED_BY_NAME, parameters).fetchone() is not None


def add_by_profile(connection: Connection, addition: AdditionRequest, profile: BloggerProfile) -> AdditionResult:
    """Track the blogger that a platform described just now.

    Raises NoActiveSubscriptionError, BloggerLimitReachedError, CampaignNotFoundError; then nothing was changed.
    """
    identity = {"platform": profile.platform, "external_id": profile.external_id}
    with connection.transaction():
        take_turns(connection, addition.organization_id)
        known = _lock(connection, _LOCK_BY_PROFILE, addition, identity)
        _require_room_for(connection, addition, known)
        blogger_id = _save_profile(connection, profile)
        return _track(connection, addition, blogger_id, known)


def add_known_blogger(connection: Connection, addition: AdditionRequest, blogger_id: UUID) -> AdditionResult:
    """Track a blogger that the organization has videos of, has in a campaign, or tracked before.

    Raises BloggerUnknownError for any other, and what `add_by_profile` raises; then nothing was changed.
    """
    identity = {"blogger_id": blogger_id}
    with connection.transaction():
        take_turns(connection, addition.organization_id)
        parameters = {"organization_id": addition.organization_id, **identity}
        if connection.execute(_KNOWN_TO_ORGANIZATION, parameters).fetchone() is None:
            raise BloggerUnknownError("This organization does not know this blogger. Add it by its username.")
        known = _lock(connection, _LOCK_BY_BLOGGER, addition, identity)
        _require_room_for(connection, addition, known)
        return _track(connection, addition, blogger_id, known)


def _lock(
    connection: Connection, statement: str, addition: AdditionRequest, identity: Mapping[str, object]
) -> _Known | None:
    """The tracked account if there is one. Before the blogger: settling a fetch locks the two in that order."""
    cursor = connection.cursor(row_factory=class_row(_Known))
    parameters = {"organization_id": addition.organization_id, **identity}
    return cursor.execute(statement.encode(), parameters).fetchone()


def _require_room_for(connection: Connection, addition: AdditionRequest, known: _Known | None) -> None:
    if addition.campaign_id is not None:
        require_campaign(connection, addition.organization_id, addition.campaign_id)
    if known is None or not known.is_active:
        require_room(connection, addition.organization_id)


def _save_profile(connection: Connection, profile: BloggerProfile) -> UUID:
    parameters = {
        "platform": profile.platform,
        "external_id": profile.external_id,
        "username": profile.username,
        "sec_id": profile.sec_id or None,
        "channel_name": profile.channel_name,
        "subscribers": profile.subscribers,
        "thumbnail_url": profile.thumbnail_url,
        "account_state": "private" if profile.is_private else "active",
    }
    blogger_id: UUID = connection.cursor(row_factory=scalar_row).execute(_SAVE_PROFILE, parameters).fetchall()[0]
    return blogger_id


def _track(connection: Connection, addition: AdditionRequest, blogger_id: UUID, known: _Known | None) -> AdditionResult:
    parameters = {
        "organization_id": addition.organization_id,
        "user_id": addition.user_id,
        "blogger_id": blogger_id,
        "daily_videos_count": addition.daily_videos_count,
        "campaign_id": addition.campaign_id,
        "tags": list(addition.tags),
    }
    added = _insert_or_reactivate(connection, parameters, known)
    if addition.campaign_id is not None:
        connection.execute(_LINK_CAMPAIGN, parameters)
    connection.execute(_LINK_TAGS, parameters)
    return added


def _insert_or_reactivate(
    connection: Connection, parameters: Mapping[str, object], known: _Known | None
) -> AdditionResult:
    if known is None:
        tracking_id = connection.cursor(row_factory=scalar_row).execute(_TRACK, parameters).fetchall()[0]
        return AdditionResult(tracking_id, AdditionKind.ADDED)
    reopen_initial_fetch(connection, known.tracking_id)
    if known.is_active:
        return AdditionResult(known.tracking_id, AdditionKind.ALREADY_TRACKED)
    connection.execute(_REACTIVATE, {**parameters, "tracking_id": known.tracking_id})
    return AdditionResult(known.tracking_id, AdditionKind.REACTIVATED)
