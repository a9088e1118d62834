"""Planning a run in the database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest
from psycopg.errors import UniqueViolation
from psycopg_pool import ConnectionPool

from blogger_tracking.database.fetch_claims import ClaimRefused, claim_fetch
from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.database.run_plans import RunScope
from blogger_tracking.domain.claims import Claim
from blogger_tracking.domain.errors import StaleClaimError
from blogger_tracking.usecases.finish_run import finish_run
from blogger_tracking.usecases.plan_run import plan_run
from tests.support.database_builder import DatabaseBuilder
from tests.support.ledger_steps import claim, fetch_ids, new_key, plan, succeed, try_claim


def decisions(build: DatabaseBuilder) -> dict[str, int]:
    return dict(build.rows("select coalesce(reason, decision), count(*) from run_accounts group by 1"))


def test_every_active_account_is_in_the_ledger_with_its_decision(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    full = build.organization(daily=10)
    build.track(full)
    build.track(full, pending_initial_fetch=True)
    build.track(full, is_active=False)
    build.track(build.organization(video_limit=None))
    out_of_quota = build.organization(video_limit=100, opening=95)
    build.track(out_of_quota)
    plan(pool)
    assert decisions(build) == {
        "planned": 1,
        "pending_initial_fetch": 1,
        "no_active_subscription": 1,
        "subscription_limit: asked 10, 5 left": 1,
    }
    assert build.value("select active_accounts from runs") == 4


def test_planning_adds_the_reservations_to_the_usage(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    organization = build.organization(video_limit=25, daily=10)
    for _ in range(4):
        build.track(organization)
    plan(pool)
    assert build.rows("select reserved, videos_fetched from subscription_usage") == [(20, 0)]
    assert build.value("select sum(reserved) from fetch_allocations") == 20


def test_a_partial_grant_is_the_number_of_videos_left(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    build.track(build.organization(video_limit=112, opening=100, daily=30))
    plan(pool)
    assert build.rows("select asked, granted, decision from fetch_allocations") == [(30, 12, "partial")]


def test_a_blogger_of_two_organizations_is_one_fetch_with_two_allocations(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    blogger = build.blogger()
    build.track(build.organization(daily=5), blogger)
    build.track(build.organization(daily=20), blogger)
    run = plan(pool)
    assert len(run.instances) == 1
    assert build.rows("select target_count from fetches") == [(20,)]
    assert build.value("select count(*) from fetch_allocations") == 2


def test_planning_the_same_run_again_returns_the_same_plan(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    organization = build.organization()
    build.track(organization)
    key = new_key()
    first = plan(pool, key)
    build.track(organization)
    assert plan(pool, key) == first
    assert build.value("select count(*) from fetches") == 1


def test_two_airflows_may_use_the_same_dag_run_id(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    build.track(build.organization())
    key = new_key()
    plan(pool, key)
    run = plan(pool, type(key)("another", key.dag_id, key.dag_run_id))
    assert run.instances == []
    assert decisions(build) == {"planned": 1, "already_running": 1}


def test_a_run_may_be_restricted_to_organizations_platforms_and_bloggers(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    organization = build.organization()
    wanted = build.track(organization, platform="YouTube")
    build.track(organization, platform="TikTok")
    build.track(build.organization(), platform="YouTube")
    scope = RunScope((organization,), ("YouTube",), (wanted.blogger_id,))
    plan(pool, scope=scope)
    assert build.rows("select blogger_id from fetches") == [(wanted.blogger_id,)]
    assert build.value("select active_accounts from runs") == 1


def test_the_least_recently_attempted_account_comes_first(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    organization = build.organization(video_limit=10, daily=10)
    accounts = [build.track(organization) for _ in range(3)]
    fetched = []
    for _ in range(3):
        run = plan(pool)
        (fetch_id,) = fetch_ids(pool, run)
        fetched.append(build.value("select blogger_id from fetches where id = %(id)s", id=fetch_id))
        # A response without videos releases the reservation: the next run has the same number of videos left.
        succeed(pool, claim(pool, fetch_id), returned=0)
    assert set(fetched) == {account.blogger_id for account in accounts}


def test_a_blogger_of_another_live_run_is_skipped(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    build.track(build.organization())
    first = plan(pool)
    assert plan(pool).instances == []
    (fetch_id,) = fetch_ids(pool, first)
    claimed = claim(pool, fetch_id)
    assert plan(pool).instances == []
    succeed(pool, claimed, returned=1)
    assert len(plan(pool).instances) == 1


def test_unfinished_fetches_of_an_ended_run_are_released_with_the_reason(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    build.track(build.organization())
    key = new_key()
    plan(pool, key)
    finish_run(pool, key, 0.2)
    assert build.rows("select state, reason from fetches") == [("released", "its run has ended")]
    assert build.rows("select reserved from subscription_usage") == [(0,)]
    assert len(plan(pool).instances) == 1


def test_unfinished_fetches_of_an_expired_run_are_released_by_the_next_planning(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    build.track(build.organization())
    plan_run(pool, new_key(), RunScope(), timedelta(seconds=-1))
    assert len(plan(pool).instances) == 1
    assert build.rows("select state, reason from fetches order by id") == [
        ("released", "its run has expired"),
        ("planned", None),
    ]


def test_a_fetch_that_was_claimed_after_its_run_had_expired_is_released_when_the_run_ends(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    build.track(build.organization())
    key = new_key()
    (fetch_id,) = fetch_ids(pool, plan_run(pool, key, RunScope(), timedelta(seconds=-1)))
    claim(pool, fetch_id)
    assert finish_run(pool, key, 1)
    assert build.rows("select state, reason from fetches") == [("released", "its run has ended")]
    with pool.connection() as connection:
        assert not any(check_invariants(connection).values())


def test_a_fetch_with_an_expired_lease_is_released_and_its_late_settlement_refused(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool))
    with pool.connection() as connection:
        claimed = claim_fetch(connection, fetch_id, timedelta(seconds=-1), "crashed")
    assert isinstance(claimed, Claim)
    assert len(plan(pool).instances) == 1
    assert build.rows("select outcome, reason from fetch_attempts") == [
        ("released", "the lease of its attempt has expired")
    ]
    with pytest.raises(StaleClaimError):
        succeed(pool, claimed, returned=3)
    assert build.value("select sum(reserved) from subscription_usage") == 10


def test_a_cleared_instance_of_an_ended_run_keeps_its_claim_while_its_lease_lasts(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    build.track(build.organization())
    key = new_key()
    (fetch_id,) = fetch_ids(pool, plan(pool, key))
    succeed(pool, claim(pool, fetch_id), returned=3)
    finish_run(pool, key, 0.2)
    rerun = claim(pool, fetch_id)
    assert plan(pool).instances == []
    succeed(pool, rerun, returned=4)
    assert build.value("select charged from fetch_allocations") == 4


def test_a_cleared_instance_of_an_old_run_is_refused_while_a_live_run_has_the_blogger(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    build.track(build.organization())
    old = new_key()
    (old_fetch,) = fetch_ids(pool, plan(pool, old))
    succeed(pool, claim(pool, old_fetch), returned=3)
    finish_run(pool, old, 0.2)
    plan(pool)
    refused = try_claim(pool, old_fetch)
    assert isinstance(refused, ClaimRefused)
    assert refused.reason == "already_running"
    assert build.value("select state from fetches where id = %(id)s", id=old_fetch) == "succeeded"


def test_concurrent_planners_plan_each_blogger_once(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    organization = build.organization(video_limit=1000)
    for _ in range(20):
        build.track(organization)
    with ThreadPoolExecutor(4) as threads:
        runs = list(threads.map(lambda _: plan(pool), range(4)))
    assert sorted(len(run.instances) for run in runs) == [0, 0, 0, 20]


def test_concurrent_planning_of_one_run_plans_it_once(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    build.track(build.organization())
    key = new_key()
    with ThreadPoolExecutor(4) as threads:
        runs = list(threads.map(lambda _: plan(pool, key), range(4)))
    assert all(run == runs[0] for run in runs)
    assert build.value("select count(*) from runs") == 1


def test_concurrent_claims_and_charges_never_exceed_the_limit(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    organization = build.organization(video_limit=55, daily=10)
    for _ in range(12):
        build.track(organization)
    fetches = fetch_ids(pool, plan(pool))

    def fetch(fetch_id: int) -> None:
        claimed = try_claim(pool, fetch_id)
        if not isinstance(claimed, Claim):
            return
        with suppress(StaleClaimError):
            succeed(pool, claimed, returned=9, first=fetch_id * 100)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(fetch, fetches * 3))
    assert build.value("select videos_fetched <= 55 from subscription_usage")
    with pool.connection() as connection:
        assert not any(check_invariants(connection).values())


def test_the_database_refuses_a_second_fetch_of_a_blogger_in_a_run_and_in_live_runs(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    build.track(build.organization())
    again = """
        insert into fetches (run_id, blogger_id, platform, fetched_on, target_count, task_id, map_index, state)
        select %(run)s, blogger_id, platform, fetched_on, target_count, task_id, map_index, %(state)s from fetches
    """
    first, second = plan(pool).run_id, plan(pool).run_id
    for run, state in ((first, "released"), (second, "planned")):
        with pytest.raises(UniqueViolation):
            build.run(again, run=run, state=state)


def test_the_batch_message_is_a_view_over_the_ledger(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    organization = build.organization(daily=7)
    tracked = build.track(organization)
    plan(pool)
    assert build.rows(
        'select "trackingId", daily_videos_count, organization_id, blogger_id, platform from blogger_video_queue'
    ) == [(tracked.tracking_id, 7, organization, tracked.blogger_id, "TikTok")]


def test_rows_that_violate_the_constraints_are_skipped_and_the_rest_is_planned(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    organization = build.organization()
    build.run("alter table blogger_information drop constraint blogger_information_platform_check")
    build.run("alter table blogger_information alter column external_id drop not null")
    build.run("alter table tracked_accounts drop constraint tracked_accounts_daily_videos_count_check")
    unknown, nameless, absurd = (build.track(organization) for _ in range(3))
    build.run("update blogger_information set platform = 'MySpace' where id = %(id)s", id=unknown.blogger_id)
    build.run("update blogger_information set external_id = null where id = %(id)s", id=nameless.blogger_id)
    build.run("update tracked_accounts set daily_videos_count = -7 where id = %(id)s", id=absurd.tracking_id)
    build.track(organization)
    run = plan(pool)
    assert len(run.instances) == 1
    assert decisions(build) == {
        "planned": 1,
        "invalid: unknown platform 'MySpace'": 1,
        "invalid: no external id": 1,
        "invalid: videos count -7, expected 1 to 500": 1,
    }
