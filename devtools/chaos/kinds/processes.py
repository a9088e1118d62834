"""Kinds that kill or freeze processes."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil
from airflow_client.client.models.dag_run_mutable_states import DagRunMutableStates

from devtools.chaos.kinds.kind import ANYWHERE, FETCHING, Kind, Outcome
from devtools.chaos.trial import Point, Trial
from devtools.local_stack.batch_run import BATCH_DAG

_FROZEN_SECONDS = (3.0, 12.0)
_LOOK_SECONDS = 0.02
_SUPERVISOR_SECONDS = 20.0


def _kill(program: str) -> Callable[[Trial], None]:
    def inject(trial: Trial) -> None:
        trial.stack.kill(program)

    return inject


def _kill_with_children(program: str) -> Callable[[Trial], None]:
    def inject(trial: Trial) -> None:
        trial.stack.kill_processes(trial.stack.processes(program))

    return inject


def _freeze(program: str) -> Callable[[Trial], None]:
    def inject(trial: Trial) -> None:
        trial.stack.freeze(trial.stack.processes(program))
        time.sleep(trial.random.uniform(*_FROZEN_SECONDS))
        trial.stack.thaw()

    return inject


def _kill_triggerers_runner(trial: Trial) -> None:
    trial.stack.kill_processes(trial.stack.processes("triggerer")[1:])


def _freeze_past_the_end(trial: Trial) -> None:
    """Wake the triggerer only after somebody has ended the run by hand, and a later run has begun."""
    trial.expected.ended_by_hand = True
    trial.stack.freeze(trial.stack.processes("triggerer"))
    trial.client.mark_run(BATCH_DAG, trial.dag_run_id, DagRunMutableStates.FAILED)
    trial.trigger()
    time.sleep(trial.random.uniform(2, 6))
    trial.stack.thaw()


def _with_supervisor(act: Callable[[Trial, list[psutil.Process]], None]) -> Callable[[Trial], None]:
    """Return a disturbance of the processes that supervise running tasks, once there are any."""

    def inject(trial: Trial) -> None:
        deadline = time.monotonic() + _SUPERVISOR_SECONDS
        while not (supervisors := trial.stack.task_supervisors()) and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
        act(trial, supervisors)

    return inject


def _kill_supervisors(trial: Trial, supervisors: list[psutil.Process]) -> None:
    trial.stack.kill_processes([trial.random.choice(supervisors)] if supervisors else [])


def _kill_tasks(trial: Trial, supervisors: list[psutil.Process]) -> None:
    for supervisor in supervisors:
        trial.stack.kill_processes(supervisor.children(recursive=True))


def _freeze_supervisors(trial: Trial, supervisors: list[psutil.Process]) -> None:
    trial.stack.freeze([each for supervisor in supervisors for each in (supervisor, *supervisor.children())])
    time.sleep(trial.random.uniform(*_FROZEN_SECONDS))
    trial.stack.thaw()


def _kill_backend(trial: Trial) -> None:
    """Kill one backend of the application's database: Postgres ends all others, and recovers."""
    backends = trial.execute(
        "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() "
        "and backend_type = 'client backend'"
    )
    if backends:
        trial.stack.kill_processes([psutil.Process(int(trial.random.choice(backends)[0]))])


def _freeze_backend(trial: Trial) -> None:
    backends = [
        int(row[0])
        for row in trial.execute(
            "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() "
            "and backend_type = 'client backend' order by xact_start nulls last"
        )
    ]
    trial.stack.freeze([psutil.Process(pid) for pid in backends[:1] if psutil.pid_exists(pid)])
    time.sleep(trial.random.uniform(*_FROZEN_SECONDS))
    trial.stack.thaw()


def _kill_consumers(trial: Trial) -> None:
    """Kill the tasks that consume the queues, as often as one is seen within some seconds."""
    deadline = time.monotonic() + trial.random.uniform(2, 5)
    while time.monotonic() < deadline:
        for dag in ("video_thumbnails", "youtube_video_batch"):
            trial.stack.kill_processes(trial.stack.task_supervisors(task=dag)[:1])
        time.sleep(0.5)


KINDS = (
    Kind(
        name="triggerer-killed",
        sentence="kill -9 of the triggerer with its children",
        points=ANYWHERE,
        inject=_kill_with_children("triggerer"),
    ),
    Kind(
        name="triggerer-parent-killed",
        sentence="kill -9 of the triggerer without its children, as `make` kills it",
        points=FETCHING,
        inject=_kill("triggerer"),
    ),
    Kind(
        name="triggerer-runner-killed",
        sentence="kill -9 of the triggerer's child that runs the triggers",
        points=FETCHING,
        inject=_kill_triggerers_runner,
    ),
    Kind(
        name="triggerer-frozen",
        sentence="SIGSTOP of the triggerer for 3 to 12 seconds",
        points=ANYWHERE,
        inject=_freeze("triggerer"),
    ),
    Kind(
        name="triggerer-frozen-past-the-end",
        sentence="SIGSTOP of the triggerer, SIGCONT after the run was marked failed and the next one begun",
        points=(Point.CLAIMED, Point.SETTLED),
        inject=_freeze_past_the_end,
        outcome=Outcome.ANY,
        follow_up=True,
    ),
    Kind(
        name="scheduler-killed-during-planning",
        sentence="kill -9 of the scheduler with its workers while the plan tasks run",
        points=(Point.PLANNING,),
        inject=_kill_with_children("scheduler"),
        slow_reason="the successor adopts the tasks of a scheduler after its heartbeat is overdue",
    ),
    Kind(
        name="scheduler-killed",
        sentence="kill -9 of the scheduler with its workers",
        points=(Point.TRIGGERED, Point.PLANNED, Point.CLAIMED, Point.SETTLED, Point.GATE),
        inject=_kill_with_children("scheduler"),
        slow_reason="the successor adopts the tasks of a scheduler after its heartbeat is overdue",
    ),
    Kind(
        name="scheduler-parent-killed",
        sentence="kill -9 of the scheduler, whose workers go on",
        points=ANYWHERE,
        inject=_kill("scheduler"),
        slow_reason="the successor adopts the tasks of a scheduler after its heartbeat is overdue",
    ),
    Kind(
        name="scheduler-frozen",
        sentence="SIGSTOP of the scheduler and its workers for 3 to 12 seconds",
        points=ANYWHERE,
        inject=_freeze("scheduler"),
    ),
    Kind(
        name="api-server-killed",
        sentence="kill -9 of the API server with its children",
        points=ANYWHERE,
        inject=_kill_with_children("api-server"),
    ),
    Kind(
        name="api-server-frozen",
        sentence="SIGSTOP of the API server for 3 to 12 seconds",
        points=ANYWHERE,
        inject=_freeze("api-server"),
    ),
    Kind(
        name="dag-processor-killed",
        sentence="kill -9 of the DAG processor with its children",
        points=ANYWHERE,
        inject=_kill_with_children("dag-processor"),
    ),
    Kind(
        name="dag-processor-frozen",
        sentence="SIGSTOP of the DAG processor for 3 to 12 seconds",
        points=ANYWHERE,
        inject=_freeze("dag-processor"),
    ),
    Kind(
        name="task-supervisor-killed",
        sentence="kill -9 of a worker that supervises a task (a plan task or the gate)",
        points=(Point.PLANNING, Point.GATE),
        inject=_with_supervisor(_kill_supervisors),
        slow_reason="a task without heartbeats is retried after 20 seconds",
    ),
    Kind(
        name="task-killed",
        sentence="kill -9 of the processes of running tasks, whose supervisors live",
        points=(Point.PLANNING, Point.GATE),
        inject=_with_supervisor(_kill_tasks),
        slow_reason="a failed task is retried after 20 seconds",
    ),
    Kind(
        name="task-supervisor-frozen",
        sentence="SIGSTOP of all workers that supervise a task, for 3 to 12 seconds",
        points=(Point.PLANNING, Point.GATE),
        inject=_with_supervisor(_freeze_supervisors),
        slow_reason="a task without heartbeats is retried after 20 seconds",
    ),
    Kind(
        name="consumers-killed",
        sentence="kill -9 of the tasks that store thumbnails and statistics, for some seconds",
        points=FETCHING,
        inject=_kill_consumers,
    ),
    Kind(
        name="postgres-killed",
        sentence="kill -9 of Postgres with all backends: the databases of Airflow and of the application",
        points=ANYWHERE,
        inject=_kill_with_children("postgres"),
        slow_reason="every process of Airflow loses its connections",
    ),
    Kind(
        name="postgres-frozen",
        sentence="SIGSTOP of Postgres with all backends, for 3 to 12 seconds",
        points=ANYWHERE,
        inject=_freeze("postgres"),
    ),
    Kind(
        name="backend-killed",
        sentence="kill -9 of one backend, after which Postgres ends all backends and recovers",
        points=ANYWHERE,
        inject=_kill_backend,
        slow_reason="every process of Airflow loses its connections",
    ),
    Kind(
        name="backend-frozen",
        sentence="SIGSTOP of the backend with the oldest transaction, for 3 to 12 seconds",
        points=FETCHING,
        inject=_freeze_backend,
    ),
    Kind(
        name="platforms-killed",
        sentence="kill -9 of the sandbox: connections are refused until it is up again",
        points=FETCHING,
        inject=_kill("sandbox"),
        outcome=Outcome.ANY,
    ),
)
