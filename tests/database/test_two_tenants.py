"""Row level security as Supabase applies it: members see and change only the rows of their own organizations."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import Connection
from psycopg_pool import ConnectionPool

from tests.support.database_builder import DatabaseBuilder, Tracked
from tests.support.ledger_steps import claim, fetch_ids, plan, succeed
from tests.support.row_security import READABLE, signed_in


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
    build.run("update blogger_information set username = username || '_renamed'")
    return first, second


@pytest.mark.parametrize("table", READABLE)
def test_a_member_reads_only_the_rows_of_the_own_organization(
    build: DatabaseBuilder, admin: Connection, tenants: tuple[Tracked, Tracked], table: str
) -> None:
    member = build.member(tenants[0].organization_id, "viewer")
    outsider = build.user()
    if table != "organization_members":
        assert count(admin, table) >= 2
    with signed_in(admin, member) as own:
        assert count(own, table) == 1
    with signed_in(admin, outsider) as foreign:
        assert count(foreign, table) == 0


@pytest.mark.parametrize("role", ["owner", "admin", "member", "viewer"])
def test_only_owners_and_admins_change_tracked_accounts_and_only_those_of_the_own_organization(
    build: DatabaseBuilder, admin: Connection, tenants: tuple[Tracked, Tracked], role: str
) -> None:
    person = build.member(tenants[0].organization_id, role)
    with signed_in(admin, person) as own:
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
    with pytest.raises(psycopg.errors.InsufficientPrivilege), signed_in(admin, owner) as own:
        own.execute(statement.encode())
