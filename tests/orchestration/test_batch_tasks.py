"""Plan, operator, trigger and gate of the batch run, without any Airflow process."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import psycopg
import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from airflow.triggers.base import TaskFailedEvent, TaskSkippedEvent, TaskSuccessEvent, TriggerEvent
from psycopg import Connection

from blogger_tracking.database.ledger_removal import remove_fetches_of_blogger
from blogger_tracking.database.removals import withdraw_blogger
from blogger_tracking.database.runs import InstanceFetch, InstanceTry, read_instance_fetches
from blogger_tracking.domain.models import Platform
from blogger_tracking.orchestration import batch_tasks, fetch_trigger
from blogger_tracking.orchestration.airflow_3_3.log_buffer import LogBuffer
from blogger_tracking.orchestration.fetch_operator import FetchBloggersOperator
from blogger_tracking.orchestration.fetch_trigger import FetchBloggersTrigger
from blogger_tracking.settings import get_settings
from blogger_tracking.usecases import fetch_instance
from blogger_tracking.usecases.fetch_blogger import FetchReport
from devtools.platform_sandbox import Fault, FaultKind, SandboxServer
from tests.orchestration.conftest import Emitted, InstanceStandIn, run_trigger, track
from tests.support.database_builder import DatabaseBuilder

NO_RESTRICTION = {"organizations": None, "platforms": None, "bloggers": None}
FETCHED = "select count(*) from fetches where conclusive_state = 'succeeded'"

pytestmark = pytest.mark.usefixtures("connections")

Call = Callable[[InstanceStandIn], Any]
"""A function that executes one fetch instance."""


def run_task(
    monkeypatch: pytest.MonkeyPatch, function: Callable[..., object], *arguments: str, **params: list[str]
) -> object:
    """Call the function of a decorated task as a worker does: with a current context."""
    dag_run = SimpleNamespace(run_type="manual", conf=params)
    context = {"ti": InstanceStandIn(function.__name__), "params": NO_RESTRICTION | params, "dag_run": dag_run}
    monkeypatch.setattr(batch_tasks, "get_current_context", lambda: context)
    return function(*arguments)


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Plan a platform's part of the run `a_run`."""

    def plan(platform: Platform, **params: list[str]) -> list[str]:
        labels = run_task(monkeypatch, batch_tasks.plan_platform.function, platform.value, **params)
        assert isinstance(labels, list)
        return labels

    return plan


def execute(instance: InstanceStandIn) -> dict[str, Any]:
    """Execute an instance as a worker does."""
    operator = FetchBloggersOperator(task_id=instance.task_id, deferrable=False)
    return operator.execute({"ti": instance})  # type: ignore[typeddict-item] # a stand-in for the task instance


def test_a_backfill_is_refused_and_charges_nothing(
    build: DatabaseBuilder, sandbox: SandboxServer, organization: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    track(build, sandbox, organization, Platform.TIKTOK, 1)
    dag_run = SimpleNamespace(run_type="backfill", conf={})
    context = {"ti": InstanceStandIn("plan_tiktok"), "params": NO_RESTRICTION, "dag_run": dag_run}
    monkeypatch.setattr(batch_tasks, "get_current_context", lambda: context)
    with pytest.raises(AirflowFailException, match="Nothing was planned"):
        batch_tasks.plan_platform.function(Platform.TIKTOK.value)
    assert build.value("select count(*) from runs") == 0


def test_a_misspelt_restriction_is_refused_instead_of_fetching_for_everybody(
    build: DatabaseBuilder, sandbox: SandboxServer, organization: UUID, plan: Callable[..., list[str]]
) -> None:
    track(build, sandbox, organization, Platform.TIKTOK, 1)
    with pytest.raises(AirflowFailException, match="unknown keys: organisations"):
        plan(Platform.TIKTOK, organisations=[str(organization)])
    assert build.value("select count(*) from runs") == 0


def test_each_platforms_task_returns_the_labels_of_its_own_instances_from_one_plan(
    build: DatabaseBuilder, sandbox: SandboxServer, organization: UUID, plan: Callable[..., list[str]]
) -> None:
    tracked = {platform: track(build, sandbox, organization, platform, 2) for platform in Platform}
    for platform, creators in tracked.items():
        assert sorted(plan(platform)) == sorted(f"{platform} · @{creator.username}" for creator in creators)
    assert build.value("select count(*) from runs") == 1


def test_a_restricted_run_plans_nothing_else(
    build: DatabaseBuilder, sandbox: SandboxServer, organization: UUID, plan: Callable[..., list[str]]
) -> None:
    for platform in Platform:
        track(build, sandbox, organization, platform)
    assert plan(Platform.TIKTOK, platforms=["YouTube"]) == []
    assert len(plan(Platform.YOUTUBE, platforms=["YouTube"])) == 1
    assert build.value("select count(*) from fetches") == 1


def test_the_label_of_an_instance_names_the_blogger_that_the_instance_fetches(
    build: DatabaseBuilder, sandbox: SandboxServer, organization: UUID, plan: Callable[..., list[str]]
) -> None:
    track(build, sandbox, organization, Platform.TIKTOK, 3)
    labels = plan(Platform.TIKTOK)
    assert len(labels) == 3
    for map_index, label in enumerate(labels):
        execute(InstanceStandIn("fetch_tiktok", map_index))
        fetched = build.value(
            """
            select username from fetches
            join blogger_information on blogger_information.id = blogger_id
            order by claimed_at desc nulls last limit 1
            """
        )
        assert label == f"TikTok · @{fetched}"


def test_the_worker_returns_a_summary_of_the_saved_videos(
    build: DatabaseBuilder, sandbox: SandboxServer, organization: UUID, plan: Callable[..., list[str]]
) -> None:
    track(build, sandbox, organization, Platform.TIKTOK)
    plan(Platform.TIKTOK)
    assert execute(InstanceStandIn("fetch_tiktok")) == {
        "bloggers": 1,
        "states": {"succeeded": 1},
        "videos": 10,
        "videos_new": 10,
        "charged": 10,
    }
    assert build.value(FETCHED) == 1


def test_the_triggerer_ends_the_instance_with_the_same_summary(
    build: DatabaseBuilder, sandbox: SandboxServer, organization: UUID, plan: Callable[..., list[str]]
) -> None:
    track(build, sandbox, organization, Platform.TIKTOK)
    plan(Platform.TIKTOK)
    event = run_trigger(InstanceStandIn("fetch_tiktok"))
    assert isinstance(event, TaskSuccessEvent)
    assert event.xcoms is not None
    assert event.xcoms["return_value"] == {
        "bloggers": 1,
        "states": {"succeeded": 1},
        "videos": 10,
        "videos_new": 10,
        "charged": 10,
    }
    assert build.value(FETCHED) == 1


def test_one_failed_blogger_fails_a_shared_instance_and_the_videos_of_the_others_are_saved(
    build: DatabaseBuilder,
    sandbox: SandboxServer,
    organization: UUID,
    plan: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BLOGGER_TRACKING_BLOGGERS_PER_INSTANCE", "3")
    get_settings.cache_clear()
    broken, *_ = track(build, sandbox, organization, Platform.TIKTOK, 3)
    (label,) = plan(Platform.TIKTOK)
    assert label.startswith("TikTok · 3 bloggers: @")
    sandbox.add_fault(Fault(FaultKind.SERVER_ERROR, creator=broken.external_id))
    with pytest.raises(AirflowException, match=rf"1 of 3 bloggers failed: @{broken.username}"):
        execute(InstanceStandIn("fetch_tiktok"))
    assert build.value(FETCHED) == 2


@pytest.mark.parametrize("fetch", [execute, run_trigger], ids=["in a worker", "in the triggerer"])
def test_an_instance_emits_the_metrics_of_its_attempts(
    build: DatabaseBuilder,
    sandbox: SandboxServer,
    organization: UUID,
    plan: Callable[..., list[str]],
    emitted: Emitted,
    fetch: Call,
) -> None:
    track(build, sandbox, organization, Platform.TIKTOK)
    plan(Platform.TIKTOK)
    fetch(InstanceStandIn("fetch_tiktok"))
    duration = emitted.values.pop(("blogger_tracking.attempt_duration", "TikTok"))
    assert isinstance(duration, timedelta)
    assert timedelta() < duration < timedelta(minutes=1)
    assert {name: value for name, value in emitted.values.items() if name[0].startswith("blogger_tracking")} == {
        ("blogger_tracking.fetches", "TikTok", "succeeded"): 1,
        ("blogger_tracking.requests", "TikTok", "listing"): 1,
        ("blogger_tracking.videos", "TikTok"): 10,
        ("blogger_tracking.videos_new", "TikTok"): 10,
    }


@pytest.fixture
def shared_instance(
    build: DatabaseBuilder,
    sandbox: SandboxServer,
    organization: UUID,
    plan: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> InstanceStandIn:
    """An instance of three bloggers, for the first of which the database refuses the attempt."""
    monkeypatch.setenv("BLOGGER_TRACKING_BLOGGERS_PER_INSTANCE", "3")
    get_settings.cache_clear()
    track(build, sandbox, organization, Platform.TIKTOK, 3)
    plan(Platform.TIKTOK)
    build.run("""
        create function refuse_first() returns trigger language plpgsql as $$
        begin
            if new.fetch_id = (select min(id) from blogger_tracking.fetches) then
                raise exception 'refused';
            end if;
            return new;
        end
        $$
    """)
    build.run(
        "create trigger refuse_first before insert on fetch_attempts for each row execute function refuse_first()"
    )
    return InstanceStandIn("fetch_tiktok")


@pytest.mark.parametrize("fetch", [execute, run_trigger], ids=["in a worker", "in the triggerer"])
def test_an_instance_of_which_one_fetch_raises_emits_the_metrics_of_the_others(
    shared_instance: InstanceStandIn, emitted: Emitted, fetch: Call
) -> None:
    if fetch is execute:
        with pytest.raises(psycopg.DatabaseError, match="refused"):
            fetch(shared_instance)
    else:
        assert isinstance(fetch(shared_instance), TaskFailedEvent)
    assert emitted.values["blogger_tracking.fetches", "TikTok", "succeeded"] == 2


def test_asyncio_logs_no_second_error_for_a_fetch_that_raised(caplog: pytest.LogCaptureFixture) -> None:
    fetch: Future[FetchReport | None] = Future()
    fetch.set_exception(ValueError("refused"))
    asyncio.run(fetch_trigger._wait_for_all([fetch], LogBuffer()))  # noqa: SLF001 - a whole trigger keeps its futures
    del fetch
    gc.collect()
    assert caplog.messages == []


@pytest.mark.parametrize("fetch", [execute, run_trigger], ids=["in a worker", "in the triggerer"])
def test_a_failed_instance_fetches_what_is_missing_at_its_next_attempt(
    build: DatabaseBuilder, sandbox: SandboxServer, organization: UUID, plan: Callable[..., list[str]], fetch: Call
) -> None:
    track(build, sandbox, organization, Platform.TIKTOK)
    plan(Platform.TIKTOK)
    sandbox.add_fault(Fault(FaultKind.SERVER_ERROR))
    instance = InstanceStandIn("fetch_tiktok")
    if fetch is execute:
        with pytest.raises(AirflowException):
            fetch(instance)
    else:
        assert isinstance(fetch(instance), TaskFailedEvent)
    sandbox.reset()
    fetch(instance)
    assert build.value(FETCHED) == 1


@pytest.mark.parametrize("fetch", [execute, run_trigger], ids=["in a worker", "in the triggerer"])
def test_a_blogger_who_is_removed_before_the_claim_does_not_fail_the_instance_of_the_others(
    build: DatabaseBuilder,
    admin: Connection,
    sandbox: SandboxServer,
    plan: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
    fetch: Call,
) -> None:
    monkeypatch.setenv("BLOGGER_TRACKING_BLOGGERS_PER_INSTANCE", "2")
    get_settings.cache_clear()
    _, gone = track(build, sandbox, build.organization(), Platform.TIKTOK, 2)
    plan(Platform.TIKTOK)
    blogger = build.value("select id from blogger_information where external_id = %(id)s", id=gone.external_id)

    def read_and_remove(connection: Connection, instance: InstanceTry) -> list[InstanceFetch]:
        fetches = read_instance_fetches(connection, instance)
        withdraw_blogger(admin, blogger)
        assert remove_fetches_of_blogger(admin, blogger, limit=10).count == 1
        return fetches

    monkeypatch.setattr(fetch_instance, "read_instance_fetches", read_and_remove)
    ended = fetch(InstanceStandIn("fetch_tiktok"))
    if fetch is run_trigger:
        assert isinstance(ended, TaskSuccessEvent)
        ended = (ended.xcoms or {})["return_value"]
    assert (ended["bloggers"], ended["states"]) == (1, {"succeeded": 1})


def test_the_triggerer_tells_why_an_instance_has_nothing_to_fetch(
    build: DatabaseBuilder,
    admin: Connection,
    sandbox: SandboxServer,
    organization: UUID,
    plan: Callable[..., list[str]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    track(build, sandbox, organization, Platform.TIKTOK)
    plan(Platform.TIKTOK)
    blogger = build.value("select id from blogger_information")
    withdraw_blogger(admin, blogger)
    remove_fetches_of_blogger(admin, blogger, limit=10)
    caplog.set_level(logging.INFO)
    assert isinstance(run_trigger(InstanceStandIn("fetch_tiktok")), TaskSuccessEvent)
    assert "Nothing is left to fetch: the bloggers were removed." in caplog.messages


@pytest.mark.parametrize("fetch", [execute, run_trigger], ids=["in a worker", "in the triggerer"])
def test_an_instance_whose_claims_are_all_refused_is_skipped(
    build: DatabaseBuilder, sandbox: SandboxServer, organization: UUID, plan: Callable[..., list[str]], fetch: Call
) -> None:
    track(build, sandbox, organization, Platform.TIKTOK)
    plan(Platform.TIKTOK)
    build.run("update tracked_accounts set is_active = false")
    instance = InstanceStandIn("fetch_tiktok")
    if fetch is execute:
        with pytest.raises(AirflowSkipException, match="inactive"):
            fetch(instance)
    else:
        assert isinstance(fetch(instance), TaskSkippedEvent)


@pytest.mark.parametrize("instance", [None, InstanceStandIn("fetch_tiktok")], ids=["no instance", "not planned"])
def test_a_trigger_that_cannot_work_logs_the_reason_outside_the_event_loop_and_fails_its_instance(
    instance: InstanceStandIn | None,
) -> None:
    """Logging on the event loop could deadlock: the write waits for the triggerer, which waits for the event loop."""
    logged: list[tuple[int, logging.LogRecord]] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logged.append((threading.get_ident(), record))

    handler = Handler(logging.ERROR)
    logging.getLogger().addHandler(handler)
    event = run_trigger(instance)
    logging.getLogger().removeHandler(handler)
    assert isinstance(event, TaskFailedEvent)
    ((thread, record),) = logged
    assert record.exc_info is not None
    assert "the next attempt fetches the remaining bloggers" in record.getMessage()
    assert thread != threading.get_ident(), "asyncio.run ran the event loop in this thread"


async def first_event() -> TriggerEvent:
    """Run the trigger of an instance until its first event."""
    trigger = FetchBloggersTrigger()  # type: ignore[no-untyped-call] # Airflow's own __init__ has no types
    trigger.task_instance = InstanceStandIn("fetch_tiktok")  # type: ignore[assignment] # a stand-in
    return await anext(trigger.run())


def test_a_cancelled_trigger_begins_no_fetch_that_waits_for_a_thread_and_tells_those_under_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Airflow cancels a trigger whose deferral timed out; the retry makes the fetches, elsewhere perhaps."""
    go_on = threading.Event()
    executor = ThreadPoolExecutor(1)
    fetches = [executor.submit(go_on.wait), executor.submit(go_on.wait)]
    submitted = threading.Event()
    told: list[threading.Event] = []

    def submit(_instance: object, cancelled: threading.Event) -> list[Future[bool]]:
        told.append(cancelled)
        submitted.set()
        return fetches

    async def run_and_cancel() -> None:
        running = asyncio.create_task(first_event())
        await asyncio.to_thread(submitted.wait)
        await asyncio.sleep(0.1)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    monkeypatch.setattr(fetch_trigger, "_submit", submit)
    asyncio.run(run_and_cancel())
    assert [fetch.cancelled() for fetch in fetches] == [False, True]
    assert [cancelled.is_set() for cancelled in told] == [True]
    go_on.set()
    executor.shutdown()


def test_the_lines_of_a_fetch_that_goes_on_after_its_trigger_was_cancelled_are_written(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    started, waited_for, go_on = threading.Event(), threading.Event(), threading.Event()
    executor = ThreadPoolExecutor(1)
    wait_for_all = fetch_trigger._wait_for_all  # noqa: SLF001 - the moment at which the trigger waits

    def fetch() -> None:
        started.set()
        go_on.wait()
        logging.getLogger("fetch").info("Saved after all.")

    async def wait(fetches: list[Future[FetchReport | None]], log: LogBuffer) -> None:
        waited_for.set()
        await wait_for_all(fetches, log)

    async def run_and_cancel() -> None:
        running = asyncio.create_task(first_event())
        await asyncio.to_thread(waited_for.wait)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    def submit(_instance: object, _cancelled: threading.Event) -> list[Future[None]]:
        fetches = [executor.submit(contextvars.copy_context().run, fetch)]
        started.wait()
        return fetches

    monkeypatch.setattr(fetch_trigger, "_submit", submit)
    monkeypatch.setattr(fetch_trigger, "_wait_for_all", wait)
    caplog.set_level(logging.INFO)
    asyncio.run(run_and_cancel())
    go_on.set()
    executor.shutdown()
    assert "Saved after all." in caplog.messages


def test_the_lines_of_a_fetch_that_ended_just_before_its_trigger_was_cancelled_are_written(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ended = threading.Event()

    async def never_flush(_fetches: object, _log: LogBuffer) -> None:
        ended.set()
        await asyncio.Event().wait()

    async def run_and_cancel() -> None:
        running = asyncio.create_task(first_event())
        await asyncio.to_thread(ended.wait)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    def submit(_instance: object, _cancelled: threading.Event) -> list[Future[None]]:
        logging.getLogger("fetch").info("Saved in time.")
        return []

    monkeypatch.setattr(fetch_trigger, "_submit", submit)
    monkeypatch.setattr(fetch_trigger, "_wait_for_all", never_flush)
    caplog.set_level(logging.INFO)
    asyncio.run(run_and_cancel())
    assert "Saved in time." in caplog.messages


def test_a_trigger_that_is_cancelled_while_it_submits_begins_no_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    submitting, go_on = threading.Event(), threading.Event()
    told: list[threading.Event] = []

    def submit(_instance: object, cancelled: threading.Event) -> list[Future[bool]]:
        told.append(cancelled)
        submitting.set()
        go_on.wait()
        return []

    async def run_and_cancel() -> None:
        running = asyncio.create_task(first_event())
        await asyncio.to_thread(submitting.wait)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        go_on.set()

    monkeypatch.setattr(fetch_trigger, "_submit", submit)
    asyncio.run(run_and_cancel())
    assert [cancelled.is_set() for cancelled in told] == [True]


def test_the_gate_finishes_the_run(
    build: DatabaseBuilder,
    sandbox: SandboxServer,
    organization: UUID,
    plan: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    track(build, sandbox, organization, Platform.TIKTOK)
    plan(Platform.TIKTOK)
    execute(InstanceStandIn("fetch_tiktok"))
    run_task(monkeypatch, batch_tasks.gate.function)
    assert build.value("select ended_at is not null from runs") is True


def test_the_gate_fails_with_numbers_and_what_to_do_if_every_fetch_of_a_platform_failed(
    build: DatabaseBuilder,
    sandbox: SandboxServer,
    organization: UUID,
    plan: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    track(build, sandbox, organization, Platform.TIKTOK, 2)
    plan(Platform.TIKTOK)
    sandbox.add_fault(Fault(FaultKind.SERVER_ERROR))
    for map_index in range(2):
        with pytest.raises(AirflowException):
            execute(InstanceStandIn("fetch_tiktok", map_index))
    with pytest.raises(
        AirflowFailException, match=r"every fetch of TikTok failed \(2\).*Clear the failed or skipped instances"
    ):
        run_task(monkeypatch, batch_tasks.gate.function)
    assert build.value("select ended_at is not null from runs") is True
