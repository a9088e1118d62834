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
from blogger_tracking.database.youtube_units import record_units
from blogger_tracking.domain.ledger import FetchState, RequestUse
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.platform_errors import ErrorKind, PlatformError
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
