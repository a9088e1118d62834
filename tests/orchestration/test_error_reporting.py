"""Events of every entry point of the project's code, which a local endpoint receives from the real SDK.

A process that a signal ends runs no exit handlers: an entry point of a worker has to send its events before it returns,
so the tests of workers never flush.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID, uuid4

import pytest
import requests
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from airflow.triggers.base import TaskFailedEvent
from psycopg import OperationalError
from psycopg.errors import AdminShutdown, InsufficientPrivilege, LockNotAvailable
from psycopg_pool import PoolTimeout

from blogger_tracking.domain.errors import DatabaseStateError
from blogger_tracking.domain.models import Platform
from blogger_tracking.orchestration import (
    batch_tasks,
    connected_services,
    error_reporting,
    health_tasks,
    initial_fetch_tasks,
    maintenance_tasks,
    queue_tasks,
)
from blogger_tracking.orchestration.airflow_3_3 import runs_ended_by_hand
from blogger_tracking.orchestration.api_app import LazyApp, make_app
from blogger_tracking.orchestration.batch_tasks import gate, plan_platform
from blogger_tracking.orchestration.error_reporting import errors_reported, report_error, sentry_running
from blogger_tracking.orchestration.fetch_operator import FetchBloggersOperator
from blogger_tracking.orchestration.initial_fetch_tasks import (
    FetchInitialVideosOperator,
    dispatch_initial_fetches,
    release_failed_initial_fetch,
)
from blogger_tracking.orchestration.process_cache import clear_process_cache
from blogger_tracking.orchestration.queue_tasks import refresh_statistics, store_thumbnails
from blogger_tracking.orchestration.sentry import flush_sentry
from blogger_tracking.settings import get_settings
from devtools.platform_sandbox import Fault, FaultKind, SandboxServer
from tests.orchestration.conftest import InstanceStandIn, run_trigger, track
from tests.support.access_tokens import ISSUER, SECRET, token_for
from tests.support.app_server import AppServer
from tests.support.database_builder import DatabaseBuilder
from tests.support.sentry_receiver import SentryReceiver

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

BLOGGERS = 30

NO_RESTRICTION = {"organizations": None, "platforms": None, "bloggers": None}

TASKS: dict[str, Callable[[], object]] = {
    "plan_tiktok": lambda: plan_platform.function(Platform.TIKTOK.value),
    "fetch_tiktok": lambda: execute(InstanceStandIn("fetch_tiktok")),
    "gate": gate.function,
    "dispatch_initial_fetches": dispatch_initial_fetches.function,
    "refresh_statistics": refresh_statistics.function,
    "store_thumbnails": store_thumbnails.function,
    "fetch": lambda: FetchInitialVideosOperator(task_id="fetch").execute(initial_fetch_context()),
    "watch": health_tasks.watch.function,
    "prepare_partitions": maintenance_tasks.prepare_partitions.function,
    "remove_old_statistics": maintenance_tasks.remove_old_statistics.function,
    "remove_old_messages": maintenance_tasks.remove_old_messages.function,
    "remove_old_runs": maintenance_tasks.remove_old_runs.function,
    "check_ledger": maintenance_tasks.check_ledger.function,
}
"""The tasks, as a worker calls them."""


def initial_fetch_context(**fields: str) -> Context:
    """Return the context of an initial fetch whose message has these fields."""
    conf = {
        "type": "blogger_initial_fetch",
        "bloggerId": str(uuid4()),
        "secUid": None,
        "externalId": "1",
        "platform": "TikTok",
        "videoCount": 30,
        "organizationId": str(uuid4()),
        "userId": str(uuid4()),
        "requestId": "request-1",
        "videoStatus": "tracking",
        "timestamp": "2026-05-05T12:00:00+00:00",
        **fields,
    }
    return cast("Context", {"ti": InstanceStandIn("fetch", -1), "dag_run": SimpleNamespace(conf=conf)})


@pytest.fixture
def receiver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[SentryReceiver]:
    """The endpoint of the Connection `sentry`."""
    request.getfixturevalue("connections")
    with SentryReceiver() as receiver:
        monkeypatch.setenv("AIRFLOW_CONN_SENTRY", json.dumps({"conn_type": "generic", "password": receiver.dsn}))
        yield receiver


@pytest.fixture
def unreachable(receiver: SentryReceiver, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let nothing listen where the Connection `blogger_db` points to."""
    del receiver
    with monkeypatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_BLOGGER_DB", "postgresql://x:very-secret@127.0.0.1:1/x")
        clear_process_cache()
        yield
    clear_process_cache()


def call(
    monkeypatch: pytest.MonkeyPatch, task_id: str, *, run_id: str = "a_run", try_number: int = 1, max_tries: int = 0
) -> object:
    """Call a task as a worker does, in one of its tries."""
    instance = InstanceStandIn(task_id, run_id=run_id, try_number=try_number, max_tries=max_tries)
    dag_run = SimpleNamespace(run_type="manual", conf={})
    context = {"ti": instance, "params": NO_RESTRICTION, "dag_run": dag_run}
    for module in (batch_tasks, initial_fetch_tasks, health_tasks, error_reporting):
        monkeypatch.setattr(module, "get_current_context", lambda: context)
    return TASKS[task_id]()


@pytest.mark.parametrize(
    "module",
    [batch_tasks, initial_fetch_tasks, queue_tasks, health_tasks, maintenance_tasks],
    ids=lambda it: it.__name__,
)
def test_every_task_reports_its_errors(module: ModuleType) -> None:
    tasks = {name: each.function for name, each in vars(module).items() if hasattr(each, "function")}

    assert tasks
    # A function in `errors_reported()` has the function itself in this attribute.
    assert [name for name, function in tasks.items() if not hasattr(function, "__wrapped__")] == []


@pytest.mark.usefixtures("unreachable")
@pytest.mark.parametrize("task_id", TASKS)
def test_a_task_reports_the_error_of_its_last_try_and_sends_the_event_before_it_returns(
    receiver: SentryReceiver, monkeypatch: pytest.MonkeyPatch, task_id: str
) -> None:
    for try_number in (1, 2):
        with pytest.raises(DatabaseStateError):
            call(monkeypatch, task_id, try_number=try_number, max_tries=2)
    assert receiver.events() == []
    with pytest.raises(DatabaseStateError):
        call(monkeypatch, task_id, try_number=3, max_tries=2)
    (event,) = receiver.events()
    assert event["logentry"]["formatted"] == f"The task {task_id} failed."
    assert event["exception"]["values"][-1]["type"] == "DatabaseStateError"
    assert event["fingerprint"] == ["blogger_batch_fetch", "DatabaseStateError"]
    assert "very-secret" not in receiver.text()


@pytest.fixture
def fail_later(receiver: SentryReceiver, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Hide the Connection `sentry` until this function is called, which raises the error of a task."""
    del receiver
    connection = os.environ["AIRFLOW_CONN_SENTRY"]
    monkeypatch.delenv("AIRFLOW_CONN_SENTRY")

    def fail_later() -> None:
        monkeypatch.setenv("AIRFLOW_CONN_SENTRY", connection)
        raise DatabaseStateError("No server answers.")

    return fail_later


def test_a_task_that_could_not_read_the_connection_at_its_start_reports_its_error(
    receiver: SentryReceiver, fail_later: Callable[[], None]
) -> None:
    with pytest.raises(DatabaseStateError):
        errors_reported()(fail_later)()
    assert receiver.messages() == ["The task any failed."]


def test_a_callback_that_could_not_read_the_connection_at_its_start_reports_its_error(
    receiver: SentryReceiver, fail_later: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(connected_services, "database_pool", fail_later)
        with pytest.raises(DatabaseStateError):
            release_failed_initial_fetch(initial_fetch_context())
    assert len(receiver.messages()) == 1


@pytest.mark.usefixtures("unreachable")
def test_a_cause_that_fails_several_tasks_of_a_run_is_one_event(
    receiver: SentryReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run_id in ("a_run", "another_run"):
        for task_id in ("plan_tiktok", "dispatch_initial_fetches", "gate"):
            # Each task runs in a process of its own.
            clear_process_cache()
            with pytest.raises(DatabaseStateError):
                call(monkeypatch, task_id, run_id=run_id)
        clear_process_cache()
        run_trigger(InstanceStandIn("fetch_tiktok", run_id=run_id))
        flush_sentry()
    assert receiver.messages() == ["The task plan_tiktok failed."] * 2
    assert len({tuple(event["fingerprint"]) for event in receiver.events()}) == 1


def test_a_lost_database_is_one_cause_whenever_it_is_noticed(receiver: SentryReceiver) -> None:
    lost = [
        DatabaseStateError("No server answers."),
        OperationalError("the connection is lost"),
        PoolTimeout("No line"),
    ]
    for error in [*lost, AdminShutdown("terminating connection"), LockNotAvailable("lock timeout")]:
        clear_process_cache()
        with sentry_running():
            gate_task: Any = InstanceStandIn("gate")
            report_error(gate_task, error, "The task %s failed.")
    assert [event["exception"]["values"][-1]["type"] for event in receiver.events()] == [
        "DatabaseStateError",
        "LockNotAvailable",
    ]


def test_an_error_within_an_initial_fetch_is_reported_once(
    build: DatabaseBuilder, receiver: SentryReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    organization = build.organization()
    tracked = build.track(organization, pending_initial_fetch=True)
    context = initial_fetch_context(
        bloggerId=str(tracked.blogger_id),
        externalId=build.value("select external_id from blogger_information"),
        organizationId=str(organization),
        userId=str(build.member(organization)),
    )
    build.run("revoke insert on fetch_attempts from blogger_pipeline")
    with pytest.raises(InsufficientPrivilege):
        FetchInitialVideosOperator(task_id="fetch").execute(context)
    assert len(receiver.events()) == 1
    assert [record.levelname for record in caplog.records].count("ERROR") == 1


@pytest.mark.usefixtures("unreachable")
def test_an_initial_fetch_that_is_not_released_is_an_event(receiver: SentryReceiver) -> None:
    with pytest.raises(DatabaseStateError):
        release_failed_initial_fetch(initial_fetch_context())
    assert receiver.messages() == [
        "The initial fetch of the failed task fetch was not released. The next health watch releases it."
    ]


@pytest.mark.usefixtures("unreachable")
def test_the_api_server_reports_that_a_run_that_was_ended_by_hand_has_no_end_in_the_ledger(
    receiver: SentryReceiver,
) -> None:
    marked = cast("DagRun", SimpleNamespace(dag_id="blogger_batch_fetch", run_id="a_run"))
    runs_ended_by_hand.on_dag_run_failed(marked, "Dag Run's state was manually set to `failed`.")
    flush_sentry()
    (event,) = receiver.events()
    assert event["logentry"]["formatted"].startswith("a_run was ended by hand in Airflow, but not in the ledger.")
    assert event["exception"]["values"][-1]["type"] == "DatabaseStateError"


@pytest.mark.usefixtures("unreachable")
def test_the_triggerer_reports_the_error_of_an_instance_once_for_many_instances(receiver: SentryReceiver) -> None:
    for map_index in range(BLOGGERS):
        assert isinstance(run_trigger(InstanceStandIn("fetch_tiktok", map_index)), TaskFailedEvent)
    flush_sentry()
    (event,) = receiver.events()
    assert event["exception"]["values"][-1]["type"] == "DatabaseStateError"


@pytest.mark.usefixtures("unreachable")
def test_the_api_server_reports_a_cause_once_for_many_requests(
    receiver: SentryReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    auth = {"conn_type": "http", "host": ISSUER, "password": SECRET}
    monkeypatch.setenv("AIRFLOW_CONN_SUPABASE_AUTH", json.dumps(auth))
    token = token_for(uuid4())
    with AppServer(LazyApp(make_app)) as server:
        for _ in range(20):
            headers = {"Authorization": f"Bearer {token}"}
            assert requests.get(f"{server.url}/blogger/{uuid4()}", headers=headers, timeout=30).status_code == 503
    flush_sentry()
    (event,) = receiver.events()
    assert "got a 503" in event["logentry"]["formatted"]
    assert token not in receiver.text()


@pytest.fixture
def planned(
    request: pytest.FixtureRequest,
    build: DatabaseBuilder,
    sandbox: SandboxServer,
    organization: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> int:
    """Plan a run of TikTok with several bloggers in one instance; return the number of bloggers."""
    request.getfixturevalue("receiver")
    monkeypatch.setenv("BLOGGER_TRACKING_BLOGGERS_PER_INSTANCE", str(BLOGGERS))
    get_settings.cache_clear()
    build.run("update subscriptions set video_limit = 100000")
    track(build, sandbox, organization, Platform.TIKTOK, BLOGGERS)
    assert isinstance(labels := call(monkeypatch, "plan_tiktok"), list)
    assert len(labels) == 1
    return BLOGGERS


def test_bloggers_that_fail_for_the_same_cause_are_one_event_with_the_count(
    planned: int, receiver: SentryReceiver, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.add_fault(Fault(FaultKind.SERVER_ERROR))
    assert isinstance(run_trigger(InstanceStandIn("fetch_tiktok")), TaskFailedEvent)
    with pytest.raises(AirflowFailException):
        call(monkeypatch, "gate")
    (event,) = receiver.events()
    assert event["logentry"]["formatted"].startswith(f"TikTok: {planned} fetches of a_run failed (unavailable).")
    assert event["fingerprint"] == ["blogger_batch_fetch", "TikTok", "unavailable"]


def test_a_rejected_key_is_one_event_of_the_suspension_and_a_warning_of_the_gate(
    planned: int,
    receiver: SentryReceiver,
    sandbox: SandboxServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sandbox.add_fault(Fault(FaultKind.INVALID_CREDENTIALS))
    with pytest.raises(AirflowException, match=rf"\d+ of {planned} bloggers failed"):
        execute(InstanceStandIn("fetch_tiktok"))
    with pytest.raises(AirflowFailException):
        call(monkeypatch, "gate")
    (failures,) = (record for record in caplog.records if "fetches of a_run failed" in record.getMessage())
    assert failures.levelname == "WARNING"
    assert failures.getMessage().startswith("TikTok: ")
    assert "failed (invalid_credentials). For example: TikTok: invalid_credentials (" in failures.getMessage()
    (event,) = receiver.events()
    assert event["logentry"]["formatted"].startswith("TikTok is suspended until ")
    assert event["fingerprint"] == ["suspended", "TikTok", "invalid_credentials"]


def test_a_cause_that_suspended_the_platform_by_its_retry_after_is_one_event_of_the_suspension(
    planned: int, receiver: SentryReceiver, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.add_fault(Fault(FaultKind.RATE_LIMIT, seconds=3600))
    with pytest.raises(AirflowException, match=rf"\d+ of {planned} bloggers failed"):
        execute(InstanceStandIn("fetch_tiktok"))
    with pytest.raises(AirflowFailException):
        call(monkeypatch, "gate")
    assert [event["fingerprint"] for event in receiver.events()] == [["suspended", "TikTok", "rate_limited"]]


def test_accounts_that_were_left_out_for_different_causes_are_an_event_for_each_cause(
    build: DatabaseBuilder, organization: UUID, receiver: SentryReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for platform in (Platform.TIKTOK, Platform.YOUTUBE):
        build.track(organization, platform=platform)
    build.run("""
        insert into platform_suspensions
        select platform, now() + interval '1 hour', reason, now()
        from (values ('TikTok', 'invalid_credentials: HTTP 401'), ('YouTube', 'blocked')) as causes (platform, reason)
    """)
    call(monkeypatch, "plan_tiktok")
    for _ in range(2):
        with pytest.raises(AirflowFailException):
            call(monkeypatch, "gate")
    assert [event["fingerprint"] for event in receiver.events()] == [
        ["blogger_batch_fetch", "left_out", "TikTok", "platform_suspended"],
        ["blogger_batch_fetch", "left_out", "YouTube", "platform_suspended"],
    ]


def test_every_violated_invariant_is_an_event(
    build: DatabaseBuilder, receiver: SentryReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    build.track(build.organization())
    build.run("update subscription_usage set videos_fetched = 5")
    build.run("update tracked_accounts set last_scraped_at = now()")
    call(monkeypatch, "check_ledger")
    assert [event["fingerprint"] for event in receiver.events()] == [
        ["invariant", "ledger_is_usage"],
        ["invariant", "unproven_last_scraped_at"],
    ]


def execute(instance: InstanceStandIn) -> dict[str, Any]:
    operator = FetchBloggersOperator(task_id=instance.task_id, deferrable=False)
    return operator.execute({"ti": instance})  # type: ignore[typeddict-item] # a stand-in for the task instance
