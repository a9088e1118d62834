"""Handing wishes over to Airflow, whatever became of earlier runs: contracts sections 2 and 7."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from psycopg_pool import ConnectionPool

from blogger_tracking.airflow_api import AirflowApi, AirflowApiError, DagRunState
from blogger_tracking.database.run_plans import RunScope
from blogger_tracking.database.runs import RunKey
from blogger_tracking.domain.initial_fetch import InitialFetchMessage, InitialFetchState
from blogger_tracking.usecases.dispatch_initial_fetches import (
    DispatchOutcome,
    dispatch_initial_fetch,
    dispatch_pending_initial_fetches,
)
from blogger_tracking.usecases.plan_initial_fetch import plan_initial_fetch
from tests.support.airflow_stand_in import LOGIN, PASSWORD, AirflowStandIn
from tests.support.database_builder import DatabaseBuilder, Tracked
from tests.support.ledger_steps import plan


@pytest.fixture
def airflow() -> Iterator[AirflowStandIn]:
    with AirflowStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def api(airflow: AirflowStandIn) -> AirflowApi:
    return AirflowApi(airflow.url, LOGIN, PASSWORD, timeout_seconds=5)


def wished(build: DatabaseBuilder, *, members: int = 1, video_limit: int | None = 1000) -> Tracked:
    organization = build.organization(video_limit=video_limit)
    for _ in range(members):
        build.member(organization)
    tracked = build.track(organization, pending_initial_fetch=True)
    build.run("update tracked_accounts set initial_fetch_attempt = 1 where id = %(id)s", id=tracked.tracking_id)
    return tracked


def run_id(tracked: Tracked, attempt: int = 1) -> str:
    return f"initial__{tracked.tracking_id}__{attempt}"


def test_a_wish_is_triggered_once_and_the_run_is_told_everything(
    build: DatabaseBuilder, pool: ConnectionPool, airflow: AirflowStandIn, api: AirflowApi
) -> None:
    tracked = wished(build)
    started = DispatchOutcome(InitialFetchState.STARTED, run_id(tracked))
    assert [dispatch_initial_fetch(pool, api, tracked.tracking_id) for _ in range(2)] == [started, started]
    ((_, conf),) = airflow.confs.items()
    key = RunKey("test", "blogger_initial_fetch", run_id(tracked))
    message = InitialFetchMessage.model_validate(conf)
    assert plan_initial_fetch(pool, key, "fetch", message, timedelta(hours=1)) is None
    assert dispatch_initial_fetch(pool, api, tracked.tracking_id) == started


@pytest.mark.parametrize("state", ["failed", "success"])
def test_after_a_run_that_is_over_the_next_attempt_is_triggered(
    build: DatabaseBuilder, pool: ConnectionPool, airflow: AirflowStandIn, api: AirflowApi, state: str
) -> None:
    tracked = wished(build)
    dispatch_initial_fetch(pool, api, tracked.tracking_id)
    airflow.states[run_id(tracked)] = state
    assert dispatch_initial_fetch(pool, api, tracked.tracking_id) == DispatchOutcome(
        InitialFetchState.STARTED, run_id(tracked, 2)
    )
    assert set(airflow.states) == {run_id(tracked), run_id(tracked, 2)}


@pytest.mark.parametrize(("state", "attempt"), [("running", None), ("failed", 2), (None, 2)])
def test_a_run_of_somebody_else_keeps_the_wish_until_it_is_over(
    build: DatabaseBuilder,
    pool: ConnectionPool,
    airflow: AirflowStandIn,
    api: AirflowApi,
    state: str | None,
    attempt: int | None,
) -> None:
    tracked = wished(build)
    dispatch_initial_fetch(pool, api, tracked.tracking_id)
    conf = airflow.confs.pop(run_id(tracked))
    del airflow.states[run_id(tracked)]
    key = RunKey("test", "blogger_initial_fetch", "manual__1")
    plan_initial_fetch(pool, key, "fetch", InitialFetchMessage.model_validate(conf), timedelta(hours=1))
    if state:
        airflow.states["manual__1"] = state
    expected = "manual__1" if attempt is None else run_id(tracked, attempt)
    assert dispatch_initial_fetch(pool, api, tracked.tracking_id) == DispatchOutcome(
        InitialFetchState.STARTED, expected
    )


def test_an_airflow_that_does_not_answer_leaves_the_wish_open(
    build: DatabaseBuilder, pool: ConnectionPool, airflow: AirflowStandIn, api: AirflowApi
) -> None:
    tracked = wished(build)
    airflow.down = True
    outcome = dispatch_initial_fetch(pool, api, tracked.tracking_id)
    assert outcome is not None
    assert outcome.state is InitialFetchState.WAITING
    with pytest.raises(AirflowApiError):
        dispatch_pending_initial_fetches(pool, lambda: api, RunScope())
    airflow.down = False
    assert dispatch_pending_initial_fetches(pool, lambda: api, RunScope()) == {"started": 1}


def test_a_granted_wish_is_not_handed_over(build: DatabaseBuilder, pool: ConnectionPool, api: AirflowApi) -> None:
    tracked = build.track(build.organization())
    assert dispatch_initial_fetch(pool, api, tracked.tracking_id) is None


def test_the_batch_hands_over_what_the_rule_would_grant(
    build: DatabaseBuilder, pool: ConnectionPool, airflow: AirflowStandIn, api: AirflowApi
) -> None:
    granted, without_room, paused = wished(build), wished(build, video_limit=9), wished(build)
    build.run("update tracked_accounts set is_active = false where id = %(id)s", id=paused.tracking_id)
    build.track(granted.organization_id)
    assert dispatch_pending_initial_fetches(pool, lambda: api, RunScope()) == {"started": 1}
    assert set(airflow.states) == {run_id(granted)}
    build.run("update subscriptions set video_limit = 10")
    airflow.states[run_id(granted)] = "success"
    assert dispatch_pending_initial_fetches(pool, lambda: api, RunScope()) == {"started": 2}
    assert set(airflow.states) == {run_id(granted), run_id(granted, 2), run_id(without_room)}


def test_a_restricted_batch_hands_over_within_its_scope(
    build: DatabaseBuilder, pool: ConnectionPool, airflow: AirflowStandIn, api: AirflowApi
) -> None:
    wished(build)
    chosen = wished(build)
    assert dispatch_pending_initial_fetches(pool, lambda: api, RunScope(organizations=(chosen.organization_id,))) == {
        "started": 1
    }
    assert set(airflow.states) == {run_id(chosen)}


def test_without_an_open_wish_airflow_is_not_needed(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    build.track(build.organization())
    assert dispatch_pending_initial_fetches(pool, lambda: pytest.fail("asked for"), RunScope()) == {}


def test_a_blogger_that_is_being_fetched_just_now_is_handed_over_all_the_same(
    build: DatabaseBuilder, pool: ConnectionPool, airflow: AirflowStandIn, api: AirflowApi
) -> None:
    tracked = wished(build)
    build.track(build.organization(), tracked.blogger_id)
    plan(pool)
    assert dispatch_pending_initial_fetches(pool, lambda: api, RunScope()) == {"started": 1}
    assert set(airflow.states) == {run_id(tracked)}


def test_the_message_speaks_for_who_added_the_account_or_for_the_member_with_most_to_say(
    build: DatabaseBuilder, pool: ConnectionPool, airflow: AirflowStandIn, api: AirflowApi
) -> None:
    tracked = wished(build, members=2)
    owner = build.member(tracked.organization_id, "owner")
    dispatch_initial_fetch(pool, api, tracked.tracking_id)
    assert airflow.confs[run_id(tracked)]["userId"] == str(owner)
    adder = build.value("select user_id from organization_members where role = 'member' limit 1")
    build.run("update tracked_accounts set user_id = %(user)s", user=adder)
    airflow.states[run_id(tracked)] = "failed"
    dispatch_initial_fetch(pool, api, tracked.tracking_id)
    assert airflow.confs[run_id(tracked, 2)]["userId"] == str(adder)


def test_an_organization_without_members_waits_and_holds_up_nobody(
    build: DatabaseBuilder, pool: ConnectionPool, api: AirflowApi
) -> None:
    wished(build, members=0)
    wished(build)
    assert dispatch_pending_initial_fetches(pool, lambda: api, RunScope()) == {"started": 1, "waiting": 1}


def test_a_token_is_kept_and_renewed_when_it_is_refused(airflow: AirflowStandIn, api: AirflowApi) -> None:
    airflow.states["r"] = "running"
    assert {api.run_state("d", "r") for _ in range(3)} == {DagRunState.RUNNING}
    assert airflow.logins == 1
    airflow.tokens.clear()
    assert api.run_state("d", "r") is DagRunState.RUNNING
    assert airflow.logins == 2
    assert api.run_state("d", "unknown") is None


def test_a_refused_login_says_so_without_the_password(airflow: AirflowStandIn) -> None:
    api = AirflowApi(airflow.url, LOGIN, "wr0ng-passw0rd", timeout_seconds=5)
    with pytest.raises(AirflowApiError, match="401") as refused:
        api.run_state("d", "r")
    assert "wr0ng-passw0rd" not in f"{refused.value} {api!r}"
