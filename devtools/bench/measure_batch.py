"""Measurement of the batch run in a real Airflow: from the trigger to success, with the usage of every process."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psutil
import psycopg
from airflow_client.client.models.dag_run_state import DagRunState

from blogger_tracking.database.connections import connect
from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.database.rows import fetch_value
from devtools.bench.airflow_callbacks import has_waiting_callbacks
from devtools.bench.bench_fleets import Fleets
from devtools.bench.conditions import Sizes
from devtools.bench.measurement import Usage, UsageMeter
from devtools.bench.ui_probe import UiProbe
from devtools.local_stack.airflow_environment import METADATA_VARIABLE
from devtools.local_stack.batch_run import BATCH_DAG, wait_for_dag
from devtools.local_stack.config import StackConfig, StackError
from devtools.local_stack.stack import Progress, Stack

QUEUE_DAGS = ("youtube_video_batch", "video_thumbnails")

_RUN_SECONDS = 4 * 3600.0
_DRAIN_SECONDS = 900.0
_POLL_SECONDS = 0.5

_COUNT_FETCHED = """
select count(*) from blogger_tracking.fetches
join blogger_tracking.runs on runs.id = fetches.run_id
where runs.dag_run_id = %s and fetches.conclusive_state is not null
"""


@dataclass(frozen=True, slots=True)
class BatchRun:
    """Figures of one run.

    `seconds` is the time from the trigger to success. `programs` is the usage of each process until no callback request
    is left; `ui` has the 95th percentiles of the response times of Airflow's UI, in seconds.
    """

    bloggers: int
    seconds: float
    programs: dict[str, Usage]
    violations: int
    ui: dict[str, float] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        """Bloggers per second, from the trigger to success."""
        return round(self.bloggers / self.seconds, 2)

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds of all programs, the sandbox included."""
        return round(sum(program.cpu_seconds for program in self.programs.values()), 1)


class BatchBench:
    """Measures batch runs on one running stack, each with a fleet of its own."""

    def __init__(self, stack: Stack, fleets: Fleets, progress: Progress, run_poll_seconds: float) -> None:
        self._stack = stack
        self._client = stack.client()
        self._fleets = fleets
        self._progress = progress
        self._run_poll_seconds = run_poll_seconds

    def run(self, bloggers: int, *, watch_ui: bool = False) -> BatchRun:
        """Measure one run. Raises StackError unless the run succeeds."""
        self._track(bloggers)
        pids = {name: state.pid for name, state in self._stack.states().items()}
        with ExitStack() as context:
            meter = context.enter_context(UsageMeter(pids))
            triggered = datetime.now(UTC)
            dag_run_id = self._client.trigger(BATCH_DAG).dag_run_id
            probe = context.enter_context(UiProbe(self._stack, dag_run_id)) if watch_ui else None
            ended = self._wait_for_success(dag_run_id)
            ui = probe.percentiles() if probe else {}
            self._wait_for_callbacks()
            programs = meter.usage()
        return self._measured(BatchRun(bloggers, _seconds(triggered, ended), programs, self._violations(), ui))

    def run_killed(self, bloggers: int) -> BatchRun:
        """Measure one run whose triggerer is killed once half of the bloggers are fetched, without usage."""
        self._track(bloggers)
        triggered = datetime.now(UTC)
        dag_run_id = self._client.trigger(BATCH_DAG).dag_run_id
        with connect(self._stack.pipeline_dsn) as connection:
            while fetch_value(connection, _COUNT_FETCHED, (dag_run_id,)) < bloggers // 2:
                time.sleep(_POLL_SECONDS)
        self._stack.kill("triggerer")
        ended = self._wait_for_success(dag_run_id)
        return self._measured(BatchRun(bloggers, _seconds(triggered, ended), {}, self._violations()))

    def _track(self, bloggers: int) -> None:
        with connect(self._stack.admin_dsn) as connection:
            self._fleets.track(connection, bloggers)

    def _wait_for_success(self, dag_run_id: str) -> datetime:
        run = self._client.wait_for_run(BATCH_DAG, dag_run_id, _RUN_SECONDS, self._run_poll_seconds)
        if run.state != DagRunState.SUCCESS or run.end_date is None:
            raise StackError(
                f"{dag_run_id} ended as {run.state.value}, so its figures were not kept. "
                f"The log of its task `gate` names the problems; the stack's files are in {self._stack.config.folder}."
            )
        # The end is read from Airflow, because polling often enough to see it would add to the measured load.
        return run.end_date

    def _measured(self, measured: BatchRun) -> BatchRun:
        self._progress(
            f"{measured.bloggers} bloggers: {measured.seconds:.1f} s, {measured.per_second} a second, "
            f"{measured.cpu_seconds:.0f} CPU seconds, {measured.violations} violations"
        )
        return measured

    def _violations(self) -> int:
        with connect(self._stack.pipeline_dsn) as connection:
            return sum(check_invariants(connection).values())

    def _wait_for_callbacks(self) -> None:
        """Wait until the DAG processor has handled all callback requests, whose CPU time belongs to the run."""
        metadata = self._stack.environment()[METADATA_VARIABLE].replace("+psycopg", "")
        processor = psutil.Process(self._stack.pid("dag-processor"))
        deadline = time.monotonic() + _DRAIN_SECONDS
        with psycopg.connect(metadata, autocommit=True) as connection:
            while has_waiting_callbacks(connection) or processor.children():
                if time.monotonic() > deadline:
                    raise StackError(
                        f"The DAG processor has not handled all callback requests within {_DRAIN_SECONDS:.0f} s; the "
                        "run was not measured. The output is in log/dag-processor.log below the stack's folder."
                    )
                time.sleep(_POLL_SECONDS)


def _seconds(triggered: datetime, ended: datetime) -> float:
    return round((ended - triggered).total_seconds(), 2)


@contextmanager
def batch_bench(
    config: StackConfig, sizes: Sizes, fleets: Fleets, progress: Progress, *, queues: bool = False
) -> Generator[BatchBench]:
    """Start a stack, and run the batch with the fleet that warms the stack up.

    Unless `queues` is True, the consumers of the queues are paused, so that the consumers use no CPU time.
    """
    with Stack(config, progress) as stack:
        for dag_id in () if queues else QUEUE_DAGS:
            wait_for_dag(stack.client(), dag_id)
            stack.client().pause(dag_id)
        wait_for_dag(stack.client(), BATCH_DAG)
        bench = BatchBench(stack, fleets, progress, sizes.run_poll_seconds)
        if sizes.warm_up_fleet:
            bench.run(sizes.warm_up_fleet)
        yield bench
