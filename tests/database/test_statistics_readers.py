"""Statistics that members read: those of the fetches in which their organization took part."""

from __future__ import annotations

from uuid import UUID

import pytest
from psycopg import Connection
from psycopg_pool import ConnectionPool

from tests.support.database_builder import DatabaseBuilder
from tests.support.ledger_steps import REMOVE_FETCHES, claim, fetch_ids, plan, succeed
from tests.support.row_security import signed_in


def fetch(pool: ConnectionPool, returned: int = 3) -> int:
    """Make the fetch of the one blogger that is due, and return its id."""
    (fetch_id,) = fetch_ids(pool, plan(pool))
    succeed(pool, claim(pool, fetch_id), returned)
    return fetch_id


def read_fetches(admin: Connection, member: UUID) -> set[int]:
    """Return the fetches whose statistics the member reads."""
    with signed_in(admin, member) as person:
        return {fetch_id for (fetch_id,) in person.execute("select fetch_id from video_statistics").fetchall()}


@pytest.fixture
def one_after_the_other(build: DatabaseBuilder, pool: ConnectionPool) -> tuple[tuple[UUID, UUID], dict[UUID, set[int]]]:
    """Two organizations with the same videos of one blogger.

    Return both organizations, and the fetches in which each of them took part: one each, and one together.
    """
    early = build.track(build.organization())
    before = fetch(pool)
    late = build.track(build.organization(), early.blogger_id)
    together = fetch(pool)
    build.run("update tracked_accounts set is_active = false where id = %(id)s", id=early.tracking_id)
    after = fetch(pool)
    organizations = early.organization_id, late.organization_id
    return organizations, {organizations[0]: {before, together}, organizations[1]: {together, after}}


def test_a_member_reads_only_statistics_of_fetches_in_which_the_organization_took_part(
    admin: Connection,
    build: DatabaseBuilder,
    one_after_the_other: tuple[tuple[UUID, UUID], dict[UUID, set[int]]],
) -> None:
    organizations, took_part = one_after_the_other
    for organization in organizations:
        member = build.member(organization, "viewer")
        assert read_fetches(admin, member) == took_part[organization]
        assert (
            build.value("select count(*) from organization_videos where organization_id = %(id)s", id=organization) == 3
        )


def test_an_organization_that_a_fetch_skipped_does_not_read_its_statistics(
    admin: Connection, build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    paying = build.track(build.organization())
    skipped = build.track(build.organization(), paying.blogger_id)
    together = fetch(pool)
    (fetch_id,) = fetch_ids(pool, plan(pool))
    build.run("update tracked_accounts set is_active = false where id = %(id)s", id=skipped.tracking_id)
    succeed(pool, claim(pool, fetch_id), 3)
    assert read_fetches(admin, build.member(paying.organization_id)) == {together, fetch_id}
    assert read_fetches(admin, build.member(skipped.organization_id)) == {together}


@pytest.mark.parametrize(
    ("removal", "emptied"),
    [
        (REMOVE_FETCHES, "fetch_allocations"),
        ("delete from tracked_accounts", "tracked_accounts"),
    ],
)
def test_the_statistics_stay_readable_when_the_ledgers_rows_or_the_accounts_are_removed(
    admin: Connection,
    build: DatabaseBuilder,
    one_after_the_other: tuple[tuple[UUID, UUID], dict[UUID, set[int]]],
    removal: str,
    emptied: str,
) -> None:
    organizations, took_part = one_after_the_other
    build.run("delete from thumbnail_queue")
    build.run("delete from high_priority_queue")
    build.run(removal)
    assert build.rows(f"select from {emptied}") == []
    for organization in organizations:
        assert read_fetches(admin, build.member(organization)) == took_part[organization]


def test_an_organization_can_be_deleted_with_everything_it_reads(
    build: DatabaseBuilder, one_after_the_other: tuple[tuple[UUID, UUID], dict[UUID, set[int]]]
) -> None:
    (early, late), _ = one_after_the_other
    build.run("delete from thumbnail_queue")
    build.run("delete from high_priority_queue")
    build.run(REMOVE_FETCHES)
    for organization in (early, late):
        build.run("delete from organizations where id = %(id)s", id=organization)
    assert build.rows("select from statistics_readers") == []
