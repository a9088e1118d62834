"""The initial fetch from the wish to its end: contracts sections 2 and 7."""

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
from blogger_tracking.usecases.plan_initial_fetch import finish_initial_fetch, plan_initial_fetch
from tests.support.database_builder import DatabaseBuilder, Tracked
from tests.support.ledger_steps import claim, plan, settle, succeed, try_claim

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def invariants_hold(build: DatabaseBuilder, pool: ConnectionPool) -> Iterator[None]:
    del build
    yield
    with pool.connection() as connection:
        assert not any(check_invariants(connection).values())


def key(name: str = "initial__1") -> RunKey:
    return RunKey("test", "blogger_initial_fetch", name)


def wished(build: DatabaseBuilder, **limits: int | None) -> tuple[Tracked, dict[str, Any]]:
    """A tracked account with an open wish, and the message for it."""
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


def wish_of(build: DatabaseBuilder, tracked: Tracked) -> tuple[bool, bool, str | None, str | None]:
    """Whether it is open, whether it is granted, who has it, and the reason."""
    (state,) = build.rows(
        """
        select pending_initial_fetch, initial_videos_fetched, dag_run_id, initial_fetch_reason
        from tracked_accounts left join runs on runs.id = initial_fetch_run_id
        where tracked_accounts.id = %(id)s
        """,
        id=tracked.tracking_id,
    )
    return state


def test_planning_takes_the_wish_and_reserves_what_is_asked(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    tracked, message = wished(build)
    assert start(pool, message) is None
    assert build.rows("select asked, granted, reserved from fetch_allocations") == [(30, 30, 30)]
    assert build.rows("select task_id, map_index from fetches") == [("fetch", -1)]
    assert wish_of(build, tracked) == (True, False, "initial__1", None)


@pytest.mark.parametrize(
    ("outcome", "wish"),
    [
        (FetchOutcome(FetchState.EMPTY), (False, True, None)),
        (FetchOutcome(FetchState.PRIVATE, reason="private"), (False, False, "private")),
        (FetchOutcome(FetchState.NOT_FOUND), (False, False, "not_found")),
        (FetchOutcome(FetchState.FAILED, reason="503"), (True, False, "503")),
    ],
)
def test_a_terminal_outcome_closes_the_wish_and_a_failure_keeps_it(
    build: DatabaseBuilder, pool: ConnectionPool, outcome: FetchOutcome, wish: tuple[bool, bool, str | None]
) -> None:
    tracked, message = wished(build)
    start(pool, message)
    settle(pool, claim(pool, planned(build)), outcome)
    pending, fetched, _, reason = wish_of(build, tracked)
    assert (pending, fetched, reason) == wish


def test_the_wish_is_closed_by_the_transaction_that_saves_the_videos(
    build: DatabaseBuilder, pool: ConnectionPool, admin: Connection
) -> None:
    tracked, message = wished(build)
    start(pool, message)
    admin.execute("alter table tracked_accounts add constraint broken check (not initial_videos_fetched) not valid")
    claimed = claim(pool, planned(build))
    with pytest.raises(Exception, match="broken"):
        succeed(pool, claimed, returned=5)
    assert build.value("select count(*) from videos") == 0
    admin.execute("alter table tracked_accounts drop constraint broken")
    succeed(pool, claimed, returned=5)
    assert wish_of(build, tracked)[:2] == (False, True)


def test_the_owner_may_go_on_after_a_crash_and_others_end_as_duplicates(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    _, message = wished(build)
    start(pool, message)
    claim(pool, planned(build))
    assert "duplicate" in (start(pool, message, key("other")) or "")
    assert start(pool, message) is None
    succeed(pool, claim(pool, planned(build)), returned=30)
    assert build.value("select videos_fetched from subscription_usage") == 30
    assert "duplicate" in (start(pool, message, key("other")) or "")
    assert start(pool, message) is None, "its owner was cleared on purpose"
    assert build.value("select count(*) from fetches") == 1


def test_two_runs_at_once_give_one_fetch(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    _, message = wished(build)
    with ThreadPoolExecutor(4) as executor:
        outcomes = list(executor.map(lambda number: start(pool, message, key(f"run_{number}")), range(4)))
    assert [reason for reason in outcomes if reason is None] == [None]
    assert build.value("select count(*) from fetches") == 1


def test_a_message_without_a_wish_is_the_wish(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    tracked, message = wished(build)
    build.run("update tracked_accounts set pending_initial_fetch = false")
    assert start(pool, message) is None
    assert wish_of(build, tracked)[0] is True


def test_a_run_whose_owner_ended_or_expired_without_videos_takes_the_wish_over(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    tracked, message = wished(build)
    start(pool, message)
    settle(pool, claim(pool, planned(build)), FetchOutcome(FetchState.FAILED, reason="503"))
    build.run("update runs set expires_at = now()")
    assert start(pool, message, key("next")) is None
    assert wish_of(build, tracked)[2] == "next"


@pytest.mark.parametrize(
    ("limits", "reason"),
    [({"video_limit": 9}, "subscription_limit: asked 30, 9 left"), ({"video_limit": None}, "no_active_subscription")],
)
def test_without_room_the_run_is_skipped_and_the_wish_stays_for_another(
    build: DatabaseBuilder, pool: ConnectionPool, limits: dict[str, int | None], reason: str
) -> None:
    tracked, message = wished(build, **limits)
    assert start(pool, message) == reason
    assert start(pool, message) == reason
    assert wish_of(build, tracked) == (True, False, None, reason)
    assert build.rows("select decision, reason from run_accounts") == [("skipped", reason)]
    assert build.value("select ended_at is not null from runs") is True


def test_a_run_that_ended_frees_its_wish_and_what_it_held(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    tracked, message = wished(build)
    start(pool, message)
    claim(pool, planned(build))
    finish_initial_fetch(pool, key())
    assert build.value("select reserved from subscription_usage") == 0
    assert start(pool, message, key("next")) is None
    assert wish_of(build, tracked)[2] == "next"


def test_a_partial_grant_is_fetched(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    _, message = wished(build, video_limit=12)
    assert start(pool, message) is None
    assert claim(pool, planned(build)).target_count == 12


def test_a_paused_account_is_skipped_and_keeps_its_wish(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    tracked, message = wished(build)
    build.run("update tracked_accounts set is_active = false")
    assert start(pool, message) == "inactive"
    assert wish_of(build, tracked) == (True, False, None, "inactive")


def test_a_pause_takes_effect_at_the_claim(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    tracked, message = wished(build)
    start(pool, message)
    build.run("update tracked_accounts set is_active = false")
    assert isinstance(try_claim(pool, planned(build)), ClaimRefused)
    finish_initial_fetch(pool, key())
    assert wish_of(build, tracked)[0] is True
    build.run("update tracked_accounts set is_active = true")
    assert start(pool, message, key("next")) is None


def test_a_blogger_that_another_run_is_fetching_is_asked_for_later_and_nothing_changes(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    tracked, message = wished(build)
    build.track(build.organization(), tracked.blogger_id)
    plan(pool)
    with pytest.raises(BloggerBusyError):
        start(pool, message)
    assert wish_of(build, tracked) == (True, False, None, None)
    assert build.value("select count(*) from runs") == 1


def test_the_batch_leaves_accounts_with_an_open_wish_alone(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    wished(build)
    plan(pool)
    assert build.rows("select decision, reason from run_accounts") == [("skipped", "pending_initial_fetch")]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bloggerId": uuid4()}, "does not track"),
        ({"organizationId": uuid4()}, "does not track"),
        ({"userId": uuid4()}, "not a member"),
        ({"externalId": "somebody-else"}, "externalId"),
        ({"secUid": "somebody-else"}, "secUid"),
        ({"platform": "YouTube", "secUid": None}, "is on TikTok"),
    ],
)
def test_a_message_that_does_not_fit_the_database_is_refused(
    build: DatabaseBuilder, pool: ConnectionPool, change: dict[str, Any], said: str
) -> None:
    _, message = wished(build)
    with pytest.raises(MessageMismatchError, match=said):
        start(pool, {**message, **change})
    assert build.value("select count(*) from runs") == 0


def test_somebody_who_changes_the_account_meanwhile_does_not_break_planning(
    build: DatabaseBuilder, pool: ConnectionPool, admin: Connection
) -> None:
    tracked, message = wished(build)
    with ThreadPoolExecutor(1) as executor:
        with admin.transaction():
            change_of(admin, tracked.tracking_id)
            started = executor.submit(start, pool, message)
            wait_for_lock(pool)
        assert started.result() is None


def change_of(connection: Connection, tracking_id: UUID) -> None:
    connection.execute("update tracked_accounts set daily_videos_count = 7 where id = %s", (tracking_id,))


def wait_for_lock(pool: ConnectionPool) -> None:
    """Until somebody waits for a row in this database."""
    blocked = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    with pool.connection() as connection:
        while connection.execute(blocked).fetchone() == (0,):
            pass
