"""Row level security and privileges, with roles and default privileges as on Supabase."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest
from psycopg import Connection
from psycopg_pool import ConnectionPool

from tests.support.database_builder import DatabaseBuilder
from tests.support.ledger_steps import claim, fetch_ids, plan, succeed
from tests.support.row_security import READABLE, signed_in


@pytest.fixture
def tenants(build: DatabaseBuilder, pool: ConnectionPool) -> tuple[UUID, UUID]:
    """Return a member of an organization with a row in every table, and a member of an empty organization."""
    organization, other = build.organization(), build.organization(video_limit=None)
    tracked = build.track(organization)
    campaign = build.value(
        "insert into campaigns (organization_id, name) values (%(id)s, 'launch') returning id", id=organization
    )
    build.run(
        "insert into blogger_campaign (campaign_id, blogger_id) values (%(campaign)s, %(blogger)s)",
        campaign=campaign,
        blogger=tracked.blogger_id,
    )
    build.run(
        "insert into blogger_tags (organization_id, blogger_id, tag) values (%(organization)s, %(blogger)s, 'fun')",
        organization=organization,
        blogger=tracked.blogger_id,
    )
    (fetch_id,) = fetch_ids(pool, plan(pool))
    succeed(pool, claim(pool, fetch_id), returned=2)
    build.run("update blogger_information set username = 'renamed'")
    return build.member(organization), build.member(other)


@pytest.mark.parametrize("table", READABLE)
def test_a_member_can_select_the_rows_of_the_own_organization(
    admin: Connection, tenants: tuple[UUID, UUID], table: str
) -> None:
    own, _ = tenants
    with signed_in(admin, own) as connection:
        assert connection.execute(f"select from {table}").fetchall()


@pytest.mark.parametrize("table", sorted({*READABLE} - {"organizations", "organization_members"}))
def test_a_member_cannot_select_rows_of_another_organization(
    admin: Connection, tenants: tuple[UUID, UUID], table: str
) -> None:
    _, other = tenants
    with signed_in(admin, other) as connection:
        assert connection.execute(f"select from {table}").fetchall() == []


def test_a_member_can_select_only_the_own_organization_and_its_members(
    admin: Connection, tenants: tuple[UUID, UUID]
) -> None:
    _, other = tenants
    with signed_in(admin, other) as connection:
        assert connection.execute("select count(*) from organizations").fetchone() == (1,)
        assert connection.execute("select user_id from organization_members").fetchall() == [(other,)]


@pytest.mark.parametrize(("role", "changed"), [("owner", 1), ("admin", 1), ("member", 0), ("viewer", 0)])
def test_only_owner_and_admin_may_change_is_active_and_daily_videos_count(
    admin: Connection, build: DatabaseBuilder, role: str, changed: int
) -> None:
    organization = build.organization()
    build.track(organization)
    build.track(build.organization())
    with signed_in(admin, build.member(organization, role)) as connection:
        cursor = connection.execute("update tracked_accounts set is_active = false, daily_videos_count = 20")
        assert cursor.rowcount == changed


def test_users_may_write_nothing_else(admin: Connection, build: DatabaseBuilder) -> None:
    organization = build.organization()
    build.track(organization)
    for statement in (
        "update tracked_accounts set last_scraped_at = now()",
        "update subscription_usage set videos_fetched = 0",
        "delete from tracked_accounts",
        "insert into organizations (name) values ('mine')",
    ):
        with (
            signed_in(admin, build.member(organization, "owner")) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(statement)


def test_every_table_has_row_level_security(build: DatabaseBuilder) -> None:
    assert (
        build.rows(
            "select relname from pg_class "
            "where relnamespace = 'blogger_tracking'::regnamespace and relkind in ('r', 'p') "
            "and not relrowsecurity"
        )
        == []
    )


def test_anon_has_no_privileges_on_tables(build: DatabaseBuilder) -> None:
    assert (
        build.rows(
            "select table_name, privilege_type from information_schema.role_table_grants "
            "where grantee = 'anon' and table_schema = 'blogger_tracking'"
        )
        == []
    )


def test_every_view_is_a_security_invoker(build: DatabaseBuilder) -> None:
    assert (
        build.rows(
            "select relname from pg_class where relnamespace = 'blogger_tracking'::regnamespace and relkind = 'v' "
            "and not coalesce(reloptions @> '{security_invoker=true}', false)"
        )
        == []
    )


def test_every_function_pins_its_search_path_and_is_not_executable_by_anon(build: DatabaseBuilder) -> None:
    assert (
        build.rows(
            """
        select proname
        from pg_proc
        where pronamespace = 'blogger_tracking'::regnamespace
          and (
              not coalesce(proconfig::text like '%%search_path=%%', false)
              or has_function_privilege('anon', oid, 'execute')
          )
        """
        )
        == []
    )


def test_tables_of_later_migrations_have_no_privileges_for_users(admin: Connection, build: DatabaseBuilder) -> None:
    admin.execute("create table blogger_tracking.later (id integer)")
    assert not build.value("select has_table_privilege('authenticated', 'blogger_tracking.later', 'select')")
