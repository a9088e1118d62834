"""What an organization does leaves the others' work alone: nothing of theirs waits for its locks."""

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

PATIENCE_SECONDS = 10
"""Far above the time of any of these operations, and below the time-out of a lock."""

ACCOUNTS = 3


@dataclass(frozen=True)
class Organization:
    """An organization with planned fetches, and a member who adds bloggers."""

    pool: ConnectionPool
    id: UUID
    member: UUID
    fetches: list[int]

    @contextmanager
    def is_claiming(self) -> Generator[None]:
        """Hold the locks of a claim or a settlement."""
        with self.pool.connection() as connection, connection.transaction():
            lock_usage_and_fetch(connection, self.fetches[0])
            yield

    @contextmanager
    def is_adding(self) -> Generator[None]:
        """Hold the locks of an addition."""
        with self.pool.connection() as connection, connection.transaction():
            add_by_profile(connection, AdditionRequest(self.member, self.id), profile())
            yield

    @contextmanager
    def is_planned(self) -> Generator[None]:
        """Hold the lock of a planning."""
        with self.pool.connection() as connection, connection.transaction():
            serialize_planning(connection)
            yield

    def claim_and_save(self) -> object:
        return succeed(self.pool, claim(self.pool, self.fetches[1]), 2)

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
    """Two organizations that share one of their bloggers, as others do."""
    shared = build.blogger()
    created = []
    for _ in range(2):
        organization = build.organization(video_limit=100_000)
        build.track(organization, shared)
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
    """Return the fetches that are made for this organization alone."""
    rows = build.rows(
        """
        select fetch_id from fetch_allocations
        group by fetch_id having array_agg(organization_id) = array[%(organization)s]::uuid[]
        """,
        organization=organization,
    )
    return sorted({fetch_id for (fetch_id,) in rows} & set(fetches))


@pytest.mark.parametrize(
    ("busy", "wanted"),
    [
        pytest.param(Organization.is_claiming, Organization.claim_and_save, id="claims beside claims"),
        pytest.param(Organization.is_claiming, Organization.add, id="additions beside claims"),
        pytest.param(Organization.is_adding, Organization.claim_and_save, id="claims beside additions"),
        pytest.param(Organization.is_adding, Organization.add, id="additions beside additions"),
        pytest.param(Organization.is_adding, Organization.plan, id="planning beside additions"),
        pytest.param(Organization.is_planned, Organization.add, id="additions beside planning"),
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
