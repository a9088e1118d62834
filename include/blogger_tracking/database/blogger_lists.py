"""Lists of bloggers for the Bloggers page: search, filters, order and pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from psycopg import Connection, sql

from blogger_tracking.database.rows import fetch_all, fetch_one, fetch_value

PAGE_SIZE = 50
"""Number of entries on one page of a list."""


class BloggerState(StrEnum):
    """State that a list is restricted to: of the tracked accounts, of the account, or of the last fetch."""

    ACTIVE = "active"
    PAUSED = "paused"
    PENDING = "pending"
    PRIVATE = "private"
    NOT_FOUND = "not_found"
    EMPTY = "empty"
    FAILED = "failed"


class BloggerOrder(StrEnum):
    """Order of a list; a minus means the largest or newest first. The name is that of the channel, or the username."""

    NAME = "name"
    MOST_FOLLOWERS = "-followers"
    NEWEST_FETCH = "-lastFetch"
    OLDEST_FETCH = "lastFetch"


@dataclass(frozen=True, slots=True)
class BloggerFilter:
    """Restrictions of a list; None restricts nothing. `search` is a part of a name, or a whole external id."""

    search: str | None = None
    organization: UUID | None = None
    platform: str | None = None
    state: BloggerState | None = None


@dataclass(frozen=True, slots=True)
class ListedBlogger:
    """A blogger with the organizations that track the blogger, the number of videos and the last fetch.

    `is_pending`: the initial fetch of an active tracked account is pending.
    """

    id: UUID
    platform: str
    username: str
    external_id: str
    channel_name: str | None
    followers: int | None
    account_state: str
    account_state_since: datetime
    organizations: list[dict[str, Any]]
    is_active: bool
    is_pending: bool
    videos: int
    last_fetch: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class _Page:
    total: int
    ids: list[UUID]


_PAGE = """
with matching as materialized (
    select blogger.id, {key} as rank
    from {source} as blogger
    where {conditions}
)
select
    (select count(*) from matching) as total,
    array(
        select id
        from matching
        order by rank nulls last, id
        limit %(limit)s
        offset %(offset)s
    ) as ids
"""

_BLOGGERS = sql.SQL("blogger_tracking.blogger_information")

# The time of the last conclusive fetch stands for that of the last fetch: it needs no look at the ledger.
_SCRAPED_BLOGGERS = sql.SQL("""(
    select blogger_information.*, extract(epoch from scraped.last_scraped_at) as scraped_at
    from blogger_tracking.blogger_information
    left join (
        select tracked_accounts.blogger_id, max(tracked_accounts.last_scraped_at) as last_scraped_at
        from blogger_tracking.tracked_accounts
        group by tracked_accounts.blogger_id
    ) as scraped on scraped.blogger_id = blogger_information.id
)""")

_ORDERS = {
    BloggerOrder.NAME: (sql.SQL("lower(coalesce(nullif(blogger.channel_name, ''), blogger.username))"), _BLOGGERS),
    BloggerOrder.MOST_FOLLOWERS: (sql.SQL("-blogger.subscribers"), _BLOGGERS),
    BloggerOrder.NEWEST_FETCH: (sql.SQL("-blogger.scraped_at"), _SCRAPED_BLOGGERS),
    BloggerOrder.OLDEST_FETCH: (sql.SQL("blogger.scraped_at"), _SCRAPED_BLOGGERS),
}

_SEARCH = sql.SQL("""
    (
        blogger.username ilike %(pattern)s
        or blogger.channel_name ilike %(pattern)s
        or blogger.external_id = %(search)s
    )
""")

_PLATFORM = sql.SQL("blogger.platform = %(platform)s")

_TRACKED = """
    blogger.id in (
        select tracked_accounts.blogger_id
        from blogger_tracking.tracked_accounts
        where {condition}
    )
"""

_IN_ORGANIZATION = sql.SQL(_TRACKED).format(condition=sql.SQL("tracked_accounts.organization_id = %(organization)s"))
_ACTIVE = sql.SQL(_TRACKED).format(condition=sql.SQL("tracked_accounts.is_active"))
_TRACKED_AT_ALL = sql.SQL(_TRACKED).format(condition=sql.SQL("true"))
_PENDING = sql.SQL(_TRACKED).format(
    condition=sql.SQL("tracked_accounts.is_active and tracked_accounts.pending_initial_fetch")
)
_PAUSED = sql.SQL("({tracked} and not {active})").format(tracked=_TRACKED_AT_ALL, active=_ACTIVE)
_ACCOUNT_STATE = sql.SQL("blogger.account_state = %(state)s")

# Begins with the failed fetches, which are few and have an index of their own. An index finds each blogger's last
# fetch. Runs of the deployment `imported` stand for the earlier system: their fetches are no last ones.
_FAILED = sql.SQL("""
    blogger.id in (
        select failed.blogger_id
        from (
            select distinct fetches.blogger_id
            from blogger_tracking.fetches
            where fetches.state = 'failed'
        ) as failed
        cross join lateral (
            select fetches.state
            from blogger_tracking.fetches
            join blogger_tracking.runs on runs.id = fetches.run_id
            where fetches.blogger_id = failed.blogger_id and runs.deployment <> 'imported'
            order by fetches.id desc
            limit 1
        ) as last_fetch
        where last_fetch.state = 'failed'
    )
""")

_STATES = {
    BloggerState.ACTIVE: _ACTIVE,
    BloggerState.PAUSED: _PAUSED,
    BloggerState.PENDING: _PENDING,
    BloggerState.FAILED: _FAILED,
}

_DETAILS = """
select
    blogger.id,
    blogger.platform,
    blogger.username,
    blogger.external_id,
    blogger.channel_name,
    blogger.subscribers as followers,
    blogger.account_state,
    blogger.account_state_since,
    tracked.organizations,
    tracked.is_active,
    tracked.is_pending,
    (select count(*) from blogger_tracking.videos where videos.blogger_id = blogger.id) as videos,
    last_fetch.details as last_fetch
from unnest(%(ids)s::uuid[]) with ordinality as page (id, place)
join blogger_tracking.blogger_information as blogger on blogger.id = page.id
cross join lateral (
    select
        coalesce(
            jsonb_agg(
                jsonb_build_object('id', organizations.id, 'name', organizations.name)
                order by organizations.name, organizations.id
            ),
            '[]'
        ) as organizations,
        coalesce(bool_or(tracked_accounts.is_active), false) as is_active,
        coalesce(bool_or(tracked_accounts.is_active and tracked_accounts.pending_initial_fetch), false) as is_pending
    from blogger_tracking.tracked_accounts
    join blogger_tracking.organizations on organizations.id = tracked_accounts.organization_id
    where tracked_accounts.blogger_id = blogger.id
) as tracked
left join lateral (
    select
        jsonb_build_object(
            'fetch_id', fetches.id,
            'dag_id', runs.dag_id,
            'dag_run_id', runs.dag_run_id,
            'task_id', fetches.task_id,
            'map_index', fetches.map_index,
            'is_here', runs.deployment = %(deployment)s,
            'planned_at', runs.planned_at,
            'finished_at', fetch_attempts.finished_at,
            'state', fetches.state,
            'reason', fetches.reason
        ) as details
    from blogger_tracking.fetches
    join blogger_tracking.runs on runs.id = fetches.run_id
    left join blogger_tracking.fetch_attempts
        on fetch_attempts.id = coalesce(fetches.conclusive_attempt_id, fetches.current_attempt_id)
    where fetches.blogger_id = blogger.id and runs.deployment <> 'imported'
    order by fetches.id desc
    limit 1
) as last_fetch on true
order by page.place
"""


_EXISTS = "select exists (select from blogger_tracking.blogger_information where id = %(blogger_id)s)"


def list_bloggers(
    connection: Connection, deployment: str, restriction: BloggerFilter, order: BloggerOrder, page: int
) -> tuple[int, list[ListedBlogger]]:
    """Return the number of matching bloggers, and those of one page. The first page is 1."""
    key, source = _ORDERS[order]
    conditions = sql.SQL(" and ").join(_conditions(restriction))
    statement = sql.SQL(_PAGE).format(key=key, source=source, conditions=conditions)
    parameters = {
        "pattern": f"%{_escape(restriction.search or '')}%",
        "search": restriction.search,
        "platform": restriction.platform,
        "organization": restriction.organization,
        "state": restriction.state,
        "limit": PAGE_SIZE,
        "offset": (page - 1) * PAGE_SIZE,
    }
    found = fetch_one(connection, _Page, statement, parameters)
    return found.total, read_bloggers(connection, deployment, found.ids)


def read_bloggers(connection: Connection, deployment: str, ids: list[UUID]) -> list[ListedBlogger]:
    """Return these bloggers, as far as they exist, in this order. `is_here` of a last fetch compares `deployment`."""
    return fetch_all(connection, ListedBlogger, _DETAILS, {"deployment": deployment, "ids": ids})


def blogger_exists(connection: Connection, blogger_id: UUID) -> bool:
    """Return True if there is a blogger with this id."""
    return bool(fetch_value(connection, _EXISTS, {"blogger_id": blogger_id}))


def _conditions(restriction: BloggerFilter) -> list[sql.Composable]:
    conditions: list[sql.Composable] = [sql.SQL("true")]
    if restriction.search:
        conditions.append(_SEARCH)
    if restriction.platform is not None:
        conditions.append(_PLATFORM)
    if restriction.organization is not None:
        conditions.append(_IN_ORGANIZATION)
    if restriction.state is not None:
        conditions.append(_STATES.get(restriction.state, _ACCOUNT_STATE))
    return conditions


def _escape(text: str) -> str:
    r"""Return the text for a pattern of LIKE, in which `%` and `_` stand for themselves."""
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
