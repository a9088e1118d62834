"""A local stack whose processes can be killed and frozen, and whose lines to the application's database can fail."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TypeVar

import psutil
import psycopg
from airflow_client.client.models.patch_task_instance_body import PatchTaskInstanceBody
from airflow_client.client.models.task_instance_state import TaskInstanceState
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from blogger_tracking.domain.initial_fetch import INITIAL_FETCH_DAG_ID
from devtools.chaos.faulty_line import FaultyLine
from devtools.local_stack.airflow_client import AirflowClient
from devtools.local_stack.airflow_connections import PIPELINE_CONNECTION, postgres_connection, variable_of
from devtools.local_stack.airflow_environment import METADATA_VARIABLE
from devtools.local_stack.batch_run import BATCH_DAG, wait_for_dag
from devtools.local_stack.config import StackConfig, StackError
from devtools.local_stack.leftovers import marked_processes
from devtools.local_stack.stack import Progress, Stack

DISTURBED_DAGS = (BATCH_DAG, INITIAL_FETCH_DAG_ID, "video_thumbnails", "youtube_video_batch")
"""The DAGs of a run and of what follows from it."""

_RETRY_SECONDS = 60.0
_PAUSE_SECONDS = 0.3

Result = TypeVar("Result")


class ChaosClient(AirflowClient):
    """Airflow's API with the calls by which people interfere with runs."""

    def mark_instance(
        self, dag_id: str, dag_run_id: str, task_id: str, map_index: int, state: TaskInstanceState
    ) -> None:
        """Mark a task instance as success or failed."""
        body = PatchTaskInstanceBody(new_state=state)
        self._call(self._task_instances.patch_task_instance_by_map_index, dag_id, dag_run_id, task_id, map_index, body)


class ChaosStack(Stack):
    """The local stack with a faulty line between Airflow's processes and the application's database.

    `stop` thaws frozen processes first: a frozen process does not end on a signal.
    """

    def __init__(self, config: StackConfig, progress: Progress) -> None:
        super().__init__(config, progress)
        self._context = ExitStack()
        self._line: FaultyLine | None = None

    @property
    def line(self) -> FaultyLine:
        """The line between Airflow's processes and the application's database."""
        if self._line is None:
            server = Path(str(conninfo_to_dict(self.pipeline_dsn)["host"])) / ".s.PGSQL.5432"
            # A short path, because the path of a Unix socket is limited to 107 bytes.
            folder = Path(self._context.enter_context(tempfile.TemporaryDirectory(prefix="bt-")))
            self._line = self._context.enter_context(FaultyLine(folder, server))
        return self._line

    @property
    def metadata_dsn(self) -> str:
        """The connection string of Airflow's own database."""
        return super().environment()[METADATA_VARIABLE].replace("+psycopg", "")

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of the stack's programs."""
        return {name: state.pid for name, state in self.states().items()}

    def environment(self) -> dict[str, str]:
        """Return the environment of the stack's processes, with the faulty line as their way to the database."""
        environment = super().environment()
        line = make_conninfo(self.pipeline_dsn, host=str(self.line.folder))
        return environment | {variable_of(PIPELINE_CONNECTION): postgres_connection(line)}

    def start(self) -> None:
        """Start all parts and return once the DAGs can be triggered."""
        super().start()
        for dag_id in DISTURBED_DAGS:
            wait_for_dag(self.client(), dag_id)

    def stop(self) -> None:
        """Thaw everything, end every process, and close the line."""
        self.thaw()
        super().stop()
        self._line = None
        self._context.close()

    def client(self) -> ChaosClient:
        """Return a client of the stack's Airflow, signed in as its administrator."""
        return ChaosClient(self.api_url, self.login, self.password)

    def processes(self, name: str) -> list[psutil.Process]:
        """Return a program's process, first, and all its descendants."""
        return _tree(self.pid(name))

    def task_supervisors(self, *, task: str = "") -> list[psutil.Process]:
        """Return the processes that supervise a running task; `task` is a part of the task's command line."""
        workers = [process for process in self.processes("scheduler")[1:] if _children(process)]
        return [worker for worker in workers if task in _titles(worker)]

    def freeze(self, processes: Sequence[psutil.Process]) -> None:
        """Stop processes as SIGSTOP does, until `thaw`."""
        _signal(processes, signal.SIGSTOP)

    def thaw(self) -> int:
        """Continue every stopped process of the stack and return the number of these processes."""
        stopped = self.stopped()
        _signal(stopped, signal.SIGCONT)
        return len(stopped)

    def stopped(self) -> list[psutil.Process]:
        """Return the stopped processes of the stack."""
        return [process for process in self._all_processes() if _is_stopped(process)]

    def kill_processes(self, processes: Sequence[psutil.Process]) -> None:
        """Kill processes as a crash would."""
        _signal(processes, signal.SIGKILL)

    def _all_processes(self) -> list[psutil.Process]:
        # Postgres hides its environment, so that the mark does not find its processes.
        with suppress(StackError, KeyError):
            return marked_processes(self.config.folder) + self.processes("postgres")
        return marked_processes(self.config.folder)


def persistently(action: Callable[[], Result], seconds: float = _RETRY_SECONDS) -> Result:
    """Return the result of an action that may fail while a part of the stack is down. Raises the last error."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return action()
        except (psycopg.OperationalError, psycopg.InterfaceError, StackError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_SECONDS)


def _tree(pid: int) -> list[psutil.Process]:
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children())
    except psutil.Error:
        return []


def _titles(process: psutil.Process) -> str:
    titles = []
    for each in (process, *_children(process)):
        with suppress(psutil.Error):
            titles.append(" ".join(each.cmdline()))
    return " ".join(titles)


def _is_stopped(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_STOPPED)
    except psutil.Error:
        return False


def _signal(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)
