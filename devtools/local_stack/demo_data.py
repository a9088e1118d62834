"""Demo organizations, one for each decision about a subscription.

The bloggers are creators of the platform sandbox. Loading again adds missing rows and changes no existing rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from psycopg import Connection

from blogger_tracking.database.rows import fetch_values
from blogger_tracking.domain.models import Platform
from devtools.platform_sandbox import Creator, CreatorKind, SandboxOptions, World

_NAMESPACE = UUID("6f1f4f0a-6f0e-4f55-9d3b-2b1f6f1f2a77")
_PERIOD_BEGAN = timedelta(days=10)
_PERIOD = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOrganization:
    """An organization and its tracked creators of the sandbox: `per_platform` of each platform from `first` on.

    `every_kind` adds one creator of each kind. `video_limit` None stands for no subscription. `used` is the usage of
    the current period at adoption.
    """

    name: str
    video_limit: int | None
    used: int = 0
    daily_videos_count: int
    first: int
    per_platform: int
    every_kind: bool = False


# The first two share the creators 100 and 101 of each platform.
DEMO_ORGANIZATIONS = (
    DemoOrganization(
        name="Northlight Media (has room)",
        video_limit=100_000,
        used=1_250,
        daily_videos_count=20,
        first=100,
        per_platform=6,
        every_kind=True,
    ),
    DemoOrganization(
        name="Second Glance (shares bloggers)",
        video_limit=50_000,
        used=400,
        daily_videos_count=30,
        first=100,
        per_platform=2,
    ),
    # 25 videos are left: 15 for the first blogger, the last 10 for the second, none for the third.
    DemoOrganization(
        name="Corner Studio (partial fetch)",
        video_limit=1_000,
        used=975,
        daily_videos_count=15,
        first=120,
        per_platform=1,
    ),
    DemoOrganization(
        name="Tapped Out Talent (no quota left)",
        video_limit=500,
        used=495,
        daily_videos_count=20,
        first=130,
        per_platform=1,
    ),
    DemoOrganization(
        name="Lapsed Label (no subscription)",
        video_limit=None,
        daily_videos_count=10,
        first=140,
        per_platform=1,
    ),
)

_FIRST_ADDED = 1_000
"""Index of the first creator that no demo organization tracks; `make run` adds one of the creators from here on."""

_KNOWN = "select external_id from blogger_tracking.blogger_information where platform = %s"

_INSERT_ORGANIZATION = """
insert into blogger_tracking.organizations (id, name, daily_videos_count)
values (%(organization)s, %(name)s, %(daily)s)
on conflict (id) do nothing
"""

_INSERT_USER = """
insert into auth.users (id, email)
values (%(user)s, %(email)s)
on conflict (id) do nothing
"""

_INSERT_MEMBER = """
insert into blogger_tracking.organization_members (organization_id, user_id, role)
values (%(organization)s, %(user)s, 'owner')
on conflict do nothing
"""

_INSERT_SUBSCRIPTION = """
with added as (
    insert into blogger_tracking.subscriptions (
        organization_id, period_start, period_end, plan, video_limit, blogger_limit
    )
    select %(organization)s, %(begins)s, %(ends)s, 'demo', %(video_limit)s, 100
    where not exists (
        select from blogger_tracking.subscriptions where organization_id = %(organization)s and period_end > now()
    )
    returning organization_id, period_start
)
insert into blogger_tracking.subscription_usage (organization_id, period_start, opening)
select organization_id, period_start, %(used)s
from added
"""

_INSERT_BLOGGER = """
insert into blogger_tracking.blogger_information (
    id, platform, username, external_id, sec_id, channel_name, subscribers
)
values (
    %(blogger)s, %(platform)s, %(username)s, %(external_id)s, %(sec_id)s, %(channel_name)s, %(followers)s
)
on conflict (platform, external_id) do nothing
"""

_INSERT_TRACKED_ACCOUNT = """
insert into blogger_tracking.tracked_accounts (id, organization_id, user_id, blogger_id, initial_videos_fetched)
select %(tracking)s, %(organization)s, %(user)s, blogger_information.id, true
from blogger_tracking.blogger_information
where platform = %(platform)s and external_id = %(external_id)s
on conflict do nothing
"""


def load_demo(connection: Connection, seed: int, creators_per_platform: int | None = None) -> int:
    """Insert all demo organizations in one transaction; return the number of bloggers that they track.

    The connection must own the schema of a database with stand-ins for Supabase's users. `seed` is the sandbox's.
    """
    world = World(seed, creators_per_platform or SandboxOptions().creators_per_platform)
    tracked: set[str] = set()
    with connection.transaction():
        for organization in DEMO_ORGANIZATIONS:
            creators = list(_creators(world, organization))
            _load_organization(connection, organization)
            _load_tracked_accounts(connection, organization, creators)
            tracked.update(creator.external_id for creator in creators)
    return len(tracked)


def organization_with_room() -> tuple[UUID, UUID]:
    """Return the ids of the organization with room for further bloggers, and of its owner."""
    ids = _ids(DEMO_ORGANIZATIONS[0])
    return ids["organization"], ids["user"]


def next_creator(connection: Connection, seed: int, platform: Platform) -> Creator:
    """Return an ordinary creator of the sandbox that is not in the database yet."""
    world = World(seed)
    known = set(fetch_values(connection, _KNOWN, (platform,)))
    return next(
        creator
        for creator in world.creators(platform, CreatorKind.NORMAL, start=_FIRST_ADDED)
        if creator.external_id not in known
    )


def _creators(world: World, organization: DemoOrganization) -> Iterator[Creator]:
    for platform in Platform:
        for index in range(organization.first, organization.first + organization.per_platform):
            yield world.creator(platform, index)
        if organization.every_kind:
            for kind in CreatorKind:
                yield next(world.creators(platform, kind))


def _load_organization(connection: Connection, organization: DemoOrganization) -> None:
    begins = datetime.now(UTC) - _PERIOD_BEGAN
    parameters = {
        **_ids(organization),
        "name": organization.name,
        "daily": organization.daily_videos_count,
        "email": f"{_id('user', organization.name)}@example.org",
        "begins": begins,
        "ends": begins + _PERIOD,
        "video_limit": organization.video_limit,
        "used": organization.used,
    }
    connection.execute(_INSERT_ORGANIZATION, parameters)
    connection.execute(_INSERT_USER, parameters)
    connection.execute(_INSERT_MEMBER, parameters)
    if organization.video_limit is not None:
        connection.execute(_INSERT_SUBSCRIPTION, parameters)


def _load_tracked_accounts(connection: Connection, organization: DemoOrganization, creators: list[Creator]) -> None:
    rows = [
        {
            **_ids(organization),
            "tracking": _id("tracking", organization.name, creator.platform, creator.external_id),
            "blogger": _id("blogger", creator.platform, creator.external_id),
            "platform": creator.platform,
            # A renamed creator is tracked under the former name.
            "username": creator.former_username or creator.username,
            "external_id": creator.external_id,
            "sec_id": creator.sec_id,
            "channel_name": creator.display_name,
            "followers": creator.followers,
        }
        for creator in creators
    ]
    with connection.cursor() as cursor:
        cursor.executemany(_INSERT_BLOGGER, rows)
        cursor.executemany(_INSERT_TRACKED_ACCOUNT, rows)


def _ids(organization: DemoOrganization) -> dict[str, UUID]:
    return {"organization": _id("organization", organization.name), "user": _id("user", organization.name)}


def _id(*names: str) -> UUID:
    return uuid5(_NAMESPACE, "/".join(names))
