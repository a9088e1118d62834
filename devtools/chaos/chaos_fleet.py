"""Fleets of chaos: organizations that share some of their bloggers, inserted with set-based statements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from psycopg import Connection

from devtools.chaos.conditions import Sizes
from devtools.chaos.world_oracle import WorldOracle
from devtools.platform_sandbox import Creator, PlatformName

VIDEO_LIMIT = 100_000
_DAILY_COUNTS = (10, 15, 20, 12)
_PERIOD = timedelta(days=20)

_INSERT_ORGANIZATIONS = """
insert into blogger_tracking.organizations (name, daily_videos_count, initial_videos_count)
select 'Chaos ' || number, daily, 10
from unnest(%(daily_counts)s::integer[]) with ordinality as organization (daily, number)
returning id
"""

_INSERT_SUBSCRIPTIONS = """
insert into blogger_tracking.subscriptions (organization_id, period_start, period_end, plan, video_limit, blogger_limit)
select organization_id, %(begins)s, %(ends)s, 'chaos', %(limit)s, 1000
from unnest(%(organizations)s::uuid[]) as organization (organization_id)
"""

_INSERT_OWNERS = """
with owner as (
    insert into auth.users (email) values (%(email)s) returning id
)
insert into blogger_tracking.organization_members (organization_id, user_id, role)
select organization_id, owner.id, 'owner'
from unnest(%(organizations)s::uuid[]) as organization (organization_id)
cross join owner
returning user_id
"""

_INSERT_BLOGGERS = """
insert into blogger_tracking.blogger_information (platform, username, external_id, sec_id)
select platform, username, external_id, sec_id
from unnest(%(platforms)s::text[], %(usernames)s::text[], %(external_ids)s::text[], %(sec_ids)s::text[])
    as creator (platform, username, external_id, sec_id)
returning id, external_id
"""

_INSERT_ACCOUNTS = """
insert into blogger_tracking.tracked_accounts (organization_id, blogger_id, initial_videos_fetched)
select organization_id, blogger_id, true
from unnest(%(organizations)s::uuid[], %(bloggers)s::uuid[]) as account (organization_id, blogger_id)
"""


@dataclass(kw_only=True)
class ChaosFleet:
    """The organizations and bloggers of one try. `owner` may add bloggers to each organization."""

    organizations: list[UUID]
    owner: UUID
    creators: dict[UUID, Creator]

    def scope(self) -> dict[str, list[str]]:
        """Return the conf of a run that is restricted to this fleet."""
        return {"organizations": [str(organization) for organization in self.organizations]}


class FleetMaker:
    """Makes fleets of plain creators; no creator is in two fleets."""

    def __init__(self, oracle: WorldOracle, sizes: Sizes) -> None:
        self._sizes = sizes
        now = datetime.now(UTC)
        self._unused = {platform: oracle.plain_creators(platform, now) for platform in PlatformName}

    def make(self, connection: Connection) -> ChaosFleet:
        """Insert a fleet; the connection must own the schema."""
        creators = [next(self._unused[name]) for _ in range(self._sizes.per_platform) for name in PlatformName]
        with connection.transaction():
            organizations = self._organizations(connection)
            owner = connection.execute(
                _INSERT_OWNERS, {"organizations": organizations, "email": f"{organizations[0]}@example.org"}
            ).fetchall()[0][0]
            bloggers = _insert_bloggers(connection, creators)
            tracked = list(self._tracked(organizations, list(bloggers)))
            connection.execute(
                _INSERT_ACCOUNTS,
                {"organizations": [each[0] for each in tracked], "bloggers": [each[1] for each in tracked]},
            )
        return ChaosFleet(organizations=organizations, owner=owner, creators=bloggers)

    def untracked(self, platform: PlatformName) -> Creator:
        """Return a creator that no organization tracks."""
        return next(self._unused[platform])

    def _organizations(self, connection: Connection) -> list[UUID]:
        counts = [_DAILY_COUNTS[number % len(_DAILY_COUNTS)] for number in range(self._sizes.organizations)]
        rows = connection.execute(_INSERT_ORGANIZATIONS, {"daily_counts": counts}).fetchall()
        organizations = [row[0] for row in rows]
        now = datetime.now(UTC)
        connection.execute(
            _INSERT_SUBSCRIPTIONS,
            {
                "organizations": organizations,
                "begins": now - _PERIOD,
                "ends": now + _PERIOD,
                "limit": VIDEO_LIMIT,
            },
        )
        return organizations

    def _tracked(self, organizations: Sequence[UUID], bloggers: Sequence[UUID]) -> Iterator[tuple[UUID, UUID]]:
        """Yield organization and blogger of each tracked account: one blogger in three is shared by two or three."""
        for number, blogger in enumerate(bloggers):
            sharers = 1 + (number % 3 == 0) + (number % 9 == 0)
            for other in range(min(sharers, len(organizations))):
                yield organizations[(number + other) % len(organizations)], blogger


def _insert_bloggers(connection: Connection, creators: Sequence[Creator]) -> dict[UUID, Creator]:
    rows = connection.execute(
        _INSERT_BLOGGERS,
        {
            "platforms": [creator.platform for creator in creators],
            "usernames": [creator.username for creator in creators],
            "external_ids": [creator.external_id for creator in creators],
            "sec_ids": [creator.sec_id for creator in creators],
        },
    ).fetchall()
    by_external_id = {creator.external_id: creator for creator in creators}
    return {blogger: by_external_id[external_id] for blogger, external_id in rows}
