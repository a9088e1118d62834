"""Row level security as Supabase applies it: members see and change only the rows of their own organizations."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from uuid import UUID

import psycopg
import pytest
from psycopg import Connection
from psycopg_pool import ConnectionPool

from tests.support.database_builder import DatabaseBuilder, Tracked
from tests.support.ledger_steps import claim, fetch_ids, plan, succeed

READABLE = [
    "organizations",
    "organization_members",
    "subscriptions",
    "subscription_usage",
    "blogger_information",
    "tracked_accounts",
    "campaigns",
    "blogger_campaign",
    "blogger_tags",
    "fetches",
    "fetch_allocations",
    "videos",
    "organization_videos",
    "video_statistics",
    "tracked_bloggers_view",
]


@contextmanager
def acting_as(admin: Connection, user: UUID) -> Generator[Connection]:
    """Open a transaction as PostgREST does for a person's token, and roll it back."""
    with admin.transaction(force_rollback=True):
        admin.execute("set local role authenticated")
        admin.execute("select set_config('request.jwt.claims', %s, true)", (json.dumps({"sub": str(user)}),))
        yield admin


def count(connection: Connection, table: str) -> int:
    row = connection.execute(f"select count(*) from {table}".encode()).fetchone()  # noqa: S608 - names from above
    return row[0] if row else 0


@pytest.fixture
def tenants(build: DatabaseBuilder, pool: ConnectionPool) -> tuple[Tracked, Tracked]:
    """Two organizations with one row each in every table that members may read."""
    first, second = build.track(build.organization()), build.track(build.organization())
    for fetch_id in fetch_ids(pool, plan(pool)):
        claimed = claim(pool, fetch_id)
        succeed(pool, claimed, returned=1, first=fetch_id * 100)
    for tracked in (first, second):
        campaign = build.campaign(tracked.organization_id)
        build.run("insert into blogger_campaign values (%(c)s, %(b)s)", c=campaign, b=tracked.blogger_id)
        build.run(
            "insert into blogger_tags values (%(o)s, %(b)s, 'tag')", o=tracked.organization_id, b=tracked.blogger_id
        )
    return first, second


@pytest.mark.parametrize("table", READABLE)
def test_a_member_reads_only_the_rows_of_their_own_organization(
    build: DatabaseBuilder, admin: Connection, tenants: tuple[Tracked, Tracked], table: str
) -> None:
    member = build.member(tenants[0].organization_id, "viewer")
    outsider = build.user()
    assert count(admin, table) >= 2 if table != "organization_members" else True
    with acting_as(admin, member) as own:
        assert count(own, table) == 1
    with acting_as(admin, outsider) as foreign:
        assert count(foreign, table) == 0


@pytest.mark.parametrize("role", ["owner", "admin", "member", "viewer"])
def test_only_owners_and_admins_change_tracked_accounts_and_only_their_own(
    build: DatabaseBuilder, admin: Connection, tenants: tuple[Tracked, Tracked], role: str
) -> None:
    person = build.member(tenants[0].organization_id, role)
    with acting_as(admin, person) as own:
        changed = own.execute("update tracked_accounts set is_active = false, daily_videos_count = 3").rowcount
    assert changed == (1 if role in {"owner", "admin"} else 0)


@pytest.mark.parametrize(
    "statement",
    [
        "insert into tracked_accounts select * from tracked_accounts",
        "update tracked_accounts set initial_videos_fetched = false",
        "delete from tracked_accounts",
        "update organization_members set role = 'owner'",
        "insert into subscription_usage (organization_id, period_start) select id, now() from organizations",
        "select * from idempotency_keys",
        "select * from runs",
        "select * from high_priority_queue",
    ],
)
def test_an_owner_writes_nothing_else_and_cannot_read_internal_tables(
    build: DatabaseBuilder, admin: Connection, tenants: tuple[Tracked, Tracked], statement: str
) -> None:
    owner = build.member(tenants[0].organization_id, "owner")
    with pytest.raises(psycopg.errors.InsufficientPrivilege), acting_as(admin, owner) as own:
        own.execute(statement.encode())
