"""Dispatching pending initial fetches to Airflow, and the client of Airflow's REST API."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http import HTTPStatus

import pytest
from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.airflow_api import CONCURRENT_REQUESTS, AirflowApi, AirflowApiError, DagRunState
from blogger_tracking.database.run_plans import RunScope
from blogger_tracking.database.runs import RunKey
from blogger_tracking.domain.initial_fetch import InitialFetchMessage, InitialFetchState
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.request_errors import LookUpBudgetSpentError
from blogger_tracking.usecases.dispatch_initial_fetches import (
    DispatchOutcome,
    dispatch_initial_fetch,
    dispatch_pending_initial_fetches,
)
from blogger_tracking.usecases.plan_initial_fetch import plan_initial_fetch
from tests.support.airflow_stand_in import LOGIN, PASSWORD, AirflowStandIn
from tests.support.database_builder import DatabaseBuilder, Tracked
from tests.support.ledger_steps import plan
from tests.support.scripted_server import Scripted, ScriptedServer
from tests.support.silent_server import SilentServer


@pytest.fixture
def airflow() -> Iterator[AirflowStandIn]:
    with AirflowStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def api(airflow: AirflowStandIn) -> AirflowApi:
    return AirflowApi(airflow.url, LOGIN, PASSWORD, timeout_seconds=5)


def pending_account(build: DatabaseBuilder, *, members: int = 1, video_limit: int | None = 1000) -> Tracked:
    organization = build.organization(video_limit=video_limit)
    for _ in range(members):
        build.member(organization)
    tracked = build.track(organization, pending_initial_fetch=True)
    build.run("update tracked_accounts set initial_fetch_attempt = 1 where id = %(id)s", id=tracked.tracking_id)
    return tracked


def dag_run_id(tracked: Tracked, attempt: int = 1) -> str:
    return f"initial__{tracked.tracking_id}__{attempt}"


def test_a_pending_initial_fetch_is_triggered_once_with_a_complete_message(
    build: DatabaseBuilder, pool: ConnectionPool, airflow: AirflowStandIn, api: AirflowApi
) -> None:
    tracked = pending_account(build)
    started = DispatchOutcome(InitialFetchState.STARTED, dag_run_id(tracked))
    assert [dispatch_initial_fetch(pool, api, tracked.tracking_id) for _ in range(2)] == [started, started]
    ((_, conf),) = airflow.confs.items()
    key = RunKey("test", "blogger_initial_fetch", dag_run_id(tracked))
    message = InitialFetchMessage.model_validate(conf)
    assert plan_initial_fetch(pool, key, "fetch", message, timedelta(hours=1)) is None
    assert dispatch_initial_fetch(pool, api, tracked.tracking_id) == started


def test_an_account_that_is_deleted_meanwhile_is_passed_over(
    build: DatabaseBuilder, pool: ConnectionPool, airflow: AirflowStandIn, api: AirflowApi
) -> None:
    deleted, remaining = pending_account(build), pending_account(build)

    def delete_first() -> AirflowApi:
        build.run("delete from tracked_accounts where id = %(id)s", id=deleted.tracking_id)
        return api

    assert dispatch_pending_initial_fetches(pool, delete_first, RunScope()) == {"started": 1}
    assert list(airflow.confs) == [dag_run_id(remaining)]
    assert dispatch_initial_fetch(pool, api, deleted.tracking_id) is None


@pytest.mark.parametrize("state", ["failed", "success"])
def test_after_an_ended_run_the_next_attempt_is_triggered(
    build: DatabaseBuilder, pool: ConnectionPool, airflow: AirflowStandIn, api: AirflowApi, state: str
) -> None:
    tracked = pending_account(build)
    dispatch_initial_fetch(pool, api, tracked.tracking_id)
    airflow.states[dag_run_id(tracked)] = state
    assert dispatch_initial_fetch(pool, api, tracked.tracking_id) == DispatchOutcome(
        InitialFetchState.STARTED, dag_run_id(tracked, 2)
    )
    assert set(airflow.states) == {dag_run_id(tracked), dag_run_id(tracked, 2)}


def test_of_two_concurrent_callers_the_one_that_begins_the_next_attempt_pays_for_it(
    build: DatabaseBuilder, pool: ConnectionPool, airflow: AirflowStandIn, api: AirflowApi
) -> None:
    tracked = pending_account(build)
    dispatch_initial_fetch(pool, api, tracked.tracking_id)
    airflow.states[dag_run_id(tracked)] = "failed"
    payments: list[Platform] = []
    outcomes: list[DispatchOutcome | None] = []

    def dispatch(caller: AirflowApi) -> None:
        def pay(_connection: Connection, platform: Platform) -> None:
            payments.append(platform)

        outcomes.append(dispatch_initial_fetch(pool, caller, tracked.tracking_id, pay))

    class Overtaken(AirflowApi):
        def run_state(self, dag_id: str, dag_run_id: str) -> DagRunState | None:
            state = super().run_state(dag_id, dag_run_id)
            if not outcomes:
                dispatch(api)
            return state

    dispatch(Overtaken(airflow.url, LOGIN, PASSWORD, timeout_seconds=5))
    assert outcomes == [DispatchOutcome(InitialFetchState.STARTED, dag_run_id(tracked, 2))] * 2
    assert len(payments) == 1


def test_without_a_look_up_left_no_further_attempt_begins(
    build: DatabaseBuilder, pool: ConnectionPool, airflow: AirflowStandIn, api: AirflowApi
) -> None:
    tracked = pending_account(build)
    dispatch_initial_fetch(pool, api, tracked.tracking_id)
    airflow.states[dag_run_id(tracked)] = "failed"

    def refuse(_connection: Connection, _platform: Platform) -> None:
        raise LookUpBudgetSpentError("This person", "look-ups", 60)

    outcome = dispatch_initial_fetch(pool, api, tracked.tracking_id, refuse)
    assert outcome is not None
    assert (outcome.state, outcome.dag_run_id) == (InitialFetchState.WAITING, dag_run_id(tracked))
    assert set(airflow.states) == {dag_run_id(tracked)}


@pytest.mark.parametrize(("state", "attempt"), [("running", None), ("failed", 2), (None, 2)])
def test_a_run_triggered_over_rest_keeps_the_initial_fetch_until_the_run_has_ended(
    build: DatabaseBuilder,
    pool: ConnectionPool,
    airflow: AirflowStandIn,
    api: AirflowApi,
    state: str | None,
    attempt: int | None,
) -> None:
    tracked = pending_account(build)
    dispatch_initial_fetch(pool, api, tracked.tracking_id)
    conf = airflow.confs.pop(dag_run_id(tracked))
    del airflow.states[dag_run_id(tracked)]
    key = RunKey("test", "blogger_initial_fetch", "manual__1")
    plan_initial_fetch(pool, key, "fetch", InitialFetchMessage.model_validate(conf), timedelta(hours=1))
    if state:
        airflow.states["manual__1"] = state
    expected = "manual__1" if attempt is None else dag_run_id(tracked, attempt)
    assert dispatch_initial_fetch(pool, api, tracked.tracking_id) == DispatchOutcome(
        InitialFetchState.STARTED, expected
    )


def test_with_airflow_down_the_initial_fetch_stays_pending(
    build: DatabaseBuilder, pool: ConnectionPool, airflow: AirflowStandIn, api: AirflowApi
) -> None:
    tracked = pending_account(build)
    airflow.down = True
    outcome = dispatch_initial_fetch(pool, api, tracked.tracking_id)
    assert outcome is not None
    assert outcome.state is InitialFetchState.WAITING
    with pytest.raises(AirflowApiError):
        dispatch_pending_initial_fetches(pool, lambda: api, RunScope())
    airflow.down = False
    assert dispatch_pending_initial_fetches(pool, lambda: api, RunScope()) == {"started": 1}


def test_a_done_initial_fetch_is_not_dispatched(build: DatabaseBuilder, pool: ConnectionPool, api: AirflowApi) -> None:
    tracked = build.track(build.organization())
    assert dispatch_initial_fetch(pool, api, tracked.tracking_id) is None


def test_the_batch_dispatches_what_the_subscription_rule_grants(
    build: DatabaseBuilder, pool: ConnectionPool, airflow: AirflowStandIn, api: AirflowApi
) -> None:
    granted, without_room, paused = (
        pending_account(build),
        pending_account(build, video_limit=9),
        pending_account(build),
    )
    build.run("update tracked_accounts set is_active = false where id = %(id)s", id=paused.tracking_id)
    build.track(granted.organization_id)
    assert dispatch_pending_initial_fetches(pool, lambda: api, RunScope()) == {"started": 1}
    assert set(airflow.states) == {dag_run_id(granted)}
    build.run("update subscriptions set video_limit = 10")
    airflow.states[dag_run_id(granted)] = "success"
    assert dispatch_pending_initial_fetches(pool, lambda: api, RunScope()) == {"started": 2}
    assert set(airflow.states) == {dag_run_id(granted), dag_run_id(granted, 2), dag_run_id(without_room)}


def test_a_restricted_batch_dispatches_within_its_scope(
    build: DatabaseBuilder, pool: ConnectionPool, airflow: AirflowStandIn, api: AirflowApi
) -> None:
    pending_account(build)
    chosen = pending_account(build)
    assert dispatch_pending_initial_fetches(pool, lambda: api, RunScope(organizations=(chosen.organization_id,))) == {
        "started": 1
    }
    assert set(airflow.states) == {dag_run_id(chosen)}


def test_without_a_pending_initial_fetch_airflow_is_not_needed(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    build.track(build.organization())
    assert dispatch_pending_initial_fetches(pool, lambda: pytest.fail("asked for"), RunScope()) == {}


def test_a_blogger_in_another_live_run_is_dispatched(
    build: DatabaseBuilder, pool: ConnectionPool, airflow: AirflowStandIn, api: AirflowApi
) -> None:
    tracked = pending_account(build)
    build.track(build.organization(), tracked.blogger_id)
    plan(pool)
    assert dispatch_pending_initial_fetches(pool, lambda: api, RunScope()) == {"started": 1}
    assert set(airflow.states) == {dag_run_id(tracked)}


def test_the_message_has_the_user_who_added_the_account_or_else_the_member_with_the_highest_role(
    build: DatabaseBuilder, pool: ConnectionPool, airflow: AirflowStandIn, api: AirflowApi
) -> None:
    tracked = pending_account(build, members=2)
    owner = build.member(tracked.organization_id, "owner")
    dispatch_initial_fetch(pool, api, tracked.tracking_id)
    assert airflow.confs[dag_run_id(tracked)]["userId"] == str(owner)
    adder = build.value("select user_id from organization_members where role = 'member' limit 1")
    build.run("update tracked_accounts set user_id = %(user)s", user=adder)
    airflow.states[dag_run_id(tracked)] = "failed"
    dispatch_initial_fetch(pool, api, tracked.tracking_id)
    assert airflow.confs[dag_run_id(tracked, 2)]["userId"] == str(adder)


NO_MESSAGE_STATEMENTS = {
    "no members": "delete from organization_members where organization_id = %(organization)s",
    "a long external id": "update blogger_information set external_id = repeat('1', 201) where id = %(blogger)s",
    "an external id that is not ASCII": "update blogger_information set external_id = 'é' where id = %(blogger)s",
    "a long secUid": "update blogger_information set sec_id = repeat('s', 201) where id = %(blogger)s",
}


@pytest.mark.parametrize("statement", NO_MESSAGE_STATEMENTS.values(), ids=NO_MESSAGE_STATEMENTS)
def test_an_account_whose_message_would_be_invalid_is_left_to_the_batch_and_blocks_no_other(
    build: DatabaseBuilder, pool: ConnectionPool, api: AirflowApi, statement: str
) -> None:
    broken = pending_account(build)
    pending_account(build)
    build.run(statement, organization=broken.organization_id, blogger=broken.blogger_id)
    assert dispatch_pending_initial_fetches(pool, lambda: api, RunScope()) == {"started": 1, "ended": 1}
    reason = build.value("select initial_fetch_reason from tracked_accounts where not pending_initial_fetch")
    assert "The batch fetches the blogger instead" in reason
    assert len(plan(pool).instances) == 1
    assert dispatch_initial_fetch(pool, api, broken.tracking_id) is None


def test_a_run_that_owns_the_initial_fetch_keeps_it_when_the_last_member_leaves(
    build: DatabaseBuilder, pool: ConnectionPool, airflow: AirflowStandIn, api: AirflowApi
) -> None:
    tracked = pending_account(build)
    started = dispatch_initial_fetch(pool, api, tracked.tracking_id)
    build.run("delete from organization_members")
    assert dispatch_initial_fetch(pool, api, tracked.tracking_id) == started
    airflow.states[dag_run_id(tracked)] = "failed"
    ended = dispatch_initial_fetch(pool, api, tracked.tracking_id)
    assert ended is not None
    assert ended.state is InitialFetchState.ENDED


def test_an_access_token_is_kept_until_airflow_rejects_it_and_then_renewed(
    airflow: AirflowStandIn, api: AirflowApi
) -> None:
    airflow.states["r"] = "running"
    assert {api.run_state("d", "r") for _ in range(3)} == {DagRunState.RUNNING}
    assert airflow.logins == 1
    airflow.tokens.clear()
    assert api.run_state("d", "r") is DagRunState.RUNNING
    assert airflow.logins == 2
    assert api.run_state("d", "unknown") is None


def test_the_error_of_a_rejected_login_does_not_contain_the_password(airflow: AirflowStandIn) -> None:
    api = AirflowApi(airflow.url, LOGIN, "wr0ng-passw0rd", timeout_seconds=5)
    with pytest.raises(AirflowApiError, match="401") as refused:
        api.run_state("d", "r")
    assert "wr0ng-passw0rd" not in f"{refused.value} {api!r}"


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (HTTPStatus.FORBIDDEN, "Check the login and the permissions of the Connection airflow_api."),
        (HTTPStatus.NOT_FOUND, "Check that Airflow has the DAG, and the host of the Connection airflow_api."),
        (HTTPStatus.UNPROCESSABLE_ENTITY, "Look at the log of the API server."),
        (HTTPStatus.INTERNAL_SERVER_ERROR, "Look at the log of the API server."),
    ],
)
def test_the_error_of_a_refused_trigger_names_what_to_check(status: HTTPStatus, remedy: str) -> None:
    with ScriptedServer() as host:
        host.play(Scripted({"access_token": "token"}, HTTPStatus.CREATED), Scripted({}, status))
        api = AirflowApi(host.url, LOGIN, PASSWORD, timeout_seconds=5)
        with pytest.raises(AirflowApiError, match=f"returned {status.value} .*{remedy}"):
            api.trigger("d", "r", {})


def test_the_state_of_a_run_id_with_reserved_characters_is_read(airflow: AirflowStandIn, api: AirflowApi) -> None:
    airflow.states["manual__2026-11-25T10:00:00+00:00"] = "success"
    assert api.run_state("d", "manual__2026-11-25T10:00:00+00:00") is DagRunState.SUCCESS


def test_an_unknown_state_is_an_error(airflow: AirflowStandIn, api: AirflowApi) -> None:
    airflow.states["r"] = "paused"
    with pytest.raises(AirflowApiError, match="no known state"):
        api.run_state("d", "r")


def test_concurrent_calls_log_in_once(airflow: AirflowStandIn, api: AirflowApi) -> None:
    airflow.states["r"] = "running"
    with ThreadPoolExecutor(8) as executor:
        states = list(executor.map(lambda _: api.run_state("d", "r"), range(32)))
    assert set(states) == {DagRunState.RUNNING}
    assert airflow.logins == 1


def test_a_process_asks_airflow_for_few_things_at_once(airflow: AirflowStandIn, api: AirflowApi) -> None:
    airflow.states["r"] = "running"
    airflow.read_delay_seconds = 0.05
    with ThreadPoolExecutor(16) as executor:
        states = list(executor.map(lambda _: api.run_state("d", "r"), range(32)))
    assert states == [DagRunState.RUNNING] * 32
    assert airflow.most_reads_at_once == CONCURRENT_REQUESTS


def test_a_request_waits_no_longer_than_the_timeout_for_the_requests_before_it(airflow: AirflowStandIn) -> None:
    api = AirflowApi(airflow.url, LOGIN, PASSWORD, timeout_seconds=0.3)
    api.run_state("d", "r")
    airflow.read_delay_seconds = 1

    def error_of_a_request(_: int) -> str:
        with pytest.raises(AirflowApiError) as error:
            api.run_state("d", "r")
        return str(error.value)

    with ThreadPoolExecutor(32) as executor:
        errors = list(executor.map(error_of_a_request, range(32)))
    # The first requests time out, and so do those that got their places.
    assert sum("requests before this one" in error for error in errors) >= 32 - 2 * CONCURRENT_REQUESTS


def test_a_request_waits_no_longer_than_the_timeout_for_the_login_of_another() -> None:
    def error_of_a_request(api: AirflowApi) -> str:
        with pytest.raises(AirflowApiError) as error:
            api.run_state("d", "r")
        return str(error.value)

    with SilentServer() as silent, ThreadPoolExecutor(8) as executor:
        api = AirflowApi(silent.url, LOGIN, PASSWORD, timeout_seconds=1)
        errors = list(executor.map(error_of_a_request, [api] * 8))
    # The first login times out, and so do those of requests that got the lock afterwards.
    assert sum("requests before this one" in error for error in errors) >= 4


def test_a_redirect_is_not_followed(airflow: AirflowStandIn, api: AirflowApi) -> None:
    with AirflowStandIn() as elsewhere:
        airflow.moved_to = elsewhere.url
        with pytest.raises(AirflowApiError, match="307"):
            api.run_state("d", "r")
        assert elsewhere.logins == 0


def test_a_read_that_times_out_is_not_retried(airflow: AirflowStandIn) -> None:
    airflow.read_delay_seconds = 0.6
    api = AirflowApi(airflow.url, LOGIN, PASSWORD, timeout_seconds=0.3)
    with pytest.raises(AirflowApiError, match="cannot be reached"):
        api.run_state("d", "r")
    assert airflow.reads == 1


def test_a_request_to_a_server_that_does_not_respond_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        api = AirflowApi(f"http://127.0.0.1:{port}", LOGIN, PASSWORD, timeout_seconds=0.5)
        started = time.monotonic()
        with pytest.raises(AirflowApiError, match="cannot be reached") as error:
            api.trigger("d", "r", {})
        assert 0.5 <= time.monotonic() - started < 3
    assert str(port) not in str(error.value)


@pytest.mark.parametrize(
    "dripping",
    [Scripted(drip_headers=True), Scripted(b" " * 1000, status=201, drip=True)],
    ids=["headers", "body"],
)
def test_the_timeout_bounds_the_whole_response_of_airflow_not_each_byte(dripping: Scripted) -> None:
    with ScriptedServer() as server:
        server.play(dripping)
        api = AirflowApi(server.url, LOGIN, PASSWORD, timeout_seconds=0.3)
        with pytest.raises(AirflowApiError, match=r"cannot be reached \(ReadTimeoutError\)"):
            api.run_state("d", "r")
        assert len(server.asked) == 1
