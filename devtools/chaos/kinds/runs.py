"""Kinds of several runs at once, and of task instances that are cleared."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from devtools.chaos.kinds.kind import ANYWHERE, FETCHING, Kind, Outcome
from devtools.chaos.second_deployment import run_second_deployment
from devtools.chaos.trial import Point, Trial
from devtools.local_stack.batch_run import BATCH_DAG

_CLEARED = 6
_AT_WORK_SECONDS = 15.0


def _other_deployment(trial: Trial, dag_run_id: str) -> threading.Thread:
    def run() -> None:
        run_second_deployment(
            trial.stack.pipeline_dsn, str(trial.stack.sandbox_url), dag_run_id, tuple(trial.fleet.organizations)
        )

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def _same_slot(trial: Trial) -> None:
    """Start the run of the same slot in another deployment: the DAG run ids are equal."""
    _other_deployment(trial, trial.dag_run_id).join(trial.sizes.run_seconds)


def _two_deployments(trial: Trial) -> None:
    _other_deployment(trial, f"{trial.dag_run_id}-other").join(trial.sizes.run_seconds)


def _three_runs(trial: Trial) -> None:
    for _ in range(2):
        trial.trigger()


def _manual_run(trial: Trial) -> None:
    organization = str(trial.random.choice(trial.fleet.organizations))
    run = trial.client.trigger(BATCH_DAG, {"organizations": [organization]})
    trial.dag_run_ids.append(run.dag_run_id)


def _clear(*states: str) -> Callable[[Trial], None]:
    """Return a disturbance that clears some fetch instances, chosen among those in these states."""

    def inject(trial: Trial) -> None:
        trial.expected.repeated = True
        deadline = time.monotonic() + _AT_WORK_SECONDS
        while not (found := trial.instances(*states)) and not trial.has_ended() and time.monotonic() < deadline:
            time.sleep(0.1)
        for task_id, map_index in trial.random.sample(found, min(_CLEARED, len(found))):
            trial.client.clear(BATCH_DAG, trial.dag_run_id, task_id, map_index)
        trial.notes.append(f"{min(_CLEARED, len(found))} instances cleared")

    return inject


def _clear_run(trial: Trial) -> None:
    trial.expected.repeated = True
    trial.client.clear_run(BATCH_DAG, trial.dag_run_id)
    time.sleep(1)


def _clear_plan(trial: Trial) -> None:
    trial.expected.repeated = True
    trial.client.clear(BATCH_DAG, trial.dag_run_id, trial.random.choice(["plan_tiktok", "plan_youtube"]))


KINDS = (
    Kind(
        name="same-slot-twice",
        sentence="the same DAG run id at the same time in a second deployment",
        points=(Point.TRIGGERED, Point.PLANNED),
        inject=_same_slot,
    ),
    Kind(
        name="two-deployments",
        sentence="a run of a second deployment on the same database during the run",
        points=ANYWHERE,
        inject=_two_deployments,
    ),
    Kind(
        name="three-runs-at-once",
        sentence="two more runs of everybody during the run",
        points=ANYWHERE,
        inject=_three_runs,
    ),
    Kind(
        name="manual-run-during-a-run",
        sentence="a run restricted to one organization during the run",
        points=ANYWHERE,
        inject=_manual_run,
        # A run that is planned meanwhile leaves out a blogger that the restricted run fetches for one of its
        # organizations: the others get the videos with the next run.
        follow_up=True,
    ),
    Kind(
        name="cleared-early",
        sentence="fetch instances cleared right after planning",
        points=(Point.PLANNED,),
        inject=_clear(),
    ),
    Kind(
        name="cleared-at-work",
        sentence="fetch instances cleared while they are deferred and at work",
        points=(Point.CLAIMED, Point.SETTLED),
        inject=_clear("deferred", "running"),
    ),
    Kind(
        name="cleared-late",
        sentence="finished fetch instances cleared while others are at work",
        points=(Point.SETTLED, Point.GATE),
        inject=_clear("success"),
    ),
    Kind(
        name="cleared-after-the-end",
        sentence="finished fetch instances cleared after the end of the run",
        points=(Point.ENDED,),
        inject=_clear("success"),
    ),
    Kind(
        name="plan-task-cleared",
        sentence="a plan task cleared with everything behind it, during the run",
        points=FETCHING,
        inject=_clear_plan,
    ),
    Kind(
        name="run-cleared",
        sentence="the whole run cleared, during the run",
        points=FETCHING,
        inject=_clear_run,
        outcome=Outcome.ANY,
    ),
    Kind(
        name="run-cleared-after-the-end",
        sentence="the whole run cleared after its end",
        points=(Point.ENDED,),
        inject=_clear_run,
    ),
)
