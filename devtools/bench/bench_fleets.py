"""Fleets of the sandbox's creators, tracked by organizations of their own, inserted with set-based statements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import UUID

from psycopg import Connection

from blogger_tracking.database.rows import fetch_value
from blogger_tracking.domain.models import Platform
from devtools.bench.conditions import VIDEOS_PER_FETCH
from devtools.platform_sandbox import Creator, CreatorKind, World

_INSERT_ORGANIZATION = """
insert into blogger_tracking.organizations (name, daily_videos_count, initial_videos_count)
values (%(name)s, %(videos)s, %(videos)s)
returning id
"""

_INSERT_SUBSCRIPTION = """
insert into blogger_tracking.subscriptions (organization_id, period_start, period_end, plan, video_limit, blogger_limit)
values (%(organization)s, %(begins)s, %(ends)s, 'bench', 1000000000, 1000000)
"""

_INSERT_OWNER = """
with added as (
    insert into auth.users (email) values (%(email)s) returning id
)
insert into blogger_tracking.organization_members (organization_id, user_id, role)
select %(organization)s, id, 'owner'
from added
returning user_id
"""

_INSERT_ACCOUNTS = """
with added as (
    insert into blogger_tracking.blogger_information (platform, username, external_id, sec_id)
    select platform, username, external_id, sec_id
    from unnest(%(platforms)s::text[], %(usernames)s::text[], %(external_ids)s::text[], %(sec_ids)s::text[])
        as creator (platform, username, external_id, sec_id)
    returning id
)
insert into blogger_tracking.tracked_accounts (organization_id, blogger_id, initial_videos_fetched)
select %(organization)s, id, true
from added
"""

_DEACTIVATE_ALL = "update blogger_tracking.tracked_accounts set is_active = false where is_active"

# Planning reads these tables; without current statistics, Postgres would plan the queries for empty tables.
_ANALYZE = """
analyze
    blogger_tracking.blogger_information,
    blogger_tracking.tracked_accounts,
    blogger_tracking.fetches,
    blogger_tracking.fetch_allocations,
    blogger_tracking.videos
"""

_PERIOD = timedelta(days=30)

BLOGGERS_PER_ORGANIZATION = 20
"""Number of bloggers of each organization, unless a scenario varies this number."""


class Fleets:
    """Creates organizations and their bloggers. No creator is in two fleets, so every run saves only new videos.

    The connection must own the schema of a database with stand-ins for Supabase's users.
    """

    def __init__(self, world: World) -> None:
        self._unused = {platform: world.creators(platform, CreatorKind.NORMAL) for platform in Platform}

    def organization(self, connection: Connection, name: str, videos: int = VIDEOS_PER_FETCH) -> UUID:
        """Create an organization that asks for `videos` of each blogger, with room for all of them."""
        values = {"name": name, "videos": videos}
        organization = fetch_value(connection, _INSERT_ORGANIZATION, values)
        now = datetime.now(UTC)
        period = {"organization": organization, "begins": now - _PERIOD, "ends": now + _PERIOD}
        connection.execute(_INSERT_SUBSCRIPTION, period)
        return UUID(str(organization))

    def owner(self, connection: Connection, organization: UUID) -> UUID:
        """Create a user who may add bloggers to the organization."""
        values = {"organization": organization, "email": f"{organization}@example.org"}
        return UUID(str(fetch_value(connection, _INSERT_OWNER, values)))

    def track(
        self,
        connection: Connection,
        bloggers: int,
        videos: int = VIDEOS_PER_FETCH,
        per_organization: int = BLOGGERS_PER_ORGANIZATION,
        platforms: Sequence[Platform] = tuple(Platform),
    ) -> None:
        """Track `bloggers` new bloggers, spread evenly over `platforms`; deactivate all other tracked accounts.

        Each organization tracks `per_organization` of these bloggers.
        """
        creators = list(self._evenly(bloggers, platforms))
        with connection.transaction():
            connection.execute(_DEACTIVATE_ALL)
            for first in range(0, bloggers, per_organization):
                organization = self.organization(connection, f"Organization of {bloggers} bloggers", videos)
                _track(connection, organization, creators[first : first + per_organization])
        connection.execute(_ANALYZE)

    def track_one(self, connection: Connection, bloggers: int) -> UUID:
        """Track `bloggers` new bloggers of TikTok for a new organization, and return the organization."""
        with connection.transaction():
            organization = self.organization(connection, f"Organization of {bloggers} bloggers")
            _track(connection, organization, list(islice(self._unused[Platform.TIKTOK], bloggers)))
        connection.execute(_ANALYZE)
        return organization

    def untracked(self, platform: Platform) -> Creator:
        """Return a creator that no organization tracks."""
        return next(self._unused[platform])

    def _evenly(self, bloggers: int, platforms: Sequence[Platform]) -> Iterator[Creator]:
        for number, platform in enumerate(platforms):
            yield from islice(self._unused[platform], len(range(number, bloggers, len(platforms))))


def _track(connection: Connection, organization: UUID, creators: Sequence[Creator]) -> None:
    connection.execute(
        _INSERT_ACCOUNTS,
        {
            "organization": organization,
            "platforms": [creator.platform for creator in creators],
            "usernames": [creator.username for creator in creators],
            "external_ids": [creator.external_id for creator in creators],
            "sec_ids": [creator.sec_id for creator in creators],
        },
    )
