"""Reasons that members read: sentences of this project, and those of the own organization alone."""

from __future__ import annotations

import pytest
from psycopg import Connection, sql
from psycopg_pool import ConnectionPool

from blogger_tracking.database.fetch_claims import ClaimRefused
from blogger_tracking.database.fetch_settlement import FetchOutcome
from blogger_tracking.domain.ledger import FetchState
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.platform_errors import ErrorKind, PlatformError
from tests.support.database_builder import DatabaseBuilder
from tests.support.ledger_steps import claim, fetch_ids, plan, settle, try_claim
from tests.support.row_security import READABLE, signed_in

SECRETIVE = "gateway-3.internal"
STATES = {ErrorKind.PRIVATE: FetchState.PRIVATE, ErrorKind.NOT_FOUND: FetchState.NOT_FOUND}


@pytest.mark.parametrize("kind", ErrorKind)
def test_no_table_that_members_read_quotes_a_platform(
    admin: Connection, build: DatabaseBuilder, pool: ConnectionPool, kind: ErrorKind
) -> None:
    tracked = build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool))
    error = PlatformError(kind, Platform.TIKTOK, f"/v1/posts: app 4711 at {SECRETIVE}")
    build.run("update runs set dag_id = 'blogger_initial_fetch'")
    build.run("update tracked_accounts set pending_initial_fetch = true, initial_videos_fetched = false")
    state = STATES.get(kind, FetchState.FAILED)
    settle(pool, claim(pool, fetch_id), FetchOutcome(state, error=error, reason=str(error)))
    with signed_in(admin, build.member(tracked.organization_id, "owner")) as person:
        for table in READABLE:
            rows = person.execute(sql.SQL("select * from {}").format(sql.Identifier(table))).fetchall()
            assert SECRETIVE not in str(rows), table
        assert person.execute("select reason from fetches").fetchall() == [(error.explanation,)]
        assert person.execute("select initial_fetch_reason from tracked_accounts").fetchall() == [(error.explanation,)]
    assert build.value("select reason from fetch_attempts") == str(error)


def test_a_fault_of_the_configuration_is_told_without_its_details(
    admin: Connection, build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    tracked = build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool))
    settle(pool, claim(pool, fetch_id), FetchOutcome(FetchState.FAILED, reason="There is no Connection tiktok_api."))
    with signed_in(admin, build.member(tracked.organization_id)) as person:
        assert person.execute("select reason from fetches").fetchall() == [
            ("The access to this platform is not set up.",)
        ]


def test_an_organization_is_not_told_the_reason_of_another(
    admin: Connection, build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    paused = build.track(build.organization())
    limited = build.track(build.organization(), paused.blogger_id)
    (fetch_id,) = fetch_ids(pool, plan(pool))
    build.run("update tracked_accounts set is_active = false where id = %(id)s", id=paused.tracking_id)
    build.run("update subscriptions set video_limit = 0 where organization_id = %(id)s", id=limited.organization_id)
    refused = try_claim(pool, fetch_id)
    assert isinstance(refused, ClaimRefused)
    assert refused.reason == "inactive, subscription_limit"
    for tracked, reason in ((paused, "inactive"), (limited, "subscription_limit")):
        with signed_in(admin, build.member(tracked.organization_id)) as person:
            assert person.execute("select reason from fetch_allocations").fetchall() == [(reason,)]
            assert person.execute("select state, reason from fetches").fetchall() == [("skipped", None)]
