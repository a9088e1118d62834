"""Summaries of a run, and the problems that the gate finds in it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.database.fetch_claims import ClaimRefused
from blogger_tracking.database.fetch_settlement import FetchOutcome
from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.database.platform_suspensions import suspend_platform
from blogger_tracking.database.run_summaries import (
    read_organization_summaries,
    read_platform_summaries,
    read_tallies,
)
from blogger_tracking.database.runs import RunKey
from blogger_tracking.database.youtube_units import record_units
from blogger_tracking.domain.ledger import FetchState, RequestUse
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.platform_errors import ErrorKind, PlatformError
from blogger_tracking.usecases.end_runs import end_runs_of_deployment
from blogger_tracking.usecases.finish_run import finish_run
from tests.support.database_builder import DatabaseBuilder
from tests.support.ledger_steps import claim, fetch_ids, new_key, plan, settle, succeed, try_claim, videos


@pytest.fixture(autouse=True)
def invariants_hold(admin: Connection) -> Iterator[None]:
    yield
    assert not any(check_invariants(admin).values())


def suspend(pool: ConnectionPool) -> None:
    with pool.connection() as connection:
        suspend_platform(connection, Platform.TIKTOK, datetime.now(UTC) + timedelta(hours=1), "invalid credentials")


def test_conclusive_fetches_that_are_refused_later_are_not_counted_as_failed(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    organization = build.organization()
    for platform in ("TikTok", "YouTube"):
        for _ in range(10):
            build.track(organization, platform=platform)
    key = new_key()
    run = plan(pool, key)
    fetches = fetch_ids(pool, run)
    for fetch_id in fetches:
        succeed(pool, claim(pool, fetch_id), returned=1, first=fetch_id * 100)
    suspend(pool)
    refused = [fetch_id for fetch_id in fetches if isinstance(try_claim(pool, fetch_id), ClaimRefused)]
    assert len(refused) == 10
    assert finish_run(pool, key, failed_share_limit=0) == []
    with pool.connection() as connection:
        tally = read_tallies(connection, run.run_id)["TikTok"]
    assert (tally.states, tally.suspended, tally.failed) == ({FetchState.SUCCEEDED: 10}, 0, 0)


def test_fetches_that_were_only_refused_for_a_suspended_platform_are_counted_as_failed(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    build.track(build.organization())
    key = new_key()
    (fetch_id,) = fetch_ids(pool, plan(pool, key))
    suspend(pool)
    assert isinstance(try_claim(pool, fetch_id), ClaimRefused)
    assert finish_run(pool, key, failed_share_limit=1) == ["every fetch of TikTok failed (1)"]


def test_a_run_that_was_planned_while_a_platform_was_suspended_is_red_and_says_so_in_an_error(
    build: DatabaseBuilder, pool: ConnectionPool, caplog: pytest.LogCaptureFixture
) -> None:
    organization = build.organization()
    for platform in ("TikTok", "TikTok", "YouTube"):
        build.track(organization, platform=platform)
    build.track(organization, is_active=False)
    suspend(pool)
    key = new_key()
    (youtube,) = fetch_ids(pool, plan(pool, key))
    settle(pool, claim(pool, youtube), FetchOutcome(FetchState.SUCCEEDED))
    problem = (
        "nothing of TikTok was fetched, because planning left out 2 accounts (platform_suspended: invalid credentials):"
        " remove the cause, then trigger a new run with platforms set to TikTok"
    )
    assert finish_run(pool, key, failed_share_limit=1) == [problem]
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        f"{key.dag_run_id}: {problem}."
    ]


def test_accounts_that_are_paused_without_room_or_without_a_subscription_are_no_problem(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    build.track(build.organization(), is_active=False)
    build.track(build.organization(video_limit=None))
    build.track(build.organization(video_limit=0))
    build.track(build.organization(), pending_initial_fetch=True)
    key = new_key()
    plan(pool, key)
    assert finish_run(pool, key, failed_share_limit=0) == []


LEFT_OUT = "1 accounts were left out for another run that ended without fetching them: trigger a new run"


def test_accounts_left_out_for_another_run_are_a_problem_once_that_run_has_ended_without_fetching_them(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    build.track(build.organization())
    other, key = new_key(), new_key()
    (fetch_id,) = fetch_ids(pool, plan(pool, other))
    plan(pool, key)
    assert finish_run(pool, key, failed_share_limit=0) == []
    settle(pool, claim(pool, fetch_id), FetchOutcome(FetchState.FAILED, reason="503"))
    assert finish_run(pool, key, failed_share_limit=0) == [], "Airflow retries the other fetch"
    finish_run(pool, other, failed_share_limit=1)
    assert finish_run(pool, key, failed_share_limit=0) == [LEFT_OUT]
    succeed(pool, claim(pool, fetch_id), returned=1)
    assert finish_run(pool, key, failed_share_limit=0) == []


@pytest.mark.parametrize("death", ["lease", "run", "refused"])
def test_accounts_left_out_for_a_dead_run_are_a_problem(
    build: DatabaseBuilder, pool: ConnectionPool, death: str
) -> None:
    build.track(build.organization())
    other, key = new_key(), new_key()
    (fetch_id,) = fetch_ids(pool, plan(pool, other))
    plan(pool, key)
    if death == "lease":
        claim(pool, fetch_id)
        build.run("update fetches set lease_expires_at = clock_timestamp()")
    elif death == "run":
        build.run("update runs set expires_at = clock_timestamp() where dag_run_id = %(id)s", id=other.dag_run_id)
    else:
        build.run("update tracked_accounts set is_active = false")
        try_claim(pool, fetch_id)
        finish_run(pool, other, failed_share_limit=0)
    assert finish_run(pool, key, failed_share_limit=0) == [LEFT_OUT]


def test_an_account_without_room_in_either_of_two_overlapping_runs_is_no_problem(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    blogger = build.track(build.organization()).blogger_id
    build.track(build.organization(video_limit=0), blogger)
    other, key = new_key(), new_key()
    (fetch_id,) = fetch_ids(pool, plan(pool, other))
    plan(pool, key)
    succeed(pool, claim(pool, fetch_id), returned=1)
    assert finish_run(pool, key, failed_share_limit=0) == []


def test_accounts_left_out_for_a_run_of_a_deployment_that_seems_dead_are_a_problem(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    organization = build.organization()
    build.track(organization)
    build.track(organization)
    lost, key = RunKey("gone", "blogger_batch_fetch", "lost"), new_key()
    begun, _ = fetch_ids(pool, plan(pool, lost))
    claim(pool, begun)
    plan(pool, key)
    build.run("update runs set planned_at = planned_at - interval '1 day'")
    assert finish_run(pool, key, failed_share_limit=0) == [], "a fetch of the other run has begun within a lease"
    build.run("update fetches set claimed_at = claimed_at - interval '16 minutes'")
    (problem,) = finish_run(pool, key, failed_share_limit=0)
    assert problem.startswith("2 accounts of TikTok were left out for a run of the deployment gone, of which no fetch")
    with pool.connection() as connection:
        end_runs_of_deployment(connection, "gone")
    assert finish_run(pool, key, failed_share_limit=0) == [LEFT_OUT.replace("1 accounts", "2 accounts")]


def test_an_attempt_that_was_conclusive_before_the_run_was_planned_does_not_count_for_its_accounts(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    build.track(build.organization())
    other, key = new_key(), new_key()
    (fetch_id,) = fetch_ids(pool, plan(pool, other))
    succeed(pool, claim(pool, fetch_id), returned=1)
    claim(pool, fetch_id)
    plan(pool, key)
    finish_run(pool, other, failed_share_limit=0)
    build.run("update fetches set lease_expires_at = clock_timestamp()")
    assert finish_run(pool, key, failed_share_limit=0) == [LEFT_OUT]


def test_a_fetch_whose_claim_was_refused_for_another_run_is_a_problem_once_that_run_is_dead(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    build.track(build.organization())
    earlier, key = new_key(), new_key()
    (first,) = fetch_ids(pool, plan(pool, earlier))
    settle(pool, claim(pool, first), FetchOutcome(FetchState.FAILED, reason="503"))
    (second,) = fetch_ids(pool, plan(pool, key))
    build.run("update fetches set state = 'skipped' where id = %(id)s", id=second)
    claim(pool, first)
    assert isinstance(try_claim(pool, second), ClaimRefused)
    assert finish_run(pool, key, failed_share_limit=0) == []
    build.run("update fetches set lease_expires_at = clock_timestamp()")
    assert finish_run(pool, key, failed_share_limit=0) == [LEFT_OUT]


def test_a_conclusive_fetch_counts_as_such_while_it_is_fetched_again(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    build.track(build.organization())
    run = plan(pool)
    (fetch_id,) = fetch_ids(pool, run)
    succeed(pool, claim(pool, fetch_id), returned=1)
    claim(pool, fetch_id)
    with pool.connection() as connection:
        assert read_tallies(connection, run.run_id)["TikTok"].states == {FetchState.SUCCEEDED: 1}
        assert [summary.states for summary in read_platform_summaries(connection, run.run_id)] == [{"succeeded": 1}]


@pytest.mark.parametrize("later", ["failed", "refused", "running"])
def test_the_summaries_count_the_conclusive_attempt_and_no_later_inconclusive_one(
    build: DatabaseBuilder, pool: ConnectionPool, later: str
) -> None:
    build.track(build.organization(daily=20))
    run = plan(pool)
    (fetch_id,) = fetch_ids(pool, run)
    succeed(pool, claim(pool, fetch_id), returned=15)
    build.run("update fetch_attempts set started_at = finished_at - interval '7 seconds'")
    if later == "failed":
        settle(pool, claim(pool, fetch_id), FetchOutcome(FetchState.FAILED, reason="503"))
    elif later == "refused":
        suspend(pool)
        assert isinstance(try_claim(pool, fetch_id), ClaimRefused)
    else:
        claim(pool, fetch_id)
    with pool.connection() as connection:
        (platform,) = read_platform_summaries(connection, run.run_id)
        (organization,) = read_organization_summaries(connection, run.run_id)
    assert (platform.videos, platform.videos_new, platform.seconds) == (15, 15, 7)
    assert (organization.granted, organization.fetched, organization.charged) == (20, 15, 15)


def test_the_requests_of_all_attempts_are_counted_and_youtubes_statistics(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    organization = build.organization(daily=20)
    for platform in (Platform.TIKTOK, Platform.YOUTUBE):
        build.track(organization, build.blogger(platform=platform))
    run = plan(pool)
    tiktok, youtube = fetch_ids(pool, run)
    failed = FetchOutcome(FetchState.FAILED, requests={RequestUse.LISTING: 1, RequestUse.RETRY: 2})
    settle(pool, claim(pool, tiktok), failed)
    settle(pool, claim(pool, tiktok), FetchOutcome(FetchState.SUCCEEDED, requests={RequestUse.LISTING: 1}))
    settle(pool, claim(pool, youtube), FetchOutcome(FetchState.SUCCEEDED, requests={RequestUse.LISTING: 1}))
    with pool.connection() as connection:
        for use in (RequestUse.LISTING, RequestUse.STATISTICS):
            record_units(connection, datetime.now(UTC), {use: 1}, youtube)
        summaries = read_platform_summaries(connection, run.run_id)
    assert [(summary.requests, summary.requests_per_blogger) for summary in summaries] == [
        ({"listing": 2, "retry": 2}, 4),
        ({"listing": 1, "statistics": 1}, 2),
    ]


def test_the_summaries_count_the_newest_conclusive_attempt(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    build.track(build.organization(daily=20))
    run = plan(pool)
    (fetch_id,) = fetch_ids(pool, run)
    succeed(pool, claim(pool, fetch_id), returned=15)
    succeed(pool, claim(pool, fetch_id), returned=18)
    with pool.connection() as connection:
        (platform,) = read_platform_summaries(connection, run.run_id)
        (organization,) = read_organization_summaries(connection, run.run_id)
    assert (platform.videos, platform.videos_new) == (18, 3)
    assert (organization.fetched, organization.charged) == (18, 18)


def test_an_organization_fetched_no_more_videos_than_its_claim_was_granted(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    blogger = build.blogger()
    large, limited, paused = (build.organization(daily=daily) for daily in (50, 30, 20))
    for organization in (large, limited, paused):
        build.track(organization, blogger)
    run = plan(pool)
    (fetch_id,) = fetch_ids(pool, run)
    build.run("update subscriptions set video_limit = 12 where organization_id = %(id)s", id=limited)
    build.run("update tracked_accounts set is_active = false where organization_id = %(id)s", id=paused)
    succeed(pool, claim(pool, fetch_id), returned=50)
    with pool.connection() as connection:
        summaries = {
            summary.organization_id: (summary.granted, summary.fetched, summary.charged)
            for summary in read_organization_summaries(connection, run.run_id)
        }
    assert summaries == {large: (50, 50, 50), limited: (30, 12, 12), paused: (20, 0, 0)}


def test_the_use_before_a_run_is_that_of_the_current_period_when_an_earlier_period_paid(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    organization = build.organization()
    build.track(organization)
    run = plan(pool)
    (fetch_id,) = fetch_ids(pool, run)
    succeed(pool, claim(pool, fetch_id), returned=5)
    build.run("update subscriptions set period_end = now() - interval '1 minute'")
    build.subscription(organization, opening=7, starts=timedelta())
    with pool.connection() as connection:
        (summary,) = read_organization_summaries(connection, run.run_id)
    assert (summary.charged, summary.used_before) == (5, 7)


def test_a_finished_run_logs_short_lines_per_platform_and_organization(
    build: DatabaseBuilder, pool: ConnectionPool, caplog: pytest.LogCaptureFixture
) -> None:
    organization = build.organization(daily=20, video_limit=40, opening=5)
    for _ in range(2):
        build.track(organization)
    name = build.value("select name from organizations")
    key = new_key()
    fetch_id, _ = fetch_ids(pool, plan(pool, key))
    outcome = FetchOutcome(FetchState.SUCCEEDED, videos(12), requests={RequestUse.LISTING: 2, RequestUse.RETRY: 1})
    settle(pool, claim(pool, fetch_id), outcome)
    with caplog.at_level(logging.INFO):
        finish_run(pool, key, failed_share_limit=1)
    lines = [record.getMessage() for record in caplog.records if record.name.endswith("finish_run")]
    assert lines[0] == "TikTok: 1 released, 1 succeeded."
    assert lines[1].startswith("TikTok: 12 videos in ")
    assert lines[2:] == [
        "TikTok: 3.0 requests per fetched blogger (1 retry, 2 listing).",
        f"{name}: fetched 12 of 35 granted videos, charged 12.",
        f"{name}: 5 of 40 videos of the period are used without this run's charges.",
        f"TikTok: 1 fetches of {key.dag_run_id} failed (unfinished). For example: its run has ended",
    ]


def test_a_finished_run_logs_one_error_for_each_platform_and_cause(
    build: DatabaseBuilder, pool: ConnectionPool, caplog: pytest.LogCaptureFixture
) -> None:
    organization = build.organization(video_limit=1000)
    for platform in (Platform.TIKTOK, Platform.TIKTOK, Platform.TIKTOK, Platform.YOUTUBE, Platform.YOUTUBE):
        build.track(organization, platform=platform)
    key = new_key()
    plan(pool, key)
    fetches = build.rows("select id, platform from fetches order by platform, id")
    causes = [ErrorKind.UNAVAILABLE, ErrorKind.UNAVAILABLE, None, None]
    for (fetch_id, platform), kind in zip(fetches, causes, strict=False):
        error = PlatformError(kind, Platform(platform), "gone") if kind else None
        outcome = FetchOutcome(FetchState.FAILED, error=error, reason=str(error or "no key"))
        settle(pool, claim(pool, fetch_id), outcome)
    finish_run(pool, key, failed_share_limit=1)
    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert [record.fingerprint for record in errors] == [  # type: ignore[attr-defined] # `extra` of the call
        (key.dag_id, "TikTok", "configuration"),
        (key.dag_id, "TikTok", "unavailable"),
        (key.dag_id, "YouTube", "configuration"),
        (key.dag_id, "YouTube", "unfinished"),
    ]
    assert [record.getMessage().split(" of ")[0] for record in errors] == [
        "TikTok: 1 fetches",
        "TikTok: 2 fetches",
        "YouTube: 1 fetches",
        "YouTube: 1 fetches",
    ]
