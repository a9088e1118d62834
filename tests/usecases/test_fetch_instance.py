"""The bloggers that a try of a task instance fetches: all, the unanswered ones, or none."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.database.fetch_claims import NoAttempt, NoAttemptReason
from blogger_tracking.database.fetch_settlement import FetchOutcome
from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.database.runs import InstanceTry, RunKey
from blogger_tracking.domain.errors import UnplannedInstanceError
from blogger_tracking.domain.ledger import FetchState
from blogger_tracking.domain.models import Platform
from blogger_tracking.settings import get_settings
from blogger_tracking.usecases.end_runs import end_run
from blogger_tracking.usecases.fetch_blogger import FetchReport, FetchServices
from blogger_tracking.usecases.fetch_instance import collect_reports, submit_fetches
from devtools.platform_sandbox import SandboxServer
from tests.support.database_builder import DatabaseBuilder
from tests.support.ledger_steps import REMOVE_FETCHES, claim, claim_in_try, fetch_ids, new_key, plan, settle, succeed

BLOGGERS = 3
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def invariants_hold(admin: Connection) -> Iterator[None]:
    yield
    assert not any(check_invariants(admin).values())


@pytest.fixture
def run(
    build: DatabaseBuilder, services: FetchServices, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> RunKey:
    """A planned run of one instance with three bloggers."""
    monkeypatch.setenv("BLOGGER_TRACKING_BLOGGERS_PER_INSTANCE", str(BLOGGERS))
    get_settings.cache_clear()
    organization = build.organization(daily=10, video_limit=1000)
    for creator in list(sandbox.world.creators(Platform.TIKTOK))[:BLOGGERS]:
        build.track(organization, build.creator(creator))
    key = new_key()
    assert len(plan(services.pool, key).instances) == 1
    return key


def first_try(run: RunKey) -> InstanceTry:
    """The try that was created with the run."""
    return InstanceTry(run, "fetch_tiktok", 0, datetime.now(UTC) - timedelta(hours=1))


def cleared(run: RunKey) -> InstanceTry:
    """A try that is created now, because somebody cleared the instance."""
    return InstanceTry(run, "fetch_tiktok", 0, datetime.now(UTC))


def start(services: FetchServices, instance: InstanceTry) -> list[FetchReport]:
    """Start a try, and wait until it ends."""
    with ThreadPoolExecutor(BLOGGERS) as threads:
        return collect_reports(submit_fetches(threads, services, instance))


def ids(build: DatabaseBuilder) -> list[int]:
    return [fetch_id for (fetch_id,) in build.rows("select id from fetches order by id")]


def attempts(build: DatabaseBuilder) -> list[int]:
    """Return the number of attempts of each fetch."""
    counted = build.rows("select count(*) from fetch_attempts group by fetch_id order by fetch_id")
    return [count for (count,) in counted]


def test_no_fetch_begins_for_an_instance_that_was_ended_meanwhile(
    services: FetchServices, build: DatabaseBuilder, run: RunKey
) -> None:
    cancelled = Event()
    cancelled.set()
    with ThreadPoolExecutor(BLOGGERS) as threads:
        fetches = submit_fetches(threads, services, first_try(run), cancelled)
    assert [type(fetch.exception()) for fetch in fetches] == [CancelledError] * BLOGGERS
    assert attempts(build) == []


def test_the_first_start_fetches_all_bloggers(services: FetchServices, build: DatabaseBuilder, run: RunKey) -> None:
    assert [report.state for report in start(services, first_try(run))] == [FetchState.SUCCEEDED] * BLOGGERS
    assert attempts(build) == [1, 1, 1]


def test_a_try_that_is_started_again_after_its_last_answer_asks_nothing(
    services: FetchServices, build: DatabaseBuilder, run: RunKey, sandbox: SandboxServer
) -> None:
    instance = first_try(run)
    start(services, instance)
    before = sandbox.request_count()

    assert start(services, instance) == []
    assert sandbox.request_count() == before
    assert attempts(build) == [1, 1, 1]


def test_a_retry_of_a_worker_that_died_after_its_last_answer_asks_nothing(
    services: FetchServices, build: DatabaseBuilder, run: RunKey
) -> None:
    start(services, first_try(run))

    assert start(services, InstanceTry(run, "fetch_tiktok", 0, datetime.now(UTC), is_retry=True)) == []
    assert attempts(build) == [1, 1, 1]


def test_a_cleared_instance_fetches_all_its_bloggers_again(
    services: FetchServices, build: DatabaseBuilder, run: RunKey
) -> None:
    start(services, first_try(run))

    assert [report.state for report in start(services, cleared(run))] == [FetchState.SUCCEEDED] * BLOGGERS
    assert attempts(build) == [2, 2, 2]


def test_a_cleared_instance_that_is_interrupted_fetches_the_others_when_it_starts_again(
    services: FetchServices, build: DatabaseBuilder, run: RunKey
) -> None:
    start(services, first_try(run))
    again = cleared(run)
    first, second, _ = ids(build)
    succeed(services.pool, claim(services.pool, first), 5)
    claim(services.pool, second)

    start(services, again)

    # The second fetch was at work, and the third had not begun.
    assert attempts(build) == [2, 3, 2]


def save_all_but_the_third(pool: ConnectionPool, build: DatabaseBuilder) -> None:
    first, second, third = ids(build)
    for fetch_id in (first, second):
        succeed(pool, claim(pool, fetch_id), 5)
    settle(pool, claim(pool, third), FetchOutcome(FetchState.FAILED, reason="no answer"))


def test_a_retry_fetches_the_bloggers_that_failed(services: FetchServices, build: DatabaseBuilder, run: RunKey) -> None:
    save_all_but_the_third(services.pool, build)

    start(services, cleared(run))

    assert attempts(build) == [1, 1, 2]


def test_after_a_cleared_try_failed_for_one_blogger_the_retry_fetches_that_blogger(
    services: FetchServices, build: DatabaseBuilder, run: RunKey
) -> None:
    start(services, first_try(run))
    save_all_but_the_third(services.pool, build)

    start(services, cleared(run))

    assert attempts(build) == [2, 2, 3]


def test_a_blogger_that_this_try_has_fetched_meanwhile_is_not_claimed_again(
    services: FetchServices, build: DatabaseBuilder, run: RunKey
) -> None:
    instance = first_try(run)
    start(services, instance)
    fetch_id, *_ = ids(build)

    # A second triggerer that had read what is due before the first one saved it.
    found = claim_in_try(services.pool, fetch_id, instance.created_at)

    assert isinstance(found, NoAttempt)
    assert found.reason is NoAttemptReason.ALREADY_FETCHED
    assert attempts(build) == [1, 1, 1]


def test_no_attempt_begins_for_a_run_that_has_ended(
    services: FetchServices, build: DatabaseBuilder, run: RunKey
) -> None:
    end_run(services.pool, run)

    reports = start(services, first_try(run))

    assert {report.state for report in reports} == {FetchState.SKIPPED}
    assert build.value("select count(*) from fetch_attempts") == 0
    assert build.rows("select distinct state from fetches") == [("released",)]


def test_no_attempt_begins_for_a_run_that_has_expired(
    services: FetchServices, build: DatabaseBuilder, run: RunKey
) -> None:
    build.rows("update runs set expires_at = now() returning id")

    start(services, first_try(run))

    assert build.value("select count(*) from fetch_attempts") == 0


def test_no_attempt_begins_for_a_run_that_was_ended_after_it_had_expired(
    services: FetchServices, build: DatabaseBuilder, run: RunKey
) -> None:
    build.rows("update runs set expires_at = now() returning id")
    left_over = cleared(run)
    end_run(services.pool, run)

    start(services, left_over)

    assert build.value("select count(*) from fetch_attempts") == 0


def test_an_instance_that_was_cleared_after_the_end_of_its_run_is_fetched(
    services: FetchServices, build: DatabaseBuilder, run: RunKey
) -> None:
    end_run(services.pool, run)

    assert {report.state for report in start(services, cleared(run))} == {FetchState.SUCCEEDED}
    assert attempts(build) == [1, 1, 1]


def test_a_run_that_ends_between_reading_and_claiming_ends_the_attempt(
    pool: ConnectionPool, build: DatabaseBuilder
) -> None:
    build.track(build.organization())
    key = new_key()
    (fetch_id,) = fetch_ids(pool, plan(pool, key))
    created_at = datetime.now(UTC) - SECOND
    end_run(pool, key)

    found = claim_in_try(pool, fetch_id, created_at)

    assert isinstance(found, NoAttempt)
    assert found.reason is NoAttemptReason.RUN_ENDED
    assert build.value("select sum(reserved) from subscription_usage") == 0


def test_an_instance_of_a_run_without_a_plan_is_an_error(services: FetchServices) -> None:
    with pytest.raises(UnplannedInstanceError, match="Nothing was fetched"):
        start(services, cleared(new_key()))


def test_an_instance_whose_bloggers_were_removed_since_planning_has_nothing_to_fetch(
    services: FetchServices, build: DatabaseBuilder, run: RunKey
) -> None:
    build.run(REMOVE_FETCHES)
    build.run("update subscription_usage set reserved = 0")

    assert start(services, first_try(run)) == []
