"""Settling a fetch: saving, charging, and the state of the fetch."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.database.fetch_claims import ClaimRefused
from blogger_tracking.database.fetch_settlement import FetchOutcome
from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.database.platform_suspensions import suspend_platform
from blogger_tracking.domain.errors import StaleClaimError
from blogger_tracking.domain.ledger import FetchState
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.platform_errors import ErrorKind, PlatformError
from blogger_tracking.usecases.finish_run import finish_run
from tests.support.database_builder import DatabaseBuilder
from tests.support.ledger_steps import claim, fetch_ids, new_key, plan, settle, succeed, try_claim, video, videos

PAGE_FAILED = PlatformError(ErrorKind.UNAVAILABLE, Platform.TIKTOK, "page 2: 503")


def partial() -> FetchOutcome:
    """Return the outcome of an attempt whose second page failed."""
    return FetchOutcome(FetchState.PARTIAL, videos(3), error=PAGE_FAILED, reason=str(PAGE_FAILED))


def allocation(build: DatabaseBuilder) -> tuple[int, int, int]:
    """Return granted, reserved and charged of the only allocation."""
    ((granted, reserved, charged),) = build.rows("select granted, reserved, charged from fetch_allocations")
    return granted, reserved, charged


def usage(build: DatabaseBuilder) -> tuple[int, int]:
    """Return the videos fetched and reserved of the only organization."""
    ((fetched, reserved),) = build.rows("select videos_fetched, reserved from subscription_usage")
    return fetched, reserved


def suspend(pool: ConnectionPool) -> None:
    with pool.connection() as connection:
        suspend_platform(connection, Platform.TIKTOK, datetime.now(UTC) + timedelta(hours=1), "invalid credentials")


@pytest.fixture(autouse=True)
def invariants_hold(admin: Connection) -> Iterator[None]:
    yield
    assert not any(check_invariants(admin).values())


def test_a_conclusive_attempt_charges_the_returned_videos_and_releases_the_other_reserved_videos(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    build.track(build.organization(daily=30))
    (fetch_id,) = fetch_ids(pool, plan(pool))
    assert usage(build) == (0, 30)
    succeed(pool, claim(pool, fetch_id), returned=12)
    assert allocation(build) == (30, 0, 12)
    assert usage(build) == (12, 0)


def test_one_settlement_writes_videos_links_statistics_last_scraped_at_and_queue_messages(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    tracked = build.track(build.organization(daily=5))
    (fetch_id,) = fetch_ids(pool, plan(pool))
    settled = succeed(pool, claim(pool, fetch_id), returned=3)
    assert settled.videos_new == 3
    assert build.value("select count(*) from videos") == 3
    assert build.value("select count(*) from organization_videos where status = 'tracking'") == 3
    assert build.rows("select views, likes, comments, reposts from video_statistics limit 1") == [(100, None, 0, 1)]
    assert build.value("select count(*) from thumbnail_queue") == 3
    marked = build.value("select last_scraped_at from tracked_accounts where id = %(id)s", id=tracked.tracking_id)
    assert marked == build.value("select finished_at from fetch_attempts")
    assert build.rows("select state, conclusive_state from fetches") == [("succeeded", "succeeded")]


def test_saving_with_a_superseded_claim_is_refused_and_changes_nothing(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool))
    older = claim(pool, fetch_id)
    newer = claim(pool, fetch_id)
    with pytest.raises(StaleClaimError):
        succeed(pool, older, returned=5)
    assert build.value("select count(*) from videos") == 0
    assert usage(build) == (0, 10)
    succeed(pool, newer, returned=5)
    assert usage(build) == (5, 0)


def test_a_rerun_charges_only_what_it_adds(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    build.track(build.organization(daily=30, video_limit=30))
    (fetch_id,) = fetch_ids(pool, plan(pool))
    succeed(pool, claim(pool, fetch_id), returned=12)
    succeed(pool, claim(pool, fetch_id), returned=20)
    assert allocation(build) == (30, 0, 20)
    succeed(pool, claim(pool, fetch_id), returned=4)
    assert allocation(build) == (30, 0, 20)
    assert usage(build) == (20, 0)


def test_a_rerun_links_no_more_videos_than_are_charged(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    build.track(build.organization(daily=10))
    (fetch_id,) = fetch_ids(pool, plan(pool))
    succeed(pool, claim(pool, fetch_id), returned=10)
    succeed(pool, claim(pool, fetch_id), returned=10, first=6)
    assert build.value("select count(*) from videos") == 15
    assert build.value("select count(*) from organization_videos") == 10


def test_a_failed_attempt_releases_its_reservation_and_sets_no_last_scraped_at(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool))
    error = PlatformError(ErrorKind.UNAVAILABLE, Platform.TIKTOK, "503")
    settle(pool, claim(pool, fetch_id), FetchOutcome(FetchState.FAILED, error=error, reason=str(error)))
    assert allocation(build) == (10, 0, 0)
    assert usage(build) == (0, 0)
    assert build.value("select last_scraped_at from tracked_accounts") is None
    assert build.rows("select state, reason from fetches") == [("failed", error.explanation)]
    assert build.rows("select outcome, error_kind, reason from fetch_attempts") == [
        ("failed", "unavailable", str(error))
    ]


def test_a_conclusive_state_is_not_overwritten_by_a_later_failure(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool))
    succeed(pool, claim(pool, fetch_id), returned=10)
    settle(pool, claim(pool, fetch_id), FetchOutcome(FetchState.FAILED, reason="503"))
    assert build.value("select state from fetches") == "succeeded"
    assert build.rows("select outcome from fetch_attempts order by id") == [("succeeded",), ("failed",)]
    assert usage(build) == (10, 0)


@pytest.mark.parametrize("state", [FetchState.EMPTY, FetchState.PRIVATE, FetchState.NOT_FOUND])
def test_a_conclusive_attempt_without_videos_sets_last_scraped_at_and_charges_nothing(
    build: DatabaseBuilder, pool: ConnectionPool, state: FetchState
) -> None:
    build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool))
    settle(pool, claim(pool, fetch_id), FetchOutcome(state))
    assert usage(build) == (0, 0)
    assert build.value("select last_scraped_at from tracked_accounts") is not None


def test_each_organization_gets_and_pays_for_the_newest_videos_of_its_own_grant(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    blogger = build.blogger()
    small, large = build.organization(), build.organization()
    build.track(small, blogger, daily=2)
    build.track(large, blogger, daily=5)
    (fetch_id,) = fetch_ids(pool, plan(pool))
    claimed = claim(pool, fetch_id)
    assert claimed.target_count == 5
    succeed(pool, claimed, returned=4)
    links = """
        select array_agg(external_video_id order by external_video_id)
        from organization_videos join videos on videos.id = video_id where organization_id = %(organization)s
    """
    assert build.value(links, organization=small) == ["video-3", "video-4"]
    assert build.value(links, organization=large) == ["video-1", "video-2", "video-3", "video-4"]
    charged = dict(build.rows("select organization_id, charged from fetch_allocations"))
    assert charged == {small: 2, large: 4}


def test_a_rerun_keeps_a_known_number_if_the_new_response_has_none(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool))
    settle(pool, claim(pool, fetch_id), FetchOutcome(FetchState.SUCCEEDED, [video(1, views=7)]))
    settle(pool, claim(pool, fetch_id), FetchOutcome(FetchState.SUCCEEDED, [video(1, views=None)]))
    assert build.rows("select views from video_statistics") == [(7,)]


def test_no_number_is_copied_from_an_earlier_fetch(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    build.track(build.organization())
    for views in (7, None):
        (fetch_id,) = fetch_ids(pool, plan(pool))
        settle(pool, claim(pool, fetch_id), FetchOutcome(FetchState.SUCCEEDED, [video(1, views=views)]))
    assert build.rows("select views from video_statistics order by fetch_id") == [(7,), (None,)]


def test_a_joint_post_stays_with_the_blogger_of_its_first_fetch(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    organization = build.organization()
    build.track(organization)
    build.track(organization)
    second, first = fetch_ids(pool, plan(pool))
    for fetch_id in (first, second):
        succeed(pool, claim(pool, fetch_id), returned=1)
    blogger = build.value("select blogger_id from fetches where id = %(id)s", id=first)
    assert build.rows("select blogger_id from videos") == [(blogger,)]


def test_every_video_of_a_youtube_fetch_is_queued_in_messages_of_fifty(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    build.track(build.organization(daily=120), platform="YouTube")
    (fetch_id,) = fetch_ids(pool, plan(pool))
    settle(pool, claim(pool, fetch_id), FetchOutcome(FetchState.SUCCEEDED, videos(120, Platform.YOUTUBE)))
    assert build.rows("select cardinality(videos) from high_priority_queue order by id") == [(50,), (50,), (20,)]
    assert build.value("select count(*) from video_statistics") == 0


def test_a_parked_thumbnail_is_queued_again_only_under_a_new_address(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    build.track(build.organization())
    for address, messages in (("https://example.org/a", 1), ("https://example.org/a", 1), ("https://example.org/b", 2)):
        (fetch_id,) = fetch_ids(pool, plan(pool))
        thumbnail = video(1).model_copy(update={"thumbnail_url": address})
        settle(pool, claim(pool, fetch_id), FetchOutcome(FetchState.SUCCEEDED, [thumbnail]))
        assert build.value("select count(*) from thumbnail_queue") == messages
        build.run("update thumbnail_queue set parked_at = now(), last_error = 'gone' where parked_at is null")


def test_a_claim_without_remaining_videos_is_refused(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    build.track(build.organization(video_limit=10))
    (fetch_id,) = fetch_ids(pool, plan(pool))
    build.run("update subscriptions set video_limit = 5")
    refused = try_claim(pool, fetch_id)
    assert isinstance(refused, ClaimRefused)
    assert refused.reason == "subscription_limit"
    assert usage(build) == (0, 0)


def test_the_reason_of_a_conclusive_fetch_is_that_of_its_conclusive_attempt(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool))
    settle(pool, claim(pool, fetch_id), partial())
    settle(pool, claim(pool, fetch_id), FetchOutcome(FetchState.FAILED, reason="timeout"))
    suspend(pool)
    assert isinstance(try_claim(pool, fetch_id), ClaimRefused)
    assert build.rows("select state, reason from fetches") == [("partial", PAGE_FAILED.explanation)]
    assert build.rows("select outcome, reason from fetch_attempts order by id") == [
        ("partial", str(PAGE_FAILED)),
        ("failed", "timeout"),
        ("skipped", "platform_suspended"),
    ]


def test_a_running_rerun_and_its_release_keep_the_reason_of_the_conclusive_attempt(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    build.track(build.organization())
    key = new_key()
    (fetch_id,) = fetch_ids(pool, plan(pool, key))
    settle(pool, claim(pool, fetch_id), partial())
    claim(pool, fetch_id)
    assert build.rows("select state, reason from fetches") == [("running", PAGE_FAILED.explanation)]
    finish_run(pool, key, 0.2)
    assert build.rows("select state, reason from fetches") == [("partial", PAGE_FAILED.explanation)]
    assert build.rows("select outcome, reason from fetch_attempts order by id") == [
        ("partial", str(PAGE_FAILED)),
        ("released", "its run has ended"),
    ]


def test_a_later_conclusive_attempt_replaces_state_and_reason(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool))
    settle(pool, claim(pool, fetch_id), partial())
    succeed(pool, claim(pool, fetch_id), returned=10)
    assert build.rows("select state, conclusive_state, reason from fetches") == [("succeeded", "succeeded", None)]


def test_a_refused_attempt_leaves_the_decisions_to_the_conclusive_attempt(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool))
    succeed(pool, claim(pool, fetch_id), returned=10)
    suspend(pool)
    assert isinstance(try_claim(pool, fetch_id), ClaimRefused)
    assert build.rows("select decision, reason, charged from fetch_allocations") == [("full", None, 10)]


def test_an_allocation_that_a_later_conclusive_attempt_claims_is_no_longer_skipped(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    blogger = build.blogger()
    build.track(build.organization(), blogger)
    paused = build.track(build.organization(), blogger)
    decision = "select decision, reason, charged from fetch_allocations where organization_id = %(id)s"
    (fetch_id,) = fetch_ids(pool, plan(pool))
    build.run("update tracked_accounts set is_active = false where id = %(id)s", id=paused.tracking_id)
    succeed(pool, claim(pool, fetch_id), returned=4)
    assert build.rows(decision, id=paused.organization_id) == [("skip", "inactive", 0)]
    build.run("update tracked_accounts set is_active = true")
    succeed(pool, claim(pool, fetch_id), returned=4)
    assert build.rows(decision, id=paused.organization_id) == [("full", None, 4)]
