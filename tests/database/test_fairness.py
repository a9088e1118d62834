"""Locks of one organization, and for which of these locks the operations of another organization wait."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg_pool import ConnectionPool

from blogger_tracking.database.blogger_additions import AdditionRequest, add_by_profile
from blogger_tracking.database.fetch_claims import lock_usage_and_fetch
from blogger_tracking.database.run_plans import RunScope, serialize_planning
from blogger_tracking.domain.models import BloggerProfile, Platform
from tests.support.database_builder import DatabaseBuilder
from tests.support.ledger_steps import claim, fetch_ids, plan, succeed
from tests.support.waiting import wait_until

PATIENCE_SECONDS = 10
"""Timeout of one operation, shorter than that of a lock."""

ACCOUNTS = 3

WAITING = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"


@dataclass(frozen=True)
class Organization:
    """An organization with planned fetches, and a member who adds bloggers."""

    pool: ConnectionPool
    id: UUID
    member: UUID
    fetches: list[int]

    @contextmanager
    def claim_locks(self) -> Generator[None]:
        """Hold the locks of a claim or a settlement."""
        with self.pool.connection() as connection, connection.transaction():
            lock_usage_and_fetch(connection, self.fetches[0])
            yield

    @contextmanager
    def addition_locks(self) -> Generator[None]:
        """Hold the locks of an addition."""
        with self.pool.connection() as connection, connection.transaction():
            add_by_profile(connection, AdditionRequest(self.member, self.id), profile())
            yield

    @contextmanager
    def planning_lock(self) -> Generator[None]:
        """Hold the lock of a planning."""
        with self.pool.connection() as connection, connection.transaction():
            serialize_planning(connection)
            yield

    def claim_and_save(self) -> object:
        return succeed(self.pool, claim(self.pool, self.fetches[1]), 2)

    def claim(self) -> object:
        return claim(self.pool, self.fetches[1])

    def plan_when_its_turn_comes(self, build: DatabaseBuilder, other: Organization) -> str:
        """Take the lock of a planning; return the state that the other organization's claimed fetch has then."""
        with self.planning_lock():
            return str(build.value("select state from fetches where id = %(id)s", id=other.fetches[1]))

    def add(self) -> object:
        with self.pool.connection() as connection:
            return add_by_profile(connection, AdditionRequest(self.member, self.id), profile())

    def plan(self) -> object:
        return plan(self.pool, scope=RunScope(organizations=(self.id,)))


def profile() -> BloggerProfile:
    name = f"new-{uuid4().hex[:12]}"
    values: dict[str, Any] = dict.fromkeys(("external_id", "sec_id", "username", "channel_name"), name)
    return BloggerProfile(platform=Platform.TIKTOK, subscribers=None, thumbnail_url=None, **values)


@pytest.fixture
def organizations(build: DatabaseBuilder, pool: ConnectionPool) -> tuple[Organization, Organization]:
    """Two organizations with bloggers that only one of them tracks."""
    created = []
    for _ in range(2):
        organization = build.organization(video_limit=100_000)
        for _ in range(ACCOUNTS):
            build.track(organization)
        created.append((organization, build.member(organization)))
    planned = fetch_ids(pool, plan(pool))
    first, second = (
        Organization(pool, organization, member, fetches_of(build, organization, planned))
        for organization, member in created
    )
    return first, second


def fetches_of(build: DatabaseBuilder, organization: UUID, fetches: list[int]) -> list[int]:
    """Return the fetches of an organization."""
    rows = build.rows(
        "select fetch_id from fetch_allocations where organization_id = %(organization)s", organization=organization
    )
    return sorted({fetch_id for (fetch_id,) in rows} & set(fetches))


@pytest.mark.parametrize(
    ("busy", "wanted"),
    [
        pytest.param(Organization.claim_locks, Organization.claim_and_save, id="claims beside claims"),
        pytest.param(Organization.claim_locks, Organization.add, id="additions beside claims"),
        pytest.param(Organization.addition_locks, Organization.claim_and_save, id="claims beside additions"),
        pytest.param(Organization.addition_locks, Organization.add, id="additions beside additions"),
        pytest.param(Organization.addition_locks, Organization.plan, id="planning beside additions"),
        pytest.param(Organization.planning_lock, Organization.add, id="additions beside planning"),
    ],
)
def test_an_organization_does_not_wait_for_what_another_one_holds(
    organizations: tuple[Organization, Organization],
    busy: Callable[[Organization], AbstractContextManager[None]],
    wanted: Callable[[Organization], object],
) -> None:
    large, small = organizations
    with ThreadPoolExecutor(1) as executor, busy(large):
        assert executor.submit(wanted, small).result(timeout=PATIENCE_SECONDS) is not None


def wait_for_waiting(build: DatabaseBuilder, number: int) -> None:
    """Return once so many sessions of the database wait for a lock."""
    wait_until(lambda: build.value(WAITING) == number, PATIENCE_SECONDS)


def test_a_claim_waits_for_the_planning_under_way_and_for_no_later_one(
    build: DatabaseBuilder, organizations: tuple[Organization, Organization]
) -> None:
    large, small = organizations
    with ThreadPoolExecutor(2) as executor:
        with large.planning_lock():
            claimed = executor.submit(small.claim)
            wait_for_waiting(build, 1)
            planned = executor.submit(large.plan_when_its_turn_comes, build, small)
            wait_for_waiting(build, 2)
        assert claimed.result(timeout=PATIENCE_SECONDS) is not None
        assert planned.result(timeout=PATIENCE_SECONDS) == "running"


def test_a_planning_waits_for_the_claims_under_way_and_for_no_later_one(
    build: DatabaseBuilder, organizations: tuple[Organization, Organization]
) -> None:
    large, small = organizations
    with ThreadPoolExecutor(2) as executor:
        with large.claim_locks():
            planned = executor.submit(small.plan_when_its_turn_comes, build, large)
            wait_for_waiting(build, 1)
            claimed = executor.submit(large.claim)
            wait_for_waiting(build, 2)
        assert planned.result(timeout=PATIENCE_SECONDS) == "planned"
        assert claimed.result(timeout=PATIENCE_SECONDS) is not None
