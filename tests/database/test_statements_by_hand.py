"""Statements that people execute by hand, before, while and after a blogger is fetched: refused, or harmless."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import psycopg
import pytest
from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.domain.claims import Claim
from blogger_tracking.settings import Settings
from blogger_tracking.usecases.finish_run import finish_run
from blogger_tracking.usecases.maintain_database import remove_old_runs
from tests.support.database_builder import DatabaseBuilder
from tests.support.ledger_steps import claim, fetch_ids, new_key, plan, succeed, try_claim

HARMLESS = (
    "delete from subscriptions",
    "delete from organization_members",
    "delete from auth.users",
    "delete from campaigns",
    "delete from blogger_campaign",
    "delete from blogger_tags",
    "delete from tracked_accounts",
    "delete from organizations",
    "delete from videos",
    "delete from statistics_readers",
    "delete from runs where not exists (select from fetches where fetches.run_id = runs.id)",
    "update subscriptions set video_limit = 0",
    "update subscriptions set video_limit = 1000000",
    "update subscriptions set period_end = now()",
    "update subscriptions set period_end = period_end + interval '1 year'",
    "update subscriptions set blogger_limit = 0",
    "update organizations set daily_videos_count = 1",
    "update tracked_accounts set daily_videos_count = 500",
    "update tracked_accounts set user_id = null",
    "truncate subscriptions",
    "truncate tracked_accounts",
    "truncate organization_members, campaigns, blogger_campaign, blogger_tags",
    "truncate videos cascade",
)

REFUSED = {
    "delete from subscription_usage": psycopg.errors.CheckViolation,
    "delete from fetch_allocations": psycopg.errors.CheckViolation,
    "delete from run_accounts": psycopg.errors.CheckViolation,
    "delete from blogger_information": psycopg.errors.ForeignKeyViolation,
    "delete from runs": psycopg.errors.ForeignKeyViolation,
    "delete from fetches": psycopg.errors.ForeignKeyViolation,
    "update subscriptions set period_start = period_start - interval '1 day'": psycopg.errors.CheckViolation,
    "truncate subscription_usage cascade": psycopg.errors.ObjectNotInPrerequisiteState,
    "truncate organizations cascade": psycopg.errors.ObjectNotInPrerequisiteState,
    "truncate blogger_information cascade": psycopg.errors.ObjectNotInPrerequisiteState,
    "truncate runs cascade": psycopg.errors.ObjectNotInPrerequisiteState,
    "truncate run_accounts": psycopg.errors.ObjectNotInPrerequisiteState,
    "truncate fetches cascade": psycopg.errors.ObjectNotInPrerequisiteState,
    "truncate fetch_allocations": psycopg.errors.ObjectNotInPrerequisiteState,
    "truncate fetch_attempts cascade": psycopg.errors.ObjectNotInPrerequisiteState,
}

Change: TypeAlias = Callable[[], None]


def fetch_with(build: DatabaseBuilder, pool: ConnectionPool, moment: str, change: Change) -> None:
    """Plan, claim and settle one fetch, end its run, and plan another; make the change at a moment of that."""
    organization = build.organization()
    member = build.member(organization)
    tracked = build.track(organization)
    build.run("update tracked_accounts set user_id = %(user)s", user=member)
    build.run(
        "insert into blogger_campaign values (%(campaign)s, %(blogger)s)",
        campaign=build.campaign(organization),
        blogger=tracked.blogger_id,
    )
    key = new_key()
    (fetch_id,) = fetch_ids(pool, plan(pool, key))
    if moment == "before the claim":
        change()
    claimed = try_claim(pool, fetch_id)
    if moment == "before the settlement":
        change()
    if isinstance(claimed, Claim):
        succeed(pool, claimed, returned=8)
    if moment == "after the settlement":
        change()
    finish_run(pool, key, 0.2)
    later = new_key()
    for planned in fetch_ids(pool, plan(pool, later)):
        succeed(pool, claim(pool, planned), returned=8, first=5)
    finish_run(pool, later, 0.2)


@pytest.mark.parametrize("moment", ["before the claim", "before the settlement", "after the settlement"])
@pytest.mark.parametrize("statement", HARMLESS)
def test_a_harmless_statement_violates_no_invariant_and_leaves_nothing_open(
    build: DatabaseBuilder, pool: ConnectionPool, admin: Connection, statement: str, moment: str
) -> None:
    def change() -> None:
        build.run(statement)
        assert {name: count for name, count in check_invariants(admin).items() if count} == {}

    fetch_with(build, pool, moment, change)
    assert {name: count for name, count in check_invariants(admin).items() if count} == {}
    assert build.value("select count(*) from fetch_attempts where outcome is null") == 0
    assert build.value("select coalesce(sum(reserved), 0) from fetch_allocations") == 0


@pytest.mark.parametrize("statement", REFUSED)
def test_a_statement_that_would_tear_the_ledger_apart_is_refused(
    build: DatabaseBuilder, pool: ConnectionPool, admin: Connection, statement: str
) -> None:
    def change() -> None:
        with pytest.raises(REFUSED[statement]):
            build.run(statement)

    for moment in ("before the claim", "before the settlement", "after the settlement"):
        fetch_with(build, pool, moment, change)
        build.run("update tracked_accounts set is_active = false")
    assert {name: count for name, count in check_invariants(admin).items() if count} == {}


def test_a_period_that_is_inserted_again_keeps_the_limits_that_its_videos_were_granted_by(
    build: DatabaseBuilder, pool: ConnectionPool, admin: Connection
) -> None:
    build.track(build.organization())
    key = new_key()
    (fetch_id,) = fetch_ids(pool, plan(pool, key))
    succeed(pool, claim(pool, fetch_id), returned=10)
    finish_run(pool, key, 0.2)
    ((organization, start, end),) = build.rows(
        "delete from subscriptions returning organization_id, period_start, period_end"
    )
    build.run(
        "insert into subscriptions values (%(organization)s, %(start)s, %(end)s, 'small', 5, 100)",
        organization=organization,
        start=start,
        end=end,
    )
    assert check_invariants(admin)["over_limit"] == 0


def test_the_usage_of_a_period_is_kept_after_retention_has_removed_its_allocations(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    build.track(build.organization())
    key = new_key()
    (fetch_id,) = fetch_ids(pool, plan(pool, key))
    succeed(pool, claim(pool, fetch_id), returned=10)
    finish_run(pool, key, 0.2)
    build.run("delete from thumbnail_queue")
    build.run("update videos set thumbnail_url = null")
    remove_old_runs(pool, Settings(), datetime.now(UTC) + timedelta(days=200))
    assert build.value("select count(*) from fetch_allocations") == 0
    with pytest.raises(psycopg.errors.CheckViolation, match="usage is kept"):
        build.run("delete from subscription_usage")


def test_a_period_and_a_usage_without_videos_may_be_moved_and_deleted(build: DatabaseBuilder) -> None:
    build.organization()
    build.run("update subscriptions set period_start = period_start - interval '1 day'")
    build.run("delete from subscription_usage")
