"""A local stack in a folder of its own, for the tests of one module or session."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import psutil

from devtools.local_stack.batch_run import wait_for_dag
from devtools.local_stack.config import SandboxConfig, StackConfig
from devtools.local_stack.leftovers import marked_processes
from devtools.local_stack.stack import Stack

AnyStack = TypeVar("AnyStack", bound=Stack)

NEVER = "0 0 29 2 *"
"""Schedule with which no scheduled run interferes with a test."""


@contextmanager
def running_stack(*, latency_ms: float, environment: Mapping[str, str], triggerers: int = 1) -> Generator[Stack]:
    """Yield a stack whose batch DAG can be triggered, and end the stack."""
    # Not pytest's own folder, which the user that Postgres runs as cannot enter if pytest runs as root.
    with tempfile.TemporaryDirectory(prefix="bt-stack-") as folder:
        config = StackConfig(
            folder=Path(folder),
            sandbox=SandboxConfig(latency_ms=latency_ms),
            triggerers=triggerers,
            environment={"BLOGGER_TRACKING_SCHEDULE": NEVER, **environment},
        )
        with thrown_away(Stack(config, print)) as stack:
            wait_for_dag(stack.client(), "blogger_batch_fetch")
            yield stack


@contextmanager
def thrown_away(stack: AnyStack) -> Generator[AnyStack]:
    """Start a stack whose folder is deleted afterwards, and kill its processes at the end.

    Airflow's processes take up to 20 seconds to stop by themselves, so that their data is in order.
    """
    with stack:
        try:
            yield stack
        finally:
            # The supervisor, as the oldest, is killed before it could start the others again.
            for process in sorted(marked_processes(stack.config.folder), key=psutil.Process.create_time):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
