"""The batch run in a real Airflow: from the trigger to green, with what every process used for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psutil
import psycopg
from psycopg.rows import scalar_row

from blogger_tracking.database.connections import connect
from blogger_tracking.database.invariants import check_invariants
from devtools.bench.accounting import Accounting, Usage
from devtools.bench.fleet import Fleets
from devtools.bench.ui_probe import UiProbe
from devtools.local_stack.airflow_environment import METADATA_VARIABLE
from devtools.local_stack.batch_run import BATCH_DAG, wait_for_dag
from devtools.local_stack.config import StackConfig
from devtools.local_stack.errors import StackError
from devtools.local_stack.stack import Progress, Stack

QUEUE_DAGS = ("youtube_video_batch", "video_thumbnails")

_RUN_SECONDS = 4 * 3600.0
_DRAIN_SECONDS = 900.0
_POLL_SECONDS = 0.5
_RUN_POLL_SECONDS = 5.0
_WARM_UP_BLOGGERS = 9

_FETCHED = """
select count(*) from fetches
join runs on runs.id = fetches.run_id
where runs.dag_run_id = %s and fetches.conclusive_state is not null
"""
_WAITING_CALLBACKS = "select count(*) from callback where state is null"


@dataclass(frozen=True, slots=True)
class BatchRun:
    """One run. `programs` is what each used until nothing was left to do; `ui` holds 95th percentiles in seconds."""

    bloggers: int
    seconds: float
    programs: dict[str, Usage]
    violations: int
    ui: dict[str, float] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        """Bloggers, from the trigger to green."""
        return round(self.bloggers / self.seconds, 2)

    @property
    def cpu_seconds(self) -> float:
        """Of all programs, the invented platforms among them."""
        return round(sum(program.cpu_seconds for program in self.programs.values()), 1)


class BatchBench:
    """Runs the batch on one running stack, each time over a fleet of its own."""

    def __init__(self, stack: Stack, fleets: Fleets, say: Progress) -> None:
        self._stack = stack
        self._client = stack.client()
        self._fleets = fleets
        self._say = say

    def run(self, bloggers: int, *, watch_ui: bool = False) -> BatchRun:
        """Measure one run. Raises StackError unless it ends green."""
        self._track(bloggers)
        pids = {name: state.pid for name, state in self._stack.states().items()}
        with ExitStack() as context:
            accounting = context.enter_context(Accounting(pids))
            triggered = datetime.now(UTC)
            run_id = self._client.trigger(BATCH_DAG)["dag_run_id"]
            probe = context.enter_context(UiProbe(self._stack, run_id)) if watch_ui else None
            ended = self._wait_for_green(run_id)
            ui = probe.percentiles() if probe else {}
            self._wait_for_callbacks()
            programs = accounting.usage()
        return self._measured(BatchRun(bloggers, _seconds(triggered, ended), programs, self._violations(), ui))

    def run_killed(self, bloggers: int) -> BatchRun:
        """Measure one run whose triggerer is killed when half of the bloggers are fetched; nothing of its programs."""
        self._track(bloggers)
        triggered = datetime.now(UTC)
        run_id = self._client.trigger(BATCH_DAG)["dag_run_id"]
        with connect(self._stack.pipeline_dsn) as connection:
            while connection.execute(_FETCHED, (run_id,)).fetchall() < [(bloggers // 2,)]:
                time.sleep(_POLL_SECONDS)
        self._stack.kill("triggerer")
        ended = self._wait_for_green(run_id)
        return self._measured(BatchRun(bloggers, _seconds(triggered, ended), {}, self._violations()))

    def _track(self, bloggers: int) -> None:
        with connect(self._stack.admin_dsn) as connection:
            self._fleets.track(connection, bloggers)

    def _wait_for_green(self, run_id: str) -> datetime:
        run = self._client.wait_for_run(BATCH_DAG, run_id, _RUN_SECONDS, _RUN_POLL_SECONDS)
        if run["state"] != "success":
            raise StackError(f"{run_id} ended as {run['state']}: the figures of a run that is not green mean nothing.")
        # Airflow's own note of the end: asking for it more often would be measured with it.
        return datetime.fromisoformat(str(run["end_date"]))

    def _measured(self, measured: BatchRun) -> BatchRun:
        self._say(
            f"{measured.bloggers} bloggers: {measured.seconds:.1f} s, {measured.per_second} a second, "
            f"{measured.cpu_seconds:.0f} CPU seconds, {measured.violations} violations"
        )
        return measured

    def _violations(self) -> int:
        with connect(self._stack.pipeline_dsn) as connection:
            return sum(check_invariants(connection).values())

    def _wait_for_callbacks(self) -> None:
        """Each instance that ends in the triggerer leaves the DAG processor something to do."""
        metadata = self._stack.environment()[METADATA_VARIABLE].replace("+psycopg", "")
        processor = psutil.Process(self._stack.pid("dag-processor"))
        deadline = time.monotonic() + _DRAIN_SECONDS
        with psycopg.connect(metadata, autocommit=True, row_factory=scalar_row) as connection:
            while any(connection.execute(_WAITING_CALLBACKS).fetchall()) or processor.children():
                if time.monotonic() > deadline:
                    raise StackError("The DAG processor does not get through its callback requests.")
                time.sleep(_POLL_SECONDS)


def _seconds(triggered: datetime, ended: datetime) -> float:
    return round((ended - triggered).total_seconds(), 2)


@contextmanager
def batch_bench(
    config: StackConfig, fleets: Fleets, say: Callable[[str], None], *, queues: bool = False
) -> Generator[BatchBench]:
    """A stack that has done its first run, which is never like the others.

    The consumers of the queues rest unless `queues`: what they download is neither fetched nor saved by the run.
    """
    with Stack(config, say) as stack:
        for dag_id in () if queues else QUEUE_DAGS:
            wait_for_dag(stack.client(), dag_id)
            stack.client().pause(dag_id)
        wait_for_dag(stack.client(), BATCH_DAG)
        bench = BatchBench(stack, fleets, say)
        bench.run(_WARM_UP_BLOGGERS)
        yield bench
