"""One real stack for all end-to-end tests: starting it takes long, and each test brings data of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from devtools.local_stack.batch_run import wait_for_dag
from devtools.local_stack.config import SandboxConfig, StackConfig
from devtools.local_stack.stack import Stack
from tests.support.fleet import Fleet


def wait_for_dags(stack: Stack) -> None:
    """Return once a test can trigger any of them."""
    for dag_id in ("blogger_batch_fetch", "blogger_initial_fetch", "youtube_video_batch", "video_thumbnails"):
        wait_for_dag(stack.client(), dag_id)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Postgres, the sandbox at a low latency and a whole Airflow; empty but migrated."""
    # Not pytest's own folder: as root it is closed to the user that Postgres runs as.
    with tempfile.TemporaryDirectory(prefix="bt-stack-") as folder:
        config = StackConfig(
            folder=Path(folder),
            sandbox=SandboxConfig(latency_ms=20),
            environment={
                # No cron run comes between the tests, and a retry is not waited for.
                "BLOGGER_TRACKING_SCHEDULE": "0 0 29 2 *",
                "BLOGGER_TRACKING_FETCH_RETRY_DELAY_SECONDS": "1",
                "BLOGGER_TRACKING_INITIAL_FETCH_RETRY_DELAY_SECONDS": "1",
            },
        )
        with Stack(config, print) as running:
            wait_for_dags(running)
            yield running


@pytest.fixture
def fleet(stack: Stack) -> Iterator[Fleet]:
    """An organization of its own in the stack's database, and the creators it tracks."""
    with psycopg.connect(stack.admin_dsn, autocommit=True) as connection:
        yield Fleet(connection)
