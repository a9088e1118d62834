"""Claiming while the rows on which the claim is based change, and many claims and settlements at once."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import pytest
from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.database import fetch_claims
from blogger_tracking.database.connections import open_pool
from blogger_tracking.database.fetch_claims import ClaimRefused
from blogger_tracking.database.fetch_settlement import FetchOutcome
from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.database.platform_suspensions import suspend_platform
from blogger_tracking.database.run_plans import RunScope
from blogger_tracking.domain.claims import AllocationClaim, Claim, CurrentAllocation, claim_allocation
from blogger_tracking.domain.errors import StaleClaimError
from blogger_tracking.domain.ledger import FetchState, SkipReason
from blogger_tracking.domain.models import Platform
from blogger_tracking.usecases.finish_run import finish_run
from tests.support.database_builder import DatabaseBuilder
from tests.support.ledger_steps import claim, fetch_ids, new_key, plan, settle, succeed, try_claim
from tests.support.waiting import wait_until

BetweenRoundTrips: TypeAlias = Callable[[Callable[[], object]], list[datetime]]
"""Runs a change after each read of a claim and before its write; returns the times of the reads."""

Meanwhile: TypeAlias = Callable[[Callable[[], object], int], Future[Claim | ClaimRefused]]
"""Makes a change, commits the change once a claim of a fetch waits for its locks, and returns the claim."""

THREADS = 50


@pytest.fixture
def between_round_trips(monkeypatch: pytest.MonkeyPatch) -> BetweenRoundTrips:
    def install(change: Callable[[], object]) -> list[datetime]:
        reads: list[datetime] = []

        def decide(allocation: CurrentAllocation, moment: datetime) -> AllocationClaim:
            if moment not in reads:
                reads.append(moment)
                change()
            return claim_allocation(allocation, moment)

        monkeypatch.setattr(fetch_claims, "claim_allocation", decide)
        return reads

    return install


def once(change: Callable[[], object]) -> Callable[[], object]:
    """Return a function that makes the change when called for the first time only."""
    changes = [change]

    def change_once() -> None:
        if changes:
            changes.pop()()

    return change_once


@pytest.fixture(autouse=True)
def invariants_hold(admin: Connection) -> Iterator[None]:
    yield
    assert not any(check_invariants(admin).values())


@pytest.fixture
def many(pipeline_conninfo: str) -> Iterator[ConnectionPool]:
    """Yield a pool with a connection for each thread."""
    opened = open_pool(pipeline_conninfo, connections=THREADS)
    yield opened
    opened.close()


CHANGES = {
    "no_active_subscription": "update subscriptions set period_end = now()",
    "inactive": "update tracked_accounts set is_active = false",
    "subscription_limit": "update subscriptions set video_limit = 5",
    "platform_suspended": """
        insert into platform_suspensions (platform, suspended_until, reason, suspended_at)
        values ('TikTok', now() + interval '1 hour', 'invalid credentials', now())
    """,
}


@pytest.mark.parametrize("reason", CHANGES)
def test_a_change_after_the_read_of_a_claim_refuses_the_claim(
    build: DatabaseBuilder, pool: ConnectionPool, between_round_trips: BetweenRoundTrips, reason: str
) -> None:
    build.track(build.organization(daily=30))
    (fetch_id,) = fetch_ids(pool, plan(pool))
    between_round_trips(once(lambda: build.run(CHANGES[reason])))
    refused = try_claim(pool, fetch_id)
    assert isinstance(refused, ClaimRefused)
    assert refused.reason == reason
    assert build.rows("select reserved, videos_fetched from subscription_usage") == [(0, 0)]


def test_a_limit_that_is_lowered_after_the_read_of_a_claim_lowers_the_claim(
    build: DatabaseBuilder, pool: ConnectionPool, between_round_trips: BetweenRoundTrips
) -> None:
    build.track(build.organization(daily=30))
    (fetch_id,) = fetch_ids(pool, plan(pool))
    between_round_trips(once(lambda: build.run("update subscriptions set video_limit = 12")))
    assert claim(pool, fetch_id).target_count == 12
    assert build.rows("select reserved from subscription_usage") == [(12,)]


def test_videos_that_another_fetch_reserves_after_the_read_of_a_claim_are_not_reserved_twice(
    build: DatabaseBuilder, pool: ConnectionPool, between_round_trips: BetweenRoundTrips
) -> None:
    first, second = two_failed_fetches_of_forty_videos(build, pool)
    between_round_trips(once(lambda: claim(pool, second)))
    assert claim(pool, first).target_count == 10
    assert build.rows("select reserved from subscription_usage") == [(40,)]


def test_an_attempt_that_is_charged_after_the_read_of_a_claim_lowers_the_reservation(
    build: DatabaseBuilder, pool: ConnectionPool, between_round_trips: BetweenRoundTrips
) -> None:
    build.track(build.organization(daily=30))
    (fetch_id,) = fetch_ids(pool, plan(pool))
    between_round_trips(once(lambda: succeed(pool, claim(pool, fetch_id), returned=20)))
    claimed = claim(pool, fetch_id)
    assert [allocation.reserved for allocation in claimed.allocations] == [10]
    assert build.rows("select videos_fetched, reserved from subscription_usage") == [(20, 10)]


def test_a_newer_run_that_plans_the_blogger_after_the_read_of_a_claim_refuses_the_claim(
    build: DatabaseBuilder, pool: ConnectionPool, between_round_trips: BetweenRoundTrips
) -> None:
    build.track(build.organization())
    key = new_key()
    (fetch_id,) = fetch_ids(pool, plan(pool, key))

    def end_and_plan() -> None:
        finish_run(pool, key, 0.2)
        plan(pool)

    between_round_trips(once(end_and_plan))
    refused = try_claim(pool, fetch_id)
    assert isinstance(refused, ClaimRefused)
    assert refused.reason == "already_running"
    assert build.rows("select reserved from subscription_usage") == [(10,)]


def test_a_run_that_ends_after_the_read_of_a_claim_ended_before_the_claim(
    build: DatabaseBuilder, pool: ConnectionPool, between_round_trips: BetweenRoundTrips
) -> None:
    build.track(build.organization())
    key = new_key()
    (fetch_id,) = fetch_ids(pool, plan(pool, key))
    succeed(pool, claim(pool, fetch_id), returned=10)
    between_round_trips(once(lambda: finish_run(pool, key, 0.2)))
    claim(pool, fetch_id)
    assert build.value("select fetches.claimed_at > runs.ended_at from fetches join runs on runs.id = fetches.run_id")


def test_a_claim_holds_no_lock_while_it_decides(
    build: DatabaseBuilder, pool: ConnectionPool, between_round_trips: BetweenRoundTrips
) -> None:
    build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool))
    between_round_trips(once(lambda: build.run("select from subscription_usage for update nowait")))
    claim(pool, fetch_id)


def test_a_usage_that_changes_nothing_about_the_decision_does_not_repeat_the_claim(
    build: DatabaseBuilder, pool: ConnectionPool, between_round_trips: BetweenRoundTrips
) -> None:
    organization = build.organization()
    build.track(organization)
    build.track(organization)
    first, second = fetch_ids(pool, plan(pool))
    claimed = claim(pool, second)
    reads = between_round_trips(once(lambda: succeed(pool, claimed, returned=3)))
    claim(pool, first)
    assert len(reads) == 1


def test_a_claim_whose_rows_change_after_every_read_decides_under_the_lock_at_last(
    build: DatabaseBuilder, pool: ConnectionPool, between_round_trips: BetweenRoundTrips
) -> None:
    build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool))

    def lower_limit() -> None:
        # Under the lock, a change of the subscription would wait for the claim.
        if len(reads) < 4:
            build.run("update subscriptions set video_limit = video_limit - 1")

    reads = between_round_trips(lower_limit)
    assert claim(pool, fetch_id).target_count == 10
    assert len(reads) == 4


@pytest.fixture
def meanwhile(admin: Connection, pool: ConnectionPool) -> Iterator[Meanwhile]:
    """Yield a function whose change is made with the connection of `build`."""
    with ThreadPoolExecutor(1) as thread:

        def claim_meanwhile(change: Callable[[], object], fetch_id: int) -> Future[Claim | ClaimRefused]:
            with admin.transaction():
                change()
                claiming = thread.submit(try_claim, pool, fetch_id)
                wait_until(lambda: admin.execute("select from pg_locks where not granted").rowcount > 0, 20)
            return claiming

        yield claim_meanwhile


def two_failed_fetches_of_forty_videos(build: DatabaseBuilder, pool: ConnectionPool) -> list[int]:
    """Return the ids of two fetches that ask for 30 videos each, while 40 are left for both."""
    organization = build.organization(daily=30)
    build.track(organization)
    build.track(organization)
    failed = fetch_ids(pool, plan(pool))
    for fetch_id in failed:
        settle(pool, claim(pool, fetch_id), FetchOutcome(FetchState.FAILED))
    build.run("update subscriptions set video_limit = 40")
    return failed


def test_a_claim_waits_for_a_claim_of_the_same_organization_that_is_not_committed_yet(
    build: DatabaseBuilder, pool: ConnectionPool, meanwhile: Meanwhile
) -> None:
    first, second = two_failed_fetches_of_forty_videos(build, pool)

    def reserve() -> None:
        build.run("update fetch_allocations set reserved = 30 where fetch_id = %(id)s", id=second)
        build.run("update subscription_usage set reserved = 30")

    claimed = meanwhile(reserve, first).result()
    assert isinstance(claimed, Claim)
    assert claimed.target_count == 10
    assert build.rows("select reserved from subscription_usage") == [(40,)]


def test_a_blogger_that_another_run_begins_to_fetch_at_the_same_time_is_fetched_once(
    build: DatabaseBuilder, pool: ConnectionPool, meanwhile: Meanwhile
) -> None:
    # The runs have no organization in common, so that neither claim waits for the usage that the other one locks.
    blogger = build.blogger()
    fetches = []
    for organization in (build.organization(), build.organization()):
        build.track(organization, blogger)
        key = new_key()
        fetches += fetch_ids(pool, plan(pool, key, RunScope(organizations=(organization,))))
        finish_run(pool, key, 1)
    first, second = fetches
    claiming = meanwhile(lambda: build.run("update fetches set state = 'planned' where id = %(id)s", id=second), first)
    refused = claiming.result()
    assert isinstance(refused, ClaimRefused)
    assert refused.reason == SkipReason.ALREADY_RUNNING
    assert build.rows("select id from fetches where state in ('planned', 'running')") == [(second,)]
    build.run("update fetches set state = 'released' where state = 'planned'")


def fetch(pool: ConnectionPool, fetch_id: int, returned: int, first: int) -> None:
    """Claim a fetch and save `returned` videos, unless the claim is refused or superseded."""
    claimed = try_claim(pool, fetch_id)
    if not isinstance(claimed, Claim):
        return
    with suppress(StaleClaimError):
        succeed(pool, claimed, returned, first=first)


@pytest.mark.timeout(120)
def test_fifty_workers_at_the_last_quota_of_one_organization_never_exceed_it_by_one_video(
    build: DatabaseBuilder, many: ConnectionPool
) -> None:
    organization = build.organization(daily=25, video_limit=1250)
    for _ in range(THREADS):
        build.track(organization)
    fetches = fetch_ids(many, plan(many))
    for fetch_id in fetches:
        settle(many, claim(many, fetch_id), FetchOutcome(FetchState.FAILED))
    build.run("update subscriptions set video_limit = 115")
    chosen = random.Random(1)  # noqa: S311 - the same order in every run
    tries = [(fetch_id, chosen.randint(0, 25)) for fetch_id in fetches * 3]
    chosen.shuffle(tries)
    # Checked by the server in every transaction: a sample of the usage could miss the moment.
    build.run("alter table subscription_usage add constraint last_quota check (videos_fetched + reserved <= 115)")
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(lambda each: fetch(many, each[0], each[1], each[0] * 100), tries))
    charged, reserved = build.rows("select videos_fetched, reserved from subscription_usage")[0]
    assert charged > 100
    assert reserved == 0
    assert build.value("select sum(charged) from fetch_allocations") == charged
    assert build.value("select count(*) from organization_videos") == charged


@pytest.mark.timeout(120)
def test_writers_of_shared_organizations_and_videos_and_ending_runs_do_not_deadlock(
    build: DatabaseBuilder, many: ConnectionPool
) -> None:
    organizations = [build.organization(video_limit=400, daily=12) for _ in range(6)]
    chosen = random.Random(2)  # noqa: S311 - the same order in every run
    for _ in range(16):
        blogger = build.blogger()
        for organization in chosen.sample(organizations, 3):
            build.track(organization, blogger)
    key = new_key()
    tries = fetch_ids(many, plan(many, key)) * 6
    chosen.shuffle(tries)

    def work(number: int) -> None:
        if number % 4 == 0:
            # Locks all usage, and then the fetches that are running, to release them.
            finish_run(many, key, 1)
        # The fetches return overlapping ranges of the same videos.
        fetch(many, tries[number], returned=12, first=1 + number % 20)

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(work, range(len(tries))))
    assert build.value("select sum(reserved) from subscription_usage") == 0


def test_a_stale_attempt_that_has_saved_its_videos_already_saves_nothing(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool))
    stale = claim(pool, fetch_id)
    with pool.connection() as connection:
        suspend_platform(connection, Platform.TIKTOK, datetime.now(UTC) + timedelta(hours=1), "invalid credentials")
    assert isinstance(try_claim(pool, fetch_id), ClaimRefused)
    with pytest.raises(StaleClaimError, match="saved nothing"):
        succeed(pool, stale, returned=5)
    assert build.value("select count(*) from videos") == 0
    assert build.value("select count(*) from thumbnail_queue") == 0
    assert build.rows("select videos_fetched, reserved from subscription_usage") == [(0, 0)]
