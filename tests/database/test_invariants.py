"""Each invariant counts what it is meant to count: contracts section 5."""

from __future__ import annotations

import pytest
from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.database.fetch_settlement import FetchOutcome
from blogger_tracking.database.invariants import INVARIANTS, check_invariants
from blogger_tracking.domain.ledger import FetchState
from blogger_tracking.domain.models import Platform
from blogger_tracking.usecases.finish_run import finish_run
from tests.support.database_builder import DatabaseBuilder
from tests.support.ledger_steps import claim, fetch_ids, new_key, plan, settle, succeed, videos

BREAKS = {
    "lost": "delete from run_accounts",
    "unfinished": "update fetches set state = 'running', lease_expires_at = now()",
    "duplicate_charges": "update fetch_allocations set charged = charged - 1",
    "over_limit": "update subscription_usage set opening = 1000000",
    "ledger_is_usage": "update subscription_usage set videos_fetched = videos_fetched + 1",
    "unproven_last_scraped_at": "update tracked_accounts set last_scraped_at = clock_timestamp() + interval '1 hour'",
    "videos_without_follow_up": "delete from high_priority_queue",
    "stuck_initial_fetches": """
        update tracked_accounts
        set created_at = now() - interval '2 days', initial_videos_fetched = false, last_scraped_at = null
    """,
}


@pytest.fixture
def sound(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    """A database after a run in which everything went well."""
    build.track(build.organization(), platform="YouTube")
    key = new_key()
    (fetch_id,) = fetch_ids(pool, plan(pool, key))
    settle(pool, claim(pool, fetch_id), FetchOutcome(FetchState.SUCCEEDED, videos(10, Platform.YOUTUBE)))
    finish_run(pool, key, 0.2)


@pytest.mark.usefixtures("sound")
def test_all_are_zero_after_a_sound_run(admin: Connection) -> None:
    assert check_invariants(admin) == dict.fromkeys(INVARIANTS, 0)


@pytest.mark.usefixtures("sound")
@pytest.mark.parametrize("name", INVARIANTS)
def test_each_counts_its_violation(admin: Connection, build: DatabaseBuilder, name: str) -> None:
    build.run(BREAKS[name])
    assert check_invariants(admin)[name] > 0


@pytest.mark.usefixtures("sound")
def test_a_picture_without_a_message_is_an_orphan(admin: Connection, build: DatabaseBuilder) -> None:
    build.run("delete from thumbnail_queue")
    assert check_invariants(admin)["videos_without_follow_up"] == 10


def test_two_statistics_rows_of_one_video_and_fetch_are_a_double(
    build: DatabaseBuilder, pool: ConnectionPool, admin: Connection
) -> None:
    build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool))
    succeed(pool, claim(pool, fetch_id), returned=1)
    build.run(
        """
        insert into video_statistics (video_id, fetch_id, fetched_on, captured_at)
        select video_id, fetch_id, fetched_on + 1, captured_at from video_statistics
        """
    )
    assert check_invariants(admin)["duplicate_charges"] == 1


@pytest.mark.usefixtures("sound")
def test_a_lowered_limit_is_no_violation_for_what_was_charged_before(admin: Connection, build: DatabaseBuilder) -> None:
    build.run("update subscriptions set video_limit = 5")
    assert check_invariants(admin)["over_limit"] == 0


def test_what_expired_before_a_later_run_was_planned_is_unfinished(
    build: DatabaseBuilder, pool: ConnectionPool, admin: Connection
) -> None:
    build.track(build.organization())
    plan(pool)
    assert check_invariants(admin)["unfinished"] == 0
    build.run("update runs set expires_at = now() - interval '1 hour'")
    build.run(
        """
        insert into runs (deployment, dag_id, dag_run_id, planned_at, expires_at, active_accounts)
        values ('test', 'blogger_batch_fetch', 'later', now(), now() + interval '1 hour', 0)
        """
    )
    assert check_invariants(admin)["unfinished"] == 1
