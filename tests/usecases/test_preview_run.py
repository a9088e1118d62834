"""The preview of the next run: the decisions that planning makes afterwards, and nothing is written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from psycopg_pool import ConnectionPool

from blogger_tracking.database.platform_suspensions import suspend_platform
from blogger_tracking.database.youtube_units import record_units
from blogger_tracking.domain.ledger import RequestUse
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.request_errors import OrganizationNotFoundError
from blogger_tracking.settings import get_settings
from blogger_tracking.usecases.preview_run import preview_run
from tests.support.database_builder import DatabaseBuilder
from tests.support.ledger_steps import plan

Decisions = dict[UUID, tuple[str, int, str | None]]

PLANNED = """
select
    run_accounts.tracked_account_id,
    coalesce(fetch_allocations.decision, 'skip'),
    coalesce(fetch_allocations.granted, 0),
    run_accounts.reason
from run_accounts
join tracked_accounts on tracked_accounts.id = run_accounts.tracked_account_id
left join fetch_allocations on fetch_allocations.tracked_account_id = tracked_accounts.id
where tracked_accounts.organization_id = %(organization)s
"""


def previewed(pool: ConnectionPool, organization: UUID) -> Decisions:
    return {
        account.tracking_id: (account.decision.value, account.videos, account.reason)
        for account in preview_run(pool, organization)
    }


def planned(build: DatabaseBuilder, organization: UUID) -> Decisions:
    rows = build.rows(PLANNED, organization=organization)
    return {tracking_id: (decision, videos, reason) for tracking_id, decision, videos, reason in rows}


def test_planning_decides_as_the_preview_says(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    organization = build.organization(video_limit=32, daily=10)
    for number in range(4):
        build.track(organization, daily=10 + number)
    build.track(organization, pending_initial_fetch=True)
    build.track(organization, platform="Instagram")
    build.track(organization, is_active=False)
    with pool.connection() as connection:
        suspend_platform(connection, Platform.INSTAGRAM, datetime.now(UTC) + timedelta(hours=1), "invalid credentials")
    preview = previewed(pool, organization)
    plan(pool)
    assert preview == planned(build, organization)
    assert {"full", "skip"} <= {decision for decision, _, _ in preview.values()}


def test_accounts_of_others_use_up_the_units_of_the_day_first(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    other, organization = build.organization(), build.organization()
    for _ in range(5):
        build.track(other, platform="YouTube")
    for _ in range(5):
        build.track(organization, platform="YouTube")
    with pool.connection() as connection:
        spent = get_settings().youtube_daily_units - 8
        record_units(connection, datetime.now(UTC), {RequestUse.LISTING: spent})
    preview = previewed(pool, organization)
    plan(pool)
    assert preview == planned(build, organization)


def test_a_preview_writes_nothing_and_a_period_without_a_usage_is_unused(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    organization = build.organization(video_limit=10)
    build.run("delete from subscription_usage")
    tracked = build.track(organization)
    assert previewed(pool, organization) == {tracked.tracking_id: ("full", 10, None)}
    for table in ("subscription_usage", "runs", "run_accounts", "fetches"):
        assert build.value(f"select count(*) from {table}") == 0, table  # noqa: S608 - names of tables


def test_planning_inserts_the_usage_of_a_period_that_has_none(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    organization = build.organization(video_limit=10)
    build.run("delete from subscription_usage")
    build.track(organization)
    preview = previewed(pool, organization)
    plan(pool)
    assert preview == planned(build, organization)
    assert build.value("select reserved from subscription_usage") == 10


def test_an_unknown_organization_is_an_error(pool: ConnectionPool) -> None:
    with pytest.raises(OrganizationNotFoundError):
        preview_run(pool, uuid4())
