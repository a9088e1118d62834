"""One real stack for all end-to-end tests, because starting a stack takes long; each test creates its own data."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from devtools.local_stack.batch_run import wait_for_dag
from devtools.local_stack.stack import Stack
from tests.support.fleet import Fleet
from tests.support.running_stack import running_stack

QUEUE_LOOK_SECONDS = 3
QUEUE_EVENT_SECONDS = 10


def wait_for_dags(stack: Stack) -> None:
    """Return once every DAG can be triggered."""
    for dag_id in (
        "blogger_batch_fetch",
        "blogger_initial_fetch",
        "youtube_video_batch",
        "video_thumbnails",
        "health_watch",
        "maintenance",
    ):
        wait_for_dag(stack.client(), dag_id)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Postgres, the sandbox with a low latency, and Airflow; the databases are migrated and empty."""
    with running_stack(
        latency_ms=20,
        environment={
            "BLOGGER_TRACKING_FETCH_RETRY_DELAY_SECONDS": "1",
            "BLOGGER_TRACKING_INITIAL_FETCH_RETRY_DELAY_SECONDS": "1",
            "BLOGGER_TRACKING_QUEUE_LOOK_SECONDS": str(QUEUE_LOOK_SECONDS),
            "BLOGGER_TRACKING_QUEUE_EVENT_SECONDS": str(QUEUE_EVENT_SECONDS),
        },
    ) as running:
        wait_for_dags(running)
        yield running


@pytest.fixture
def fleet(stack: Stack) -> Iterator[Fleet]:
    """An organization of the test's own in the stack's database, and its tracked creators."""
    with psycopg.connect(stack.admin_dsn, autocommit=True) as connection:
        yield Fleet(connection)
