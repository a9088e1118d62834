from __future__ import annotations

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from devtools.local_stack.demo_data import DEMO_ORGANIZATIONS, load_demo
from devtools.platform_sandbox import CreatorKind, World
from tests.support.database_builder import DatabaseBuilder
from tests.support.ledger_steps import plan

_SEED = 7


@pytest.fixture(autouse=True)
def _loaded(admin: psycopg.Connection) -> None:
    load_demo(admin, _SEED)


def test_loading_demo_data_again_changes_nothing(admin: psycopg.Connection, build: DatabaseBuilder) -> None:
    tables = ("organizations", "subscriptions", "subscription_usage", "blogger_information", "tracked_accounts")
    before = [build.rows(f"select * from {table} order by 1, 2") for table in tables]  # noqa: S608 - the names are literals

    load_demo(admin, _SEED)

    assert [build.rows(f"select * from {table} order by 1, 2") for table in tables] == before  # noqa: S608 - the names are literals


def test_the_demo_data_leads_to_every_decision_of_a_subscription(pool: ConnectionPool, build: DatabaseBuilder) -> None:
    plan(pool)

    decisions = {decision for (decision,) in build.rows("select distinct decision from fetch_allocations")}
    reasons = {
        reason.split(":")[0]
        for (reason,) in build.rows("select distinct reason from run_accounts where decision = 'skipped'")
    }
    assert decisions == {"full", "partial"}
    assert reasons == {"subscription_limit", "no_active_subscription"}


def test_a_blogger_is_tracked_by_two_organizations(pool: ConnectionPool, build: DatabaseBuilder) -> None:
    plan(pool)

    assert build.rows("select fetch_id from fetch_allocations group by fetch_id having count(*) = 2")


def test_usage_at_adoption_is_imported(build: DatabaseBuilder) -> None:
    imported = sum(organization.used for organization in DEMO_ORGANIZATIONS)

    assert build.value("select sum(opening) from subscription_usage") == imported


def test_every_kind_of_creator_is_tracked_on_every_platform(build: DatabaseBuilder) -> None:
    world = World(_SEED)
    tracked = {
        (platform, creator.kind)
        for platform, external_id in build.rows("select platform, external_id from blogger_information")
        if (creator := world.find(platform, external_id))
    }

    assert len(tracked) == 3 * len(CreatorKind)
