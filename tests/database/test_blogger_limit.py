"""The blogger limit for people who activate tracked accounts over the Data API, without the HTTP API."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from uuid import UUID

import psycopg
import pytest
from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.database.tracked_accounts import Change, change_tracked_account
from blogger_tracking.domain.request_errors import BloggerLimitReachedError
from tests.support.database_builder import DatabaseBuilder
from tests.support.database_server import DatabaseServer
from tests.support.row_security import signed_in
from tests.support.waiting import wait_until

ACTIVATE = "update blogger_tracking.tracked_accounts set is_active = true where id = %s"
LIMIT_REACHED = "PT402"
WAITING = "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"


@contextmanager
def connected_person(server: DatabaseServer, database: str, user: UUID) -> Generator[Connection]:
    """Yield a connection of its own with an open transaction as PostgREST opens one for a request of the user."""
    with (
        psycopg.connect(server.conninfo(database), autocommit=True) as connection,
        connection.transaction(),
    ):
        connection.execute("set local role authenticated")
        connection.execute(
            "select set_config('request.jwt.claims', json_build_object('sub', %s::text)::text, true)", (user,)
        )
        yield connection


def activate(server: DatabaseServer, database: str, user: UUID, tracking_id: UUID) -> str:
    """Activate a tracked account as a person and return the SQLSTATE of the refusal, or an empty text."""
    try:
        with connected_person(server, database, user) as connection:
            connection.execute(ACTIVATE, (tracking_id,))
    except psycopg.Error as error:
        return error.sqlstate or "no code"
    return ""


def limited(build: DatabaseBuilder, blogger_limit: int, paused: int) -> tuple[UUID, list[UUID]]:
    """Insert an organization with paused accounts; return its owner and the accounts' ids."""
    organization = build.organization()
    build.run("update subscriptions set blogger_limit = %(limit)s", limit=blogger_limit)
    accounts = [build.track(organization, is_active=False).tracking_id for _ in range(paused)]
    return build.member(organization, "owner"), accounts


def active(build: DatabaseBuilder) -> int:
    return int(build.value("select count(*) from tracked_accounts where is_active"))


def test_two_people_at_once_cannot_exceed_the_limit(
    server: DatabaseServer, database: str, build: DatabaseBuilder
) -> None:
    owner, (first, second) = limited(build, blogger_limit=1, paused=2)
    with ThreadPoolExecutor(1) as threads:
        with connected_person(server, database, owner) as connection:
            connection.execute(ACTIVATE, (first,))
            other = threads.submit(activate, server, database, owner, second)
            wait_until(lambda: bool(build.rows(WAITING)) or other.done(), 30)
        assert other.result() == LIMIT_REACHED
    assert active(build) == 1


def test_a_person_and_the_http_api_at_once_cannot_exceed_the_limit(
    server: DatabaseServer, database: str, build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    owner, (first, second) = limited(build, blogger_limit=1, paused=2)
    organization = build.value("select id from organizations")

    def patch() -> None:
        with pool.connection() as connection:
            change_tracked_account(connection, organization, second, Change(is_active=True))

    with ThreadPoolExecutor(1) as threads:
        with connected_person(server, database, owner) as connection:
            connection.execute(ACTIVATE, (first,))
            other = threads.submit(patch)
            wait_until(lambda: bool(build.rows(WAITING)) or other.done(), 30)
        with pytest.raises(BloggerLimitReachedError):
            other.result()
    assert active(build) == 1


def test_people_and_the_http_api_do_not_deadlock_on_the_same_accounts(
    server: DatabaseServer, database: str, build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    owner, accounts = limited(build, blogger_limit=100, paused=2)
    organization = build.value("select id from organizations")

    def patch(tracking_id: UUID) -> None:
        for is_active in (False, True) * 10:
            with pool.connection() as connection:
                change_tracked_account(connection, organization, tracking_id, Change(is_active=is_active))

    def update(statement: str) -> None:
        for _ in range(20):
            with connected_person(server, database, owner) as connection:
                connection.execute(statement.encode())

    toggle = "update blogger_tracking.tracked_accounts set is_active = not is_active"
    with ThreadPoolExecutor(4) as threads:
        rounds = [threads.submit(patch, account) for account in accounts]
        rounds += [threads.submit(update, toggle) for _ in accounts]
        for finished in rounds:
            finished.result()


def test_one_statement_activates_all_accounts_or_none(build: DatabaseBuilder, admin: Connection) -> None:
    owner, _ = limited(build, blogger_limit=2, paused=3)
    with pytest.raises(psycopg.Error) as refused, signed_in(admin, owner) as person:
        person.execute("update tracked_accounts set is_active = true")
    assert refused.value.sqlstate == LIMIT_REACHED
    assert refused.value.diag.message_detail == "blogger_limit_reached"
    assert refused.value.diag.message_primary == (
        "This organization would track 3 bloggers, and its subscription allows 2. "
        "Pause a blogger or change the subscription."
    )
    build.run("update subscriptions set blogger_limit = 3")
    with signed_in(admin, owner) as person:
        assert person.execute("update tracked_accounts set is_active = true").rowcount == 3


def test_without_a_subscription_a_person_can_only_pause(build: DatabaseBuilder, admin: Connection) -> None:
    organization = build.organization(video_limit=None)
    build.track(organization, is_active=True)
    paused = build.track(organization, is_active=False).tracking_id
    owner = build.member(organization, "admin")
    with signed_in(admin, owner) as person:
        assert person.execute("update tracked_accounts set is_active = false where is_active").rowcount == 1
    with pytest.raises(psycopg.Error) as refused, signed_in(admin, owner) as person:
        person.execute(ACTIVATE, (paused,))
    assert refused.value.diag.message_detail == "no_active_subscription"


def test_above_a_lowered_limit_counts_change_and_accounts_pause(build: DatabaseBuilder, admin: Connection) -> None:
    organization = build.organization()
    for _ in range(2):
        build.track(organization)
    build.run("update subscriptions set blogger_limit = 1")
    with signed_in(admin, build.member(organization, "owner")) as person:
        assert person.execute("update tracked_accounts set is_active = true, daily_videos_count = 5").rowcount == 2
        assert person.execute("update tracked_accounts set is_active = false").rowcount == 2
