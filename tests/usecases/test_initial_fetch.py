"""Planning, assigning, releasing and closing the initial fetch of a tracked account."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.database.fetch_claims import ClaimRefused
from blogger_tracking.database.fetch_settlement import FetchOutcome
from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.database.runs import RunKey
from blogger_tracking.domain.initial_fetch import BloggerBusyError, InitialFetchMessage, MessageMismatchError
from blogger_tracking.domain.ledger import FetchState
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.platform_errors import ErrorKind, PlatformError
from blogger_tracking.usecases.end_runs import end_run
from blogger_tracking.usecases.plan_initial_fetch import plan_initial_fetch
from tests.support.database_builder import DatabaseBuilder, Tracked
from tests.support.ledger_steps import claim, plan, settle, succeed, try_claim

HOUR = timedelta(hours=1)
UNAVAILABLE = PlatformError(ErrorKind.UNAVAILABLE, Platform.TIKTOK, "upstream 10.0.0.7: 503")


@pytest.fixture(autouse=True)
def invariants_hold(build: DatabaseBuilder, pool: ConnectionPool) -> Iterator[None]:
    del build
    yield
    with pool.connection() as connection:
        assert not any(check_invariants(connection).values())


def key(name: str = "initial__1") -> RunKey:
    return RunKey("test", "blogger_initial_fetch", name)


def pending_account(build: DatabaseBuilder, **limits: int | None) -> tuple[Tracked, dict[str, Any]]:
    """Return a tracked account with a pending initial fetch, and the message for its run."""
    organization = build.organization(video_limit=limits.get("video_limit", 1000))
    user = build.member(organization)
    tracked = build.track(organization, pending_initial_fetch=True)
    ((external_id, sec_id),) = build.rows(
        "select external_id, sec_id from blogger_information where id = %(id)s", id=tracked.blogger_id
    )
    return tracked, {
        "type": "blogger_initial_fetch",
        "bloggerId": tracked.blogger_id,
        "secUid": sec_id,
        "externalId": external_id,
        "platform": "TikTok",
        "videoCount": 30,
        "organizationId": organization,
        "userId": user,
        "requestId": "r",
        "videoStatus": "tracking",
        "timestamp": datetime.now(UTC),
    }


def start(pool: ConnectionPool, message: dict[str, Any], run: RunKey | None = None) -> str | None:
    return plan_initial_fetch(pool, run or key(), "fetch", InitialFetchMessage.model_validate(message), HOUR)


def planned(build: DatabaseBuilder, run: RunKey | None = None) -> int:
    fetch_id: int = build.value(
        "select fetches.id from fetches join runs on runs.id = run_id where dag_run_id = %(run)s",
        run=(run or key()).dag_run_id,
    )
    return fetch_id


def initial_fetch_of(build: DatabaseBuilder, tracked: Tracked) -> tuple[bool, bool, str | None, str | None]:
    """Return whether the initial fetch is pending, whether it is done, its DAG run, and the reason."""
    (state,) = build.rows(
        """
        select pending_initial_fetch, initial_videos_fetched, dag_run_id, initial_fetch_reason
        from tracked_accounts left join runs on runs.id = initial_fetch_run_id
        where tracked_accounts.id = %(id)s
        """,
        id=tracked.tracking_id,
    )
    return state


def test_planning_assigns_the_initial_fetch_to_the_run_and_reserves_its_videos(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    tracked, message = pending_account(build)
    assert start(pool, message) is None
    assert build.rows("select asked, granted, reserved from fetch_allocations") == [(30, 30, 30)]
    assert build.rows("select task_id, map_index from fetches") == [("fetch", -1)]
    assert initial_fetch_of(build, tracked) == (True, False, "initial__1", None)


def test_planning_inserts_the_usage_of_a_period_that_has_none(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    _, message = pending_account(build)
    build.run("delete from subscription_usage")
    assert start(pool, message) is None
    assert build.value("select reserved from subscription_usage") == 30


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (FetchOutcome(FetchState.EMPTY), (False, True, None)),
        (FetchOutcome(FetchState.PRIVATE), (False, False, "private")),
        (FetchOutcome(FetchState.NOT_FOUND), (False, False, "not_found")),
        (FetchOutcome(FetchState.FAILED, reason="503", error=UNAVAILABLE), (True, False, UNAVAILABLE.explanation)),
        (
            FetchOutcome(FetchState.FAILED, reason="There is no Connection tiktok_api."),
            (True, False, "The access to this platform is not set up."),
        ),
    ],
)
def test_a_conclusive_outcome_closes_the_initial_fetch_and_a_failure_keeps_it_pending(
    build: DatabaseBuilder, pool: ConnectionPool, outcome: FetchOutcome, expected: tuple[bool, bool, str | None]
) -> None:
    tracked, message = pending_account(build)
    start(pool, message)
    settle(pool, claim(pool, planned(build)), outcome)
    pending, fetched, _, reason = initial_fetch_of(build, tracked)
    assert (pending, fetched, reason) == expected


def test_the_transaction_that_saves_the_videos_closes_the_initial_fetch(
    build: DatabaseBuilder, pool: ConnectionPool, admin: Connection
) -> None:
    tracked, message = pending_account(build)
    start(pool, message)
    admin.execute("alter table tracked_accounts add constraint broken check (not initial_videos_fetched) not valid")
    claimed = claim(pool, planned(build))
    with pytest.raises(Exception, match="broken"):
        succeed(pool, claimed, returned=5)
    assert build.value("select count(*) from videos") == 0
    admin.execute("alter table tracked_accounts drop constraint broken")
    succeed(pool, claimed, returned=5)
    assert initial_fetch_of(build, tracked)[:2] == (False, True)


def test_the_assigned_run_may_continue_after_a_crash_and_other_runs_are_duplicates(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    _, message = pending_account(build)
    start(pool, message)
    claim(pool, planned(build))
    assert "duplicate" in (start(pool, message, key("other")) or "")
    assert start(pool, message) is None
    succeed(pool, claim(pool, planned(build)), returned=30)
    assert build.value("select videos_fetched from subscription_usage") == 30
    assert "duplicate" in (start(pool, message, key("other")) or "")
    assert start(pool, message) is None, "clearing the assigned run fetches again"
    assert build.value("select count(*) from fetches") == 1


def test_concurrent_runs_give_one_fetch(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    _, message = pending_account(build)
    with ThreadPoolExecutor(4) as executor:
        outcomes = list(executor.map(lambda number: start(pool, message, key(f"run_{number}")), range(4)))
    assert [reason for reason in outcomes if reason is None] == [None]
    assert build.value("select count(*) from fetches") == 1


def test_a_run_triggered_over_rest_makes_the_initial_fetch_pending(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    tracked, message = pending_account(build)
    build.run("update tracked_accounts set pending_initial_fetch = false")
    assert start(pool, message) is None
    assert initial_fetch_of(build, tracked)[0] is True


def test_an_initial_fetch_of_an_expired_run_is_assigned_to_the_next_run(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    tracked, message = pending_account(build)
    start(pool, message)
    settle(pool, claim(pool, planned(build)), FetchOutcome(FetchState.FAILED, reason="503"))
    build.run("update runs set expires_at = now()")
    assert start(pool, message, key("next")) is None
    assert initial_fetch_of(build, tracked)[2] == "next"


@pytest.mark.parametrize(
    ("limits", "reason"),
    [({"video_limit": 9}, "subscription_limit: asked 30, 9 left"), ({"video_limit": None}, "no_active_subscription")],
)
def test_without_remaining_videos_the_run_is_skipped_and_the_initial_fetch_stays_pending(
    build: DatabaseBuilder, pool: ConnectionPool, limits: dict[str, int | None], reason: str
) -> None:
    tracked, message = pending_account(build, **limits)
    assert start(pool, message) == reason
    assert start(pool, message) == reason
    assert initial_fetch_of(build, tracked) == (True, False, None, reason)
    assert build.rows("select decision, reason from run_accounts") == [("skipped", reason)]
    assert build.value("select ended_at is not null from runs") is True


def test_an_ended_run_releases_its_initial_fetch_and_its_reservation(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    tracked, message = pending_account(build)
    start(pool, message)
    claim(pool, planned(build))
    end_run(pool, key())
    assert build.value("select reserved from subscription_usage") == 0
    assert start(pool, message, key("next")) is None
    assert initial_fetch_of(build, tracked)[2] == "next"


def test_a_partial_grant_is_fetched(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    _, message = pending_account(build, video_limit=12)
    assert start(pool, message) is None
    assert claim(pool, planned(build)).target_count == 12


def test_a_paused_account_is_skipped_and_its_initial_fetch_stays_pending(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    tracked, message = pending_account(build)
    build.run("update tracked_accounts set is_active = false")
    assert start(pool, message) == "inactive"
    assert initial_fetch_of(build, tracked) == (True, False, None, "inactive")


def test_a_pause_takes_effect_at_the_claim(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    tracked, message = pending_account(build)
    start(pool, message)
    build.run("update tracked_accounts set is_active = false")
    assert isinstance(try_claim(pool, planned(build)), ClaimRefused)
    end_run(pool, key())
    assert initial_fetch_of(build, tracked)[0] is True
    build.run("update tracked_accounts set is_active = true")
    assert start(pool, message, key("next")) is None


def test_a_blogger_in_another_live_run_is_busy_and_nothing_is_changed(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    tracked, message = pending_account(build)
    build.track(build.organization(), tracked.blogger_id)
    plan(pool)
    with pytest.raises(BloggerBusyError):
        start(pool, message)
    assert initial_fetch_of(build, tracked) == (True, False, None, None)
    assert build.value("select count(*) from runs") == 1


def test_the_batch_skips_accounts_with_a_pending_initial_fetch(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    pending_account(build)
    plan(pool)
    assert build.rows("select decision, reason from run_accounts") == [("skipped", "pending_initial_fetch")]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"bloggerId": uuid4()}, "does not track"),
        ({"organizationId": uuid4()}, "does not track"),
        ({"userId": uuid4()}, "not a member"),
        ({"externalId": "somebody-else"}, "externalId"),
        ({"secUid": "somebody-else"}, "secUid"),
        ({"platform": "YouTube", "secUid": None}, "is on TikTok"),
    ],
)
def test_a_message_that_contradicts_the_database_is_rejected(
    build: DatabaseBuilder, pool: ConnectionPool, change: dict[str, Any], text: str
) -> None:
    _, message = pending_account(build)
    with pytest.raises(MessageMismatchError, match=text):
        start(pool, {**message, **change})
    assert build.value("select count(*) from runs") == 0


def test_planning_is_repeated_after_a_concurrent_change_of_the_account(
    build: DatabaseBuilder, pool: ConnectionPool, admin: Connection
) -> None:
    tracked, message = pending_account(build)
    with ThreadPoolExecutor(1) as executor:
        with admin.transaction():
            change_of(admin, tracked.tracking_id)
            started = executor.submit(start, pool, message)
            wait_for_lock(pool)
        assert started.result() is None


def change_of(connection: Connection, tracking_id: UUID) -> None:
    connection.execute("update tracked_accounts set daily_videos_count = 7 where id = %s", (tracking_id,))


def wait_for_lock(pool: ConnectionPool) -> None:
    """Return once a statement in this database waits for a lock."""
    blocked = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    with pool.connection() as connection:
        while connection.execute(blocked).fetchone() == (0,):
            pass


def test_a_suspension_is_told_without_the_platforms_text(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    tracked, message = pending_account(build)
    build.run(
        """
        insert into platform_suspensions (platform, suspended_until, reason, suspended_at)
        values ('TikTok', now() + interval '1 hour', 'TikTok: quota_exceeded (app 4711 has no credit)', now())
        """
    )
    assert "4711" in (start(pool, message) or "")
    assert initial_fetch_of(build, tracked) == (True, False, None, "platform_suspended")
