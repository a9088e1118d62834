"""States of accounts: confirmed by a second sighting, reversible, with a history that members read."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.database.fetch_settlement import FetchOutcome
from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.domain.ledger import FetchState
from tests.support.database_builder import DatabaseBuilder
from tests.support.ledger_steps import REMOVE_FETCHES, claim, fetch_ids, plan, settle, videos

SEEN = {
    FetchState.PRIVATE: "private",
    FetchState.NOT_FOUND: "not_found",
    FetchState.EMPTY: "empty",
    FetchState.SUCCEEDED: "active",
    FetchState.PARTIAL: "active",
}


@pytest.fixture(autouse=True)
def invariants_hold(admin: Connection) -> Iterator[None]:
    yield
    assert not any(check_invariants(admin).values())


@pytest.fixture
def blogger(build: DatabaseBuilder) -> UUID:
    return build.track(build.organization(video_limit=100_000)).blogger_id


def see(pool: ConnectionPool, *outcomes: FetchState) -> None:
    """Make one fetch for each outcome."""
    for outcome in outcomes:
        (fetch_id,) = fetch_ids(pool, plan(pool))
        found = videos(1) if outcome in {FetchState.SUCCEEDED, FetchState.PARTIAL} else []
        settle(pool, claim(pool, fetch_id), FetchOutcome(outcome, found))


def state(build: DatabaseBuilder) -> str:
    return str(build.value("select account_state from blogger_information"))


def history(build: DatabaseBuilder) -> list[str]:
    return [each for (each,) in build.rows("select state from account_state_changes order by id")]


@pytest.mark.usefixtures("blogger")
@pytest.mark.parametrize("outcome", [FetchState.PRIVATE, FetchState.NOT_FOUND, FetchState.EMPTY])
def test_a_state_is_shown_and_kept_after_the_second_sighting_with_the_date_of_the_first(
    build: DatabaseBuilder, pool: ConnectionPool, outcome: FetchState
) -> None:
    see(pool, outcome)
    assert (state(build), history(build)) == ("active", [])
    first = build.value("select last_scraped_at from tracked_accounts")
    see(pool, outcome)
    assert build.rows("select account_state, account_state_since, sighted_state from blogger_information") == [
        (SEEN[outcome], first, None)
    ]
    ((kept, since, reason, fetch_id),) = build.rows("select state, since, reason, fetch_id from account_state_changes")
    assert (kept, since, fetch_id) == (SEEN[outcome], first, build.value("select max(id) from fetches"))
    assert reason == build.value("select account_state_reason from blogger_information")
    assert reason.endswith(".")


@pytest.mark.usefixtures("blogger")
def test_two_attempts_of_one_fetch_are_one_sighting(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    (fetch_id,) = fetch_ids(pool, plan(pool))
    for _ in range(2):
        settle(pool, claim(pool, fetch_id), FetchOutcome(FetchState.PRIVATE))
    assert state(build) == "active"
    see(pool, FetchState.PRIVATE)
    assert state(build) == "private"


@pytest.mark.usefixtures("blogger")
def test_an_account_that_lists_videos_again_is_active_at_once_and_the_history_is_kept(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    see(pool, FetchState.PRIVATE, FetchState.PRIVATE, FetchState.SUCCEEDED)
    assert (state(build), history(build)) == ("active", ["private", "active"])


@pytest.mark.usefixtures("blogger")
def test_a_failed_attempt_is_no_sighting_and_does_not_end_a_row_of_sightings(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    see(pool, FetchState.NOT_FOUND, FetchState.FAILED)
    assert state(build) == "active"
    see(pool, FetchState.NOT_FOUND)
    assert state(build) == "not_found"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(list(SEEN)), min_size=1, max_size=7))
def test_only_videos_or_two_equal_sightings_in_a_row_change_the_state(
    build: DatabaseBuilder, pool: ConnectionPool, outcomes: list[FetchState]
) -> None:
    build.run("update tracked_accounts set is_active = false")
    blogger = build.track(build.organization(video_limit=100_000)).blogger_id
    expected, changes, before = "active", [], "active"
    for outcome in outcomes:
        see(pool, outcome)
        seen = SEEN[outcome]
        if seen != expected and seen in {"active", before}:
            expected = seen
            changes.append(seen)
        before = seen
    assert build.value("select account_state from blogger_information where id = %(id)s", id=blogger) == expected
    kept = build.rows("select state from account_state_changes where blogger_id = %(id)s order by id", id=blogger)
    assert [each for (each,) in kept] == changes


def test_a_rename_is_kept_with_both_names(build: DatabaseBuilder, blogger: UUID) -> None:
    old = build.value("select username from blogger_information")
    build.run("update blogger_information set username = 'new_name' where id = %(id)s", id=blogger)
    build.run("update blogger_information set username = 'new_name', channel_name = 'x' where id = %(id)s", id=blogger)
    assert build.rows("select state, old_username, new_username from account_state_changes") == [
        ("renamed", old, "new_name")
    ]


def test_the_history_is_removed_with_its_blogger_and_with_nothing_else(
    build: DatabaseBuilder, pool: ConnectionPool, blogger: UUID
) -> None:
    see(pool, FetchState.PRIVATE, FetchState.PRIVATE)
    build.run(REMOVE_FETCHES)
    assert history(build) == ["private"]
    build.run("delete from tracked_accounts")
    build.run("delete from blogger_information where id = %(id)s", id=blogger)
    assert history(build) == []
