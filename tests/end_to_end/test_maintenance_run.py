"""The maintenance and the watchers of the queues in a real Airflow."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import Connection

from blogger_tracking.domain.models import Platform
from devtools.local_stack.airflow_environment import METADATA_VARIABLE
from devtools.local_stack.config import StackError
from devtools.local_stack.stack import Stack
from tests.end_to_end.conftest import QUEUE_EVENT_SECONDS, QUEUE_LOOK_SECONDS
from tests.support.fleet import Fleet
from tests.support.waiting import wait_until

BATCH = "blogger_batch_fetch"
MAINTENANCE = "maintenance"
CONSUMER = "video_thumbnails"
TIMEOUT_SECONDS = 240
WATCH_SECONDS = QUEUE_LOOK_SECONDS + 120

# The bounds of a test's waits, and the start of the stack.
pytestmark = pytest.mark.timeout(3 * TIMEOUT_SECONDS + WATCH_SECONDS + 300)


@pytest.fixture
def metadata(stack: Stack) -> Iterator[Connection]:
    """Airflow's metadata database, which the tests age."""
    with psycopg.connect(stack.environment()[METADATA_VARIABLE].replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


@pytest.fixture
def fetched(stack: Stack, fleet: Fleet) -> str:
    """Fetch an account of each platform and wait for the consumers; return the DAG run id of the batch."""
    for platform in Platform:
        fleet.track(platform)
    client = stack.client()
    dag_run_id = client.trigger(BATCH, fleet.scope()).dag_run_id
    assert client.wait_for_run(BATCH, dag_run_id, TIMEOUT_SECONDS).state == "success"
    wait_until(lambda: fleet.value(_UNFINISHED) == 0, timeout_seconds=TIMEOUT_SECONDS)
    return dag_run_id


_UNFINISHED = """
    select (select count(*) from thumbnail_queue where done_at is null and parked_at is null)
    + (select count(*) from high_priority_queue where done_at is null and parked_at is null)
"""


def wait_for_consumers(metadata: Connection) -> None:
    """Return once no run of a consumer is queued or running."""

    def none_is_active() -> bool:
        active = metadata.execute(
            "select count(*) from dag_run where dag_id = %s and state in ('queued', 'running')", (CONSUMER,)
        )
        return active.fetchone() == (0,)

    wait_until(none_is_active, timeout_seconds=TIMEOUT_SECONDS)


def started_consumers(metadata: Connection, since: datetime) -> list[str]:
    """Return the types of the consumer's runs since a moment, without the hourly ones."""
    started = "select run_type from dag_run where dag_id = %s and run_after >= %s and run_type <> 'scheduled'"
    return [run_type for (run_type,) in metadata.execute(started, (CONSUMER, since))]


@pytest.mark.usefixtures("fetched")
@pytest.mark.parametrize("killed", [None, "triggerer"])
def test_a_message_whose_delay_is_over_starts_a_consumer_and_an_empty_queue_none(
    stack: Stack, fleet: Fleet, metadata: Connection, killed: str | None
) -> None:
    wait_for_consumers(metadata)
    # A look finds nothing due, and the event of an earlier look has become a run.
    time.sleep(QUEUE_LOOK_SECONDS + 5)
    before = datetime.now(UTC)
    # A watcher that yielded events for an empty queue would yield at least one in this time.
    time.sleep(QUEUE_EVENT_SECONDS + QUEUE_LOOK_SECONDS)
    assert started_consumers(metadata, before) == []
    if killed:
        stack.kill(killed)
    # A killed consumer leaves such a message: nothing announces it.
    fleet.build.run(
        """
        with forgotten as (
            update thumbnail_queue
            set done_at = null, visible_at = now() + interval '5 seconds'
            where id = (select max(id) from thumbnail_queue)
            returning video_id
        )
        update videos set thumbnail_path = null where id in (select video_id from forgotten)
        """
    )
    wait_until(lambda: fleet.value(_UNFINISHED) == 0, timeout_seconds=WATCH_SECONDS)
    # A consumer that starts slowly leaves the message due for a further event.
    assert set(started_consumers(metadata, before)) == {"asset_triggered"}
    assert fleet.violations() == {}


def test_the_maintenance_removes_old_runs_of_the_ledger_and_of_airflow(
    stack: Stack, fleet: Fleet, metadata: Connection, fetched: str
) -> None:
    client = stack.client()
    ended = "update dag_run set end_date = end_date - interval '40 days' where run_id = %s"
    metadata.execute(ended, (fetched,))
    for statement in (
        "update runs set planned_at = planned_at - interval '100 days', expires_at = expires_at - interval '100 days'",
        "update fetch_attempts set finished_at = finished_at - interval '100 days'",
        "update tracked_accounts set last_scraped_at = last_scraped_at - interval '100 days'",
        "update thumbnail_queue set done_at = done_at - interval '8 days'",
        "update high_priority_queue set done_at = done_at - interval '8 days'",
        "update youtube_units set pacific_day = pacific_day - 100",
    ):
        fleet.build.run(statement)
    statistics = fleet.value("select count(*) from video_statistics")
    dag_run_id = client.trigger(MAINTENANCE).dag_run_id
    assert client.wait_for_run(MAINTENANCE, dag_run_id, TIMEOUT_SECONDS).state == "success"
    removed = client.xcom(MAINTENANCE, dag_run_id, "remove_old_runs")
    assert isinstance(removed, dict)
    assert removed["fetches"] >= len(Platform)
    assert fleet.value("select count(*) from fetches") == 0
    assert fleet.value("select count(*) from video_statistics") == statistics
    assert fleet.violations() == {}
    with pytest.raises(StackError):
        client.run(BATCH, fetched)


def test_the_command_of_the_guide_cleans_what_the_maintenance_cannot_reach(
    stack: Stack, metadata: Connection, fetched: str
) -> None:
    del fetched
    metadata.execute("update log set dttm = dttm - interval '90 days'")
    before = metadata.execute("select count(*) from log").fetchone()
    day = f"{datetime.now(UTC) - timedelta(days=60):%Y-%m-%d}"
    cleaned = subprocess.run(
        [
            Path(sys.executable).with_name("airflow"),
            *("db", "clean", "--clean-before-timestamp", day, "--skip-archive", "--yes"),
        ],
        env=os.environ | stack.environment(),
        cwd=stack.config.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
    )
    assert cleaned.returncode == 0, cleaned.stderr
    assert before is not None
    left = metadata.execute("select count(*) from log").fetchone()
    assert left is not None
    assert left[0] < before[0]
