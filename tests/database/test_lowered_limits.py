"""A limit that is lowered while fetches are in flight: no violation, and a real overshoot still is one."""

from __future__ import annotations

import threading

import pytest
from psycopg import Connection, connect
from psycopg_pool import ConnectionPool

from blogger_tracking.database.fetch_claims import ClaimRefused
from blogger_tracking.database.fetch_settlement import FetchOutcome
from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.domain.ledger import FetchState
from tests.support.database_builder import DatabaseBuilder
from tests.support.database_server import DatabaseServer
from tests.support.ledger_steps import claim, fetch_ids, plan, settle, succeed, try_claim
from tests.support.waiting import wait_until

LOWER = "update subscriptions set video_limit = 5"

WAITING = """
select count(*) > 0
from pg_stat_activity
where wait_event_type = 'Lock' and datname = current_database()
"""


def over_limit(admin: Connection) -> int:
    return check_invariants(admin)["over_limit"]


def test_a_limit_lowered_between_planning_and_claim_is_no_violation(
    build: DatabaseBuilder, pool: ConnectionPool, admin: Connection
) -> None:
    build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool))
    build.run(LOWER)
    assert over_limit(admin) == 0
    assert isinstance(try_claim(pool, fetch_id), ClaimRefused)
    assert over_limit(admin) == 0


def test_a_limit_lowered_between_claim_and_settlement_is_no_violation(
    build: DatabaseBuilder, pool: ConnectionPool, admin: Connection
) -> None:
    build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool))
    claimed = claim(pool, fetch_id)
    build.run(LOWER)
    assert over_limit(admin) == 0
    succeed(pool, claimed, returned=10)
    assert over_limit(admin) == 0


def test_a_limit_lowered_after_the_settlement_is_no_violation(
    build: DatabaseBuilder, pool: ConnectionPool, admin: Connection
) -> None:
    build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool))
    succeed(pool, claim(pool, fetch_id), returned=10)
    build.run(LOWER)
    assert over_limit(admin) == 0


def test_fetches_that_were_claimed_before_and_after_the_limit_was_lowered_are_no_violation(
    build: DatabaseBuilder, pool: ConnectionPool, admin: Connection
) -> None:
    organization = build.organization()
    build.track(organization)
    build.track(organization)
    first, second = fetch_ids(pool, plan(pool))
    in_flight = claim(pool, first)
    build.run("update subscriptions set video_limit = 25")
    succeed(pool, claim(pool, second), returned=10)
    build.run(LOWER)
    assert over_limit(admin) == 0
    succeed(pool, in_flight, returned=10)
    assert over_limit(admin) == 0


def test_a_rerun_that_claims_nothing_more_does_not_count_as_granted_by_the_lowered_limit(
    build: DatabaseBuilder, pool: ConnectionPool, admin: Connection
) -> None:
    build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool))
    succeed(pool, claim(pool, fetch_id), returned=10)
    build.run(LOWER)
    try_claim(pool, fetch_id)
    assert over_limit(admin) == 0


@pytest.mark.parametrize(
    "overshoot",
    [
        "update fetch_allocations set reserved = 7, last_attempt_at = clock_timestamp()",
        "update fetch_allocations set charged = 7, charged_at = clock_timestamp()",
    ],
)
def test_videos_that_were_granted_beyond_the_lowered_limit_are_a_violation(
    build: DatabaseBuilder, pool: ConnectionPool, admin: Connection, overshoot: str
) -> None:
    build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool))
    settle(pool, claim(pool, fetch_id), FetchOutcome(FetchState.FAILED))
    build.run(LOWER)
    assert over_limit(admin) == 0
    build.run(overshoot)
    build.run(
        """
        update subscription_usage
        set
            reserved = (select sum(reserved) from fetch_allocations),
            videos_fetched = (select sum(charged) from fetch_allocations)
        """
    )
    assert over_limit(admin) == 1


def test_a_change_of_a_limit_is_recorded_after_the_claim_that_it_had_to_wait_for(
    build: DatabaseBuilder, pool: ConnectionPool, admin: Connection, server: DatabaseServer, database: str
) -> None:
    build.track(build.organization())
    plan(pool)
    with connect(server.conninfo(database)) as claiming, connect(server.conninfo(database), autocommit=True) as person:
        claiming.execute("select from blogger_tracking.subscription_usage for update")
        lowering = threading.Thread(
            target=person.execute, args=("update blogger_tracking.subscriptions set video_limit = 5",)
        )
        lowering.start()
        wait_until(lambda: build.value(WAITING), timeout_seconds=20)
        claiming.execute("update blogger_tracking.fetch_allocations set last_attempt_at = clock_timestamp()")
        claiming.commit()
        lowering.join()
    assert over_limit(admin) == 0
