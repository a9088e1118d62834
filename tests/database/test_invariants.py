"""Each invariant counts its violations."""

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
    "lost": "update runs set active_accounts = active_accounts + 1",
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
def sound_run(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    """A database after a run in which every fetch succeeded."""
    build.track(build.organization(), platform="YouTube")
    key = new_key()
    (fetch_id,) = fetch_ids(pool, plan(pool, key))
    settle(pool, claim(pool, fetch_id), FetchOutcome(FetchState.SUCCEEDED, videos(10, Platform.YOUTUBE)))
    finish_run(pool, key, 0.2)


@pytest.mark.usefixtures("sound_run")
def test_a_sound_run_violates_no_invariant(admin: Connection) -> None:
    assert check_invariants(admin) == dict.fromkeys(BREAKS, 0)


@pytest.mark.usefixtures("sound_run")
@pytest.mark.parametrize("name", [invariant.name for invariant in INVARIANTS])
def test_each_invariant_counts_its_violation(admin: Connection, build: DatabaseBuilder, name: str) -> None:
    build.run(BREAKS[name])
    assert check_invariants(admin)[name] > 0


@pytest.mark.usefixtures("sound_run")
def test_a_thumbnail_url_without_a_queue_message_is_a_violation(admin: Connection, build: DatabaseBuilder) -> None:
    build.run("delete from thumbnail_queue")
    assert check_invariants(admin)["videos_without_follow_up"] == 10


def test_two_statistics_rows_of_one_video_and_fetch_are_a_violation(
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


@pytest.mark.usefixtures("sound_run")
def test_a_limit_below_earlier_charges_is_no_violation(admin: Connection, build: DatabaseBuilder) -> None:
    build.run("update subscriptions set video_limit = 5")
    assert check_invariants(admin)["over_limit"] == 0


def test_a_fetch_of_a_run_that_expired_before_a_later_planning_is_unfinished(
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
