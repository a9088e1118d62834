"""Organizations for the Bloggers page: usage of the current subscription period, and tracked accounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg import Connection

from blogger_tracking.database.blogger_lists import PAGE_SIZE
from blogger_tracking.database.rows import fetch_all, fetch_value
from blogger_tracking.domain.quotas import projected_end
from blogger_tracking.domain.request_errors import OrganizationNotFoundError


@dataclass(frozen=True, slots=True)
class OrganizationUsage:
    """An organization with its current subscription period, in videos; None without a current subscription.

    `used_up_at` is the time at which the period's videos are used up at the rate so far; None: not in this period.
    """

    id: UUID
    name: str
    plan: str | None
    period_start: datetime | None
    period_end: datetime | None
    video_limit: int | None
    opening: int | None
    charged: int | None
    reserved: int | None
    blogger_limit: int | None
    active_accounts: int
    paused_accounts: int
    pending_accounts: int
    moment: datetime

    @property
    def remaining(self) -> int | None:
        """Videos that are neither used nor reserved, as planning counts them."""
        if self.video_limit is None:
            return None
        return self.video_limit - self._used - (self.reserved or 0)

    @property
    def used_up_at(self) -> datetime | None:
        """Time at which the videos of the period are used up at the rate so far."""
        if self.video_limit is None or self.period_start is None or self.period_end is None:
            return None
        return projected_end(self.video_limit, self._used, self.period_start, self.period_end, self.moment)

    @property
    def _used(self) -> int:
        return (self.opening or 0) + (self.charged or 0)


_COUNT = "select count(*) from blogger_tracking.organizations where strpos(lower(name), lower(%(search)s)) > 0"

_LIST = """
select
    page.id,
    page.name,
    subscriptions.plan,
    subscriptions.period_start,
    subscriptions.period_end,
    subscriptions.video_limit,
    case when subscriptions.plan is not null then coalesce(usage.opening, 0) end as opening,
    case when subscriptions.plan is not null then coalesce(usage.videos_fetched, 0) end as charged,
    case when subscriptions.plan is not null then coalesce(usage.reserved, 0) end as reserved,
    subscriptions.blogger_limit,
    accounts.active_accounts,
    accounts.paused_accounts,
    accounts.pending_accounts,
    %(moment)s::timestamptz as moment
from (
    select id, name
    from blogger_tracking.organizations
    where strpos(lower(name), lower(%(search)s)) > 0
    order by lower(name), id
    limit %(limit)s
    offset %(offset)s
) as page
left join blogger_tracking.subscriptions
    on subscriptions.organization_id = page.id
    and subscriptions.period_start <= %(moment)s
    and subscriptions.period_end > %(moment)s
left join blogger_tracking.subscription_usage as usage
    on usage.organization_id = subscriptions.organization_id and usage.period_start = subscriptions.period_start
cross join lateral (
    select
        count(*) filter (where is_active) as active_accounts,
        count(*) filter (where not is_active) as paused_accounts,
        count(*) filter (where is_active and pending_initial_fetch) as pending_accounts
    from blogger_tracking.tracked_accounts
    where tracked_accounts.organization_id = page.id
) as accounts
order by lower(page.name), page.id
"""

_EXISTS = "select exists (select from blogger_tracking.organizations where id = %(organization_id)s)"


def list_organizations(
    connection: Connection, moment: datetime, search: str, page: int
) -> tuple[int, list[OrganizationUsage]]:
    """Return the number of organizations whose name contains `search`, and those of one page. The first page is 1."""
    parameters = {"search": search, "moment": moment, "limit": PAGE_SIZE, "offset": (page - 1) * PAGE_SIZE}
    total = int(fetch_value(connection, _COUNT, parameters))
    return total, fetch_all(connection, OrganizationUsage, _LIST, parameters)


def require_organization(connection: Connection, organization_id: UUID) -> None:
    """Raise OrganizationNotFoundError unless the organization exists."""
    if not fetch_value(connection, _EXISTS, {"organization_id": organization_id}):
        raise OrganizationNotFoundError("There is no such organization.")
