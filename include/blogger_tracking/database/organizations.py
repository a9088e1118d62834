"""What an organization may: its members' roles, its campaigns, and room for another blogger."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row, scalar_row

from blogger_tracking.domain.models import Role
from blogger_tracking.domain.request_errors import (
    BloggerLimitReachedError,
    CampaignNotFoundError,
    NoActiveSubscriptionError,
    NotAMemberError,
)

_ROLE = """
select role from organization_members where organization_id = %(organization_id)s and user_id = %(user_id)s
"""

_CAMPAIGN = "select from campaigns where id = %(campaign_id)s and organization_id = %(organization_id)s"

# Two additions of one organization take turns; references to its row are not held up.
_TAKE_TURNS = "select from organizations where id = %(organization_id)s for no key update"

_BLOGGERS = """
select
    (
        select count(*)
        from tracked_accounts
        where organization_id = %(organization_id)s and is_active
    ) as tracked,
    (
        select blogger_limit
        from subscriptions
        where organization_id = %(organization_id)s
          and period_start <= clock_timestamp()
          and period_end > clock_timestamp()
    ) as blogger_limit
"""


@dataclass(frozen=True, slots=True)
class _Bloggers:
    tracked: int
    blogger_limit: int | None


def read_role(connection: Connection, organization_id: UUID, user_id: UUID) -> Role:
    """The person's role. Raises NotAMemberError, for an organization that does not exist as well."""
    parameters = {"organization_id": organization_id, "user_id": user_id}
    role = connection.cursor(row_factory=scalar_row).execute(_ROLE, parameters).fetchone()
    if role is None:
        raise NotAMemberError("You are not a member of this organization.")
    return Role(role)


def require_campaign(connection: Connection, organization_id: UUID, campaign_id: UUID) -> None:
    """Raise CampaignNotFoundError unless the organization has this campaign."""
    parameters = {"organization_id": organization_id, "campaign_id": campaign_id}
    if connection.execute(_CAMPAIGN, parameters).fetchone() is None:
        raise CampaignNotFoundError("This organization has no such campaign.")


def require_room(connection: Connection, organization_id: UUID) -> None:
    """Raise unless the organization may track one more blogger.

    Only `take_turns` before it, in the same transaction, makes the answer hold until the blogger is added.
    Raises NoActiveSubscriptionError, BloggerLimitReachedError.
    """
    cursor = connection.cursor(row_factory=class_row(_Bloggers))
    bloggers = cursor.execute(_BLOGGERS, {"organization_id": organization_id}).fetchall()[0]
    if bloggers.blogger_limit is None:
        raise NoActiveSubscriptionError("No subscription of this organization covers today.")
    if bloggers.tracked >= bloggers.blogger_limit:
        raise BloggerLimitReachedError(
            f"This organization tracks {bloggers.tracked} bloggers, and its subscription allows "
            f"{bloggers.blogger_limit}. Pause one or change the subscription."
        )


def take_turns(connection: Connection, organization_id: UUID) -> None:
    """Hold other additions to this organization until the transaction ends. Must come before any other lock."""
    connection.execute(_TAKE_TURNS, {"organization_id": organization_id})
