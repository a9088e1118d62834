"""Tracked accounts and organizations that are deleted before, while and after they are fetched."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

import psycopg
import pytest
from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.database import fetch_claims
from blogger_tracking.database.fetch_claims import ClaimRefused
from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.domain import planning
from blogger_tracking.domain.claims import AllocationClaim, Claim, CurrentAllocation, claim_allocation
from blogger_tracking.domain.planning import Plan, PlanningConstraints, TrackedAccount
from blogger_tracking.usecases.finish_run import finish_run
from tests.support.database_builder import DatabaseBuilder, Tracked
from tests.support.database_server import DatabaseServer
from tests.support.ledger_steps import claim, fetch_ids, new_key, plan, succeed, try_claim
from tests.support.waiting import wait_until

DELETE_ACCOUNT = "delete from blogger_tracking.tracked_accounts where id = %(id)s"
DELETE_ORGANIZATION = "delete from blogger_tracking.organizations where id = %(id)s"

OPEN_ROWS = """
select
    (select count(*) from fetch_attempts where outcome is null)
    + (select count(*) from fetches where state in ('planned', 'running'))
    + (select count(*) from fetch_allocations where reserved > 0)
"""

WAITERS = """
select count(*)
from pg_stat_activity
where wait_event_type = 'Lock' and datname = current_database() and pid <> pg_backend_pid()
"""


@pytest.fixture(autouse=True)
def nothing_stays_open(admin: Connection, build: DatabaseBuilder) -> Iterator[None]:
    """Every invariant holds at the end, no attempt and no fetch is open, and nothing is reserved."""
    yield
    assert {name: count for name, count in check_invariants(admin).items() if count} == {}
    assert build.value(OPEN_ROWS) == 0


@pytest.fixture
def owner(server: DatabaseServer, database: str) -> Iterator[Connection]:
    """Another connection of the owner of the schema."""
    with psycopg.connect(server.conninfo(database), autocommit=True) as connection:
        yield connection


@pytest.fixture
def blogger(build: DatabaseBuilder) -> UUID:
    return build.blogger()


def delete_account(build: DatabaseBuilder, tracked: Tracked) -> None:
    build.run(DELETE_ACCOUNT, id=tracked.tracking_id)


def delete_organization(build: DatabaseBuilder, tracked: Tracked) -> None:
    build.run(DELETE_ORGANIZATION, id=tracked.organization_id)


Delete: TypeAlias = Callable[[DatabaseBuilder, Tracked], None]

each_deletion = pytest.mark.parametrize("delete", [delete_account, delete_organization])


@each_deletion
def test_a_fetch_whose_accounts_are_all_deleted_before_the_claim_ends_as_skipped(
    build: DatabaseBuilder, pool: ConnectionPool, delete: Delete
) -> None:
    tracked = build.track(build.organization())
    key = new_key()
    (fetch_id,) = fetch_ids(pool, plan(pool, key))
    delete(build, tracked)
    refused = try_claim(pool, fetch_id)
    assert isinstance(refused, ClaimRefused)
    assert refused.reason == "removed"
    assert build.rows("select state, reason from fetches") == [("skipped", "removed")]
    assert build.rows("select outcome, reason from fetch_attempts") == [("skipped", "removed")]
    assert finish_run(pool, key, 0.2) == []


@each_deletion
def test_the_other_organizations_of_a_fetch_are_served_without_the_deleted_one(
    build: DatabaseBuilder, pool: ConnectionPool, delete: Delete, blogger: UUID
) -> None:
    deleted = build.track(build.organization(daily=30), blogger)
    other = build.track(build.organization(daily=10), blogger)
    key = new_key()
    (fetch_id,) = fetch_ids(pool, plan(pool, key))
    delete(build, deleted)
    claimed = claim(pool, fetch_id)
    assert claimed.target_count == 10
    assert succeed(pool, claimed, returned=10).charged == {other.organization_id: 10}
    assert build.rows("select distinct organization_id from organization_videos") == [(other.organization_id,)]
    finish_run(pool, key, 0.2)


@each_deletion
def test_a_deletion_between_the_two_round_trips_of_a_claim_is_found(
    build: DatabaseBuilder, pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch, delete: Delete
) -> None:
    tracked = build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool))

    def decide(allocation: CurrentAllocation, moment: datetime) -> AllocationClaim:
        delete(build, tracked)
        return claim_allocation(allocation, moment)

    monkeypatch.setattr(fetch_claims, "claim_allocation", decide)
    refused = try_claim(pool, fetch_id)
    assert isinstance(refused, ClaimRefused)
    assert refused.reason == "removed"


def test_an_account_that_is_deleted_after_the_claim_is_charged_and_gets_its_videos(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    tracked = build.track(build.organization())
    key = new_key()
    (fetch_id,) = fetch_ids(pool, plan(pool, key))
    claimed = claim(pool, fetch_id)
    delete_account(build, tracked)
    assert succeed(pool, claimed, returned=10).charged == {tracked.organization_id: 10}
    assert build.value("select count(*) from organization_videos") == 10
    finish_run(pool, key, 0.2)


@pytest.mark.parametrize("shared", [False, True])
def test_an_organization_that_is_deleted_after_the_claim_is_not_charged_and_the_others_are(
    build: DatabaseBuilder, pool: ConnectionPool, blogger: UUID, *, shared: bool
) -> None:
    deleted = build.track(build.organization(), blogger)
    others = {build.track(build.organization(), blogger).organization_id} if shared else set()
    key = new_key()
    (fetch_id,) = fetch_ids(pool, plan(pool, key))
    claimed = claim(pool, fetch_id)
    delete_organization(build, deleted)
    assert succeed(pool, claimed, returned=10).charged == dict.fromkeys(others, 10)
    assert finish_run(pool, key, 0.2) == []


@each_deletion
def test_what_is_deleted_after_the_settlement_violates_no_invariant(
    build: DatabaseBuilder, pool: ConnectionPool, delete: Delete, blogger: UUID
) -> None:
    deleted = build.track(build.organization(), blogger)
    build.track(build.organization(), blogger)
    key = new_key()
    (fetch_id,) = fetch_ids(pool, plan(pool, key))
    succeed(pool, claim(pool, fetch_id), returned=10)
    finish_run(pool, key, 0.2)
    delete(build, deleted)
    succeed(pool, claim(pool, fetch_id), returned=10)


@each_deletion
def test_the_end_of_a_run_releases_what_a_deleted_account_had_planned(
    build: DatabaseBuilder, pool: ConnectionPool, delete: Delete
) -> None:
    tracked = build.track(build.organization())
    key = new_key()
    plan(pool, key)
    delete(build, tracked)
    finish_run(pool, key, 0.2)
    assert build.value("select state from fetches") == "released"
    assert build.value("select count(*) from run_accounts") == 1


def test_an_account_that_is_added_again_has_its_charges_before_in_the_ledger(
    build: DatabaseBuilder, pool: ConnectionPool, blogger: UUID
) -> None:
    organization = build.organization()
    for _ in range(2):
        key = new_key()
        tracked = build.track(organization, blogger)
        (fetch_id,) = fetch_ids(pool, plan(pool, key))
        succeed(pool, claim(pool, fetch_id), returned=10)
        finish_run(pool, key, 0.2)
        delete_account(build, tracked)
    assert build.rows("select videos_fetched, reserved from subscription_usage") == [(20, 0)]
    assert build.rows('select "userId", daily_videos_count from blogger_video_queue') == [(None, 10)] * 2


@contextmanager
def uncommitted(connection: Connection, tracked: Tracked, *, commit: bool) -> Generator[None]:
    """Delete an organization, and commit or roll back at the end of the block."""
    with connection.transaction(force_rollback=not commit):
        connection.execute(DELETE_ORGANIZATION, {"id": tracked.organization_id})
        yield


def once_it_waits(build: DatabaseBuilder, work: Future[Any]) -> None:
    """Return once the work waits for a lock."""
    wait_until(lambda: bool(build.value(WAITERS)) or work.done(), timeout_seconds=20)
    assert not work.done()


@pytest.mark.parametrize("commit", [False, True])
def test_a_settlement_waits_for_the_deletion_of_an_organization_in_progress(
    build: DatabaseBuilder, pool: ConnectionPool, owner: Connection, blogger: UUID, *, commit: bool
) -> None:
    deleted = build.track(build.organization(), blogger)
    other = build.track(build.organization(), blogger)
    key = new_key()
    (fetch_id,) = fetch_ids(pool, plan(pool, key))
    claimed = claim(pool, fetch_id)
    with ThreadPoolExecutor(1) as executor:
        with uncommitted(owner, deleted, commit=commit):
            settling = executor.submit(succeed, pool, claimed, 10)
            once_it_waits(build, settling)
        charged = settling.result().charged
    assert charged == ({} if commit else {deleted.organization_id: 10}) | {other.organization_id: 10}
    assert build.value("select count(*) from organization_videos") == (10 if commit else 20)
    finish_run(pool, key, 0.2)


@pytest.mark.parametrize("commit", [False, True])
def test_a_claim_waits_for_the_deletion_of_an_organization_in_progress(
    build: DatabaseBuilder, pool: ConnectionPool, owner: Connection, *, commit: bool
) -> None:
    deleted = build.track(build.organization())
    key = new_key()
    (fetch_id,) = fetch_ids(pool, plan(pool, key))
    with ThreadPoolExecutor(1) as executor:
        with uncommitted(owner, deleted, commit=commit):
            claiming = executor.submit(try_claim, pool, fetch_id)
            once_it_waits(build, claiming)
        claimed = claiming.result()
    assert isinstance(claimed, ClaimRefused if commit else Claim)
    finish_run(pool, key, 0.2)


@pytest.mark.parametrize("commit", [False, True])
def test_planning_waits_for_the_deletion_of_an_organization_in_progress(
    build: DatabaseBuilder, pool: ConnectionPool, owner: Connection, *, commit: bool
) -> None:
    deleted = build.track(build.organization())
    build.track(build.organization())
    key = new_key()
    with ThreadPoolExecutor(1) as executor:
        with uncommitted(owner, deleted, commit=commit):
            planning_run = executor.submit(plan, pool, key)
            once_it_waits(build, planning_run)
        planned = planning_run.result()
    assert len(fetch_ids(pool, planned)) == (1 if commit else 2)
    finish_run(pool, key, 0.2)


@each_deletion
def test_a_deletion_that_begins_while_a_run_is_planned_neither_fails_nor_makes_planning_fail(
    build: DatabaseBuilder,
    pool: ConnectionPool,
    owner: Connection,
    monkeypatch: pytest.MonkeyPatch,
    delete: Delete,
    blogger: UUID,
) -> None:
    deleted = build.track(build.organization(), blogger)
    other = build.track(build.organization(), blogger)
    make_plan = planning.plan
    statement, tracked_id = (
        (DELETE_ACCOUNT, deleted.tracking_id)
        if delete is delete_account
        else (DELETE_ORGANIZATION, deleted.organization_id)
    )
    with ThreadPoolExecutor(1) as executor:
        deletions: list[Future[Any]] = []

        def plan_meanwhile(accounts: Sequence[TrackedAccount], constraints: PlanningConstraints) -> Plan:
            deletions.append(executor.submit(owner.execute, statement, {"id": tracked_id}))
            wait_until(lambda: bool(build.value(WAITERS)) or deletions[0].done(), timeout_seconds=20)
            return make_plan(accounts, constraints)

        monkeypatch.setattr(planning, "plan", plan_meanwhile)
        key = new_key()
        (fetch_id,) = fetch_ids(pool, plan(pool, key))
        deletions[0].result()
    assert succeed(pool, claim(pool, fetch_id), returned=5).charged == {other.organization_id: 5}
    finish_run(pool, key, 0.2)


def fetch_all(pool: ConnectionPool, executor: ThreadPoolExecutor) -> None:
    """Plan a run, fetch its bloggers at once, and finish the run."""
    key = new_key()

    def fetch(fetch_id: int) -> None:
        claimed = try_claim(pool, fetch_id)
        if isinstance(claimed, Claim):
            succeed(pool, claimed, returned=10, first=fetch_id % 7 * 5)

    for each in [executor.submit(fetch, fetch_id) for fetch_id in fetch_ids(pool, plan(pool, key))]:
        each.result()
    finish_run(pool, key, 0.2)


def test_organizations_are_deleted_while_many_bloggers_are_planned_claimed_and_settled(
    build: DatabaseBuilder, pool: ConnectionPool, owner: Connection
) -> None:
    organizations = [build.organization(video_limit=100_000) for _ in range(6)]
    bloggers = [build.blogger() for _ in range(6)]
    for organization, each_blogger in itertools.product(organizations, bloggers):
        build.track(organization, each_blogger)

    def delete() -> None:
        for organization in organizations[:-1]:
            owner.execute(DELETE_ORGANIZATION, {"id": organization})
            time.sleep(0.2)

    with ThreadPoolExecutor(6) as executor:
        deleting = executor.submit(delete)
        while not deleting.done():
            fetch_all(pool, executor)
        deleting.result()
    assert build.rows("select id from organizations") == [(organizations[-1],)]
