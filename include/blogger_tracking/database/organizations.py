"""Rights of an organization: roles of its members, its campaigns, and its blogger limit."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from psycopg import Connection

from blogger_tracking.database.rows import fetch_one, fetch_values
from blogger_tracking.domain.models import Role
from blogger_tracking.domain.request_errors import (
    BloggerLimitReachedError,
    CampaignNotFoundError,
    NoActiveSubscriptionError,
    NotAMemberError,
)

_ROLE = """
select role
from blogger_tracking.organization_members
where organization_id = %(organization_id)s and user_id = %(user_id)s
"""

_CAMPAIGN = """
select
from blogger_tracking.campaigns
where id = %(campaign_id)s and organization_id = %(organization_id)s
"""

# `no key`: this lock does not block inserts of rows that refer to the organization.
_LOCK_ORGANIZATION = "select from blogger_tracking.organizations where id = %(organization_id)s for no key update"

_COUNT_BLOGGERS = """
select
    (
        select count(*)
        from blogger_tracking.tracked_accounts
        where organization_id = %(organization_id)s and is_active
    ) as tracked,
    (
        select blogger_limit
        from blogger_tracking.subscriptions
        where organization_id = %(organization_id)s
          and period_start <= clock_timestamp()
          and period_end > clock_timestamp()
    ) as blogger_limit
"""


@dataclass(frozen=True, slots=True)
class _BloggerCount:
    tracked: int
    blogger_limit: int | None


def read_role(connection: Connection, organization_id: UUID, user_id: UUID) -> Role:
    """Return the user's role in the organization.

    Raises NotAMemberError if there is none, also for an organization that does not exist.
    """
    roles = fetch_values(connection, _ROLE, {"organization_id": organization_id, "user_id": user_id})
    if not roles:
        raise NotAMemberError("You are not a member of this organization.")
    return Role(roles[0])


def require_campaign(connection: Connection, organization_id: UUID, campaign_id: UUID) -> None:
    """Raise CampaignNotFoundError unless the organization has this campaign."""
    parameters = {"organization_id": organization_id, "campaign_id": campaign_id}
    if connection.execute(_CAMPAIGN, parameters).fetchone() is None:
        raise CampaignNotFoundError("This organization has no such campaign.")


def require_room(connection: Connection, organization_id: UUID) -> None:
    """Raise unless the organization may have one more active tracked account.

    The result can only be relied on after `lock_organization` in the same transaction.
    Raises NoActiveSubscriptionError, BloggerLimitReachedError.
    """
    bloggers = fetch_one(connection, _BloggerCount, _COUNT_BLOGGERS, {"organization_id": organization_id})
    if bloggers.blogger_limit is None:
        raise NoActiveSubscriptionError("No subscription of this organization covers today.")
    if bloggers.tracked >= bloggers.blogger_limit:
        raise BloggerLimitReachedError(
            f"This organization tracks {bloggers.tracked} bloggers, and its subscription allows "
            f"{bloggers.blogger_limit}. Pause a blogger or change the subscription."
        )


def lock_organization(connection: Connection, organization_id: UUID) -> None:
    """Block other additions to the organization until the transaction ends.

    To prevent deadlocks, this must be the first lock of the transaction.
    """
    connection.execute(_LOCK_ORGANIZATION, {"organization_id": organization_id})
