"""Kinds of people who mark and delete runs and task instances by hand."""

from __future__ import annotations

import time
from collections.abc import Callable

from airflow_client.client.models.dag_run_mutable_states import DagRunMutableStates
from airflow_client.client.models.task_instance_state import TaskInstanceState

from devtools.chaos.kinds.kind import ANYWHERE, FETCHING, Kind, Outcome
from devtools.chaos.trial import Point, Trial
from devtools.local_stack.batch_run import BATCH_DAG

_MARKED = 5


def _mark_run(state: DagRunMutableStates) -> Callable[[Trial], None]:
    def inject(trial: Trial) -> None:
        trial.expected.ended_by_hand = True
        trial.client.mark_run(BATCH_DAG, trial.dag_run_id, state)

    return inject


def _delete_run(trial: Trial) -> None:
    trial.expected.ended_by_hand = True
    # Airflow refuses to delete a run that has not ended.
    trial.client.mark_run(BATCH_DAG, trial.dag_run_id, DagRunMutableStates.FAILED)
    trial.client.delete_run(BATCH_DAG, trial.dag_run_id)


def _mark_instances(state: TaskInstanceState) -> Callable[[Trial], None]:
    def inject(trial: Trial) -> None:
        found = trial.instances("deferred", "running", "scheduled", "queued") or trial.instances()
        for task_id, map_index in trial.random.sample(found, min(_MARKED, len(found))):
            trial.client.mark_instance(BATCH_DAG, trial.dag_run_id, task_id, map_index, state)

    return inject


def _mark_gate(trial: Trial) -> None:
    trial.expected.ended_by_hand = True
    trial.client.mark_instance(BATCH_DAG, trial.dag_run_id, "gate", -1, TaskInstanceState.SUCCESS)


def _pause(trial: Trial) -> None:
    trial.repair_later(lambda: trial.client.unpause(BATCH_DAG))
    trial.client.pause(BATCH_DAG)
    time.sleep(trial.random.uniform(2, 6))
    trial.client.unpause(BATCH_DAG)


KINDS = (
    Kind(
        name="run-marked-failed",
        sentence="the run marked failed by hand",
        points=(Point.PLANNING, *FETCHING),
        inject=_mark_run(DagRunMutableStates.FAILED),
        outcome=Outcome.RED,
        follow_up=True,
    ),
    Kind(
        name="run-marked-success",
        sentence="the run marked success by hand",
        points=(Point.PLANNING, *FETCHING),
        inject=_mark_run(DagRunMutableStates.SUCCESS),
        follow_up=True,
    ),
    Kind(
        name="run-deleted",
        sentence="the run marked failed and deleted by hand",
        points=(Point.PLANNING, *FETCHING),
        inject=_delete_run,
        outcome=Outcome.ANY,
        follow_up=True,
    ),
    Kind(
        name="instances-marked-failed",
        sentence="fetch instances marked failed by hand",
        points=FETCHING,
        inject=_mark_instances(TaskInstanceState.FAILED),
        outcome=Outcome.ANY,
        follow_up=True,
    ),
    Kind(
        name="instances-marked-success",
        sentence="fetch instances marked success by hand",
        points=FETCHING,
        inject=_mark_instances(TaskInstanceState.SUCCESS),
        outcome=Outcome.ANY,
        follow_up=True,
    ),
    Kind(
        name="gate-marked-success",
        sentence="the task `gate` marked success before it has run",
        points=FETCHING,
        inject=_mark_gate,
        outcome=Outcome.ANY,
        follow_up=True,
    ),
    Kind(
        name="dag-paused",
        sentence="the DAG paused for 2 to 6 seconds",
        points=ANYWHERE,
        inject=_pause,
    ),
)
