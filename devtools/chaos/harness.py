"""The loop of chaos: disturb a run, let it finish, run again where that is due, and check everything."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psycopg
from airflow_client.client.models.dag_run_mutable_states import DagRunMutableStates

from blogger_tracking.database.connections import connect
from blogger_tracking.database.invariants import check_invariants
from devtools.chaos.chaos_fleet import FleetMaker
from devtools.chaos.chaos_stack import DISTURBED_DAGS, ChaosStack, persistently
from devtools.chaos.conditions import Sizes
from devtools.chaos.independent_checks import Evidence, find_violations
from devtools.chaos.kinds.kind import Kind, Outcome
from devtools.chaos.raw_rows import read_raw_rows
from devtools.chaos.trial import Trial
from devtools.chaos.world_oracle import WorldOracle
from devtools.local_stack.config import StackError
from devtools.local_stack.stack import Progress

_POLL_SECONDS = 0.5
_GRACE_SECONDS = 60.0
_SLOW_GRACE_SECONDS = 120.0
_SHOWN = 3

_CONSUMERS = {"thumbnail_queue": "video_thumbnails", "high_priority_queue": "youtube_video_batch"}
_UNFINISHED_STATES = ("queued", "running", "scheduled", "deferred", "up_for_retry", "restarting")

_SHORTEN_VIDEO_BATCHES = """
update blogger_tracking.high_priority_queue
set visible_at = now()
where done_at is null and parked_at is null and receipt is null and visible_at > now()
"""

_SHORTEN_THUMBNAILS = """
update blogger_tracking.thumbnail_queue
set visible_at = now()
where done_at is null and parked_at is null and receipt is null and visible_at > now()
"""

_DUE_QUEUES = """
select 'high_priority_queue'
where exists (
    select
    from blogger_tracking.high_priority_queue
    where done_at is null and parked_at is null and visible_at <= now()
)
union all
select 'thumbnail_queue'
where exists (
    select
    from blogger_tracking.thumbnail_queue
    where done_at is null and parked_at is null and visible_at <= now()
)
"""

_RELEASE_FETCHES = """
update blogger_tracking.fetches
set state = 'released'
where state in ('planned', 'running')
"""

_END_RUNS = "update blogger_tracking.runs set ended_at = now() where ended_at is null"

_PARK_VIDEO_BATCHES = """
update blogger_tracking.high_priority_queue
set parked_at = now(), last_error = 'left over by chaos'
where done_at is null and parked_at is null
"""

_PARK_THUMBNAILS = """
update blogger_tracking.thumbnail_queue
set parked_at = now(), last_error = 'left over by chaos'
where done_at is null and parked_at is null
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TryResult:
    """Result of one try. `seconds` is the time from the trigger until everybody was fetched by a green run."""

    kinds: tuple[str, ...]
    points: tuple[str, ...]
    state: str
    seconds: float
    violations: Sequence[str]
    notes: Sequence[str] = field(default_factory=tuple)


class Harness:
    """Tries kinds on one running stack, each try with a fleet of its own."""

    def __init__(self, stack: ChaosStack, oracle: WorldOracle, seed: str, sizes: Sizes, progress: Progress) -> None:
        self._stack = stack
        self._oracle = oracle
        self._makers = FleetMaker(oracle, sizes)
        self._seed = seed
        self._sizes = sizes
        self._progress = progress
        self._tries = 0
        self.undisturbed_seconds = 0.0

    def measure_undisturbed(self, runs: int, *, warm_up: bool = True) -> None:
        """Measure runs without a disturbance; the slowest is what disturbed runs are compared with.

        With `warm_up` a further run comes first, because the first run of a stack is slower than later runs. Raises
        StackError for a violation: the harness itself, or the system, is broken then.
        """
        for number in range(runs + warm_up):
            result = self._try(())
            if result.violations:
                raise StackError(f"An undisturbed run is not sound: {'; '.join(result.violations[:_SHOWN])}")
            if number >= warm_up:
                self.undisturbed_seconds = max(self.undisturbed_seconds, result.seconds)

    def disturb(self, *kinds: Kind) -> TryResult:
        """Disturb one run with these kinds, one after the other, and return the result."""
        return self._try(kinds)

    def _try(self, kinds: Sequence[Kind]) -> TryResult:
        self._tries += 1
        name = " + ".join(kind.name for kind in kinds) or "undisturbed"
        trial = Trial(self._stack, self._makers, random.Random(f"{self._seed}/{name}/{self._tries}"), self._sizes)  # noqa: S311 - a repeatable choice
        trial.is_combined = len(kinds) > 1
        before = self._invariants()
        violations: list[str] = []
        points: list[str] = []
        persistently(trial.sandbox.forget_requests)
        begin = time.monotonic()
        trial.trigger()
        for kind in kinds:
            point = trial.random.choice(list(kind.points))
            points.append(str(point))
            trial.wait_for(point)
            violations += self._inject(trial, kind)
        state = trial.wait_for_end(trial.dag_run_id)
        trial.repair()
        violations += _outcome_violations(state, kinds)
        for dag_run_id in trial.dag_run_ids[1:]:
            if trial.wait_for_end(dag_run_id) == "stuck":
                violations.append(f"outcome: the further run {dag_run_id} is stuck")
        if state != "success" or any(kind.follow_up for kind in kinds):
            follow_up = trial.wait_for_end(trial.trigger())
            if follow_up != "success":
                violations.append(f"outcome: the next run ended as {follow_up}")
        seconds = round(time.monotonic() - begin, 1)
        violations += self._time_violations(seconds, kinds)
        violations += self._settle(trial)
        violations += self._checks(trial, before)
        self._clean_up(trial)
        result = TryResult(
            kinds=tuple(kind.name for kind in kinds) or (name,),
            points=tuple(points),
            state=state,
            seconds=seconds,
            violations=violations,
            notes=tuple(trial.notes),
        )
        self._report(name, result, time.monotonic() - begin)
        return result

    def _inject(self, trial: Trial, kind: Kind) -> list[str]:
        try:
            kind.inject(trial)
        except psycopg.errors.IntegrityError as error:
            return [f"refused: {' '.join(str(error).split())[:300]}"]
        except (StackError, psycopg.Error, OSError) as error:
            # A part of the stack that is down refuses: a disturbance that came to nothing is no violation.
            trial.notes.append(f"{kind.name}: {' '.join(str(error).split())[:200]}")
        return []

    def _invariants(self) -> Mapping[str, int]:
        def read() -> Mapping[str, int]:
            with connect(self._stack.admin_dsn) as connection:
                return check_invariants(connection)

        return persistently(read)

    def _time_violations(self, seconds: float, kinds: Sequence[Kind]) -> list[str]:
        grace = _SLOW_GRACE_SECONDS if any(kind.slow_reason for kind in kinds) else _GRACE_SECONDS
        bound = 2 * self.undisturbed_seconds + grace
        if not kinds or seconds <= bound:
            return []
        return [f"time: {seconds:.0f} s until everybody was fetched, more than {bound:.0f} s"]

    def _settle(self, trial: Trial) -> list[str]:
        """Return what still runs or waits after the bound: runs, task instances, messages, stopped processes."""
        deadline = time.monotonic() + self._sizes.settle_seconds
        while (stuck := self._stuck(trial)) and time.monotonic() < deadline:
            self._consume(trial)
            time.sleep(_POLL_SECONDS)
        return [f"stuck: {each}" for each in stuck]

    def _stuck(self, trial: Trial) -> list[str]:
        runs = trial.ask_airflow(
            "select dag_id, run_id, state from dag_run where dag_id = any(%(dags)s) and state in ('queued', 'running')",
            dags=list(DISTURBED_DAGS),
        )
        instances = trial.ask_airflow(
            "select dag_id, run_id, task_id, state from task_instance "
            "where dag_id = any(%(dags)s) and state = any(%(states)s)",
            dags=list(DISTURBED_DAGS),
            states=list(_UNFINISHED_STATES),
        )
        waiting = trial.execute(
            "select 'high_priority_queue', id from blogger_tracking.high_priority_queue "
            "where done_at is null and parked_at is null union all "
            "select 'thumbnail_queue', id from blogger_tracking.thumbnail_queue "
            "where done_at is null and parked_at is null"
        )
        down = [state for state in self._stack.states().values() if state.state != "RUNNING"]
        return [
            *(f"run {run} of {dag} is {state}" for dag, run, state in runs),
            *(f"{task} of {run} ({dag}) is {state}" for dag, run, task, state in instances),
            *(f"message {message} of {queue} waits" for queue, message in waiting),
            *(f"process {process.pid} ({process.name()}) is stopped" for process in self._stack.stopped()),
            *(f"{state.name} is {state.state}" for state in down),
        ]

    def _consume(self, trial: Trial) -> None:
        """Let messages that wait for a retry be due at once, and start a consumer for due messages if none runs.

        The delays of minutes, and the minutes between two looks at a queue, are not what is tried here.
        """
        trial.execute(_SHORTEN_VIDEO_BATCHES)
        trial.execute(_SHORTEN_THUMBNAILS)
        active = {
            dag
            for (dag,) in trial.ask_airflow(
                "select distinct dag_id from dag_run where dag_id = any(%(dags)s) and state in ('queued', 'running')",
                dags=list(_CONSUMERS.values()),
            )
        }
        for (queue,) in trial.execute(_DUE_QUEUES):
            if _CONSUMERS[queue] not in active:
                with suppress(StackError):
                    trial.client.trigger(_CONSUMERS[queue])

    def _checks(self, trial: Trial, before: Mapping[str, int]) -> list[str]:
        found = [
            f"invariant {name}: {number - before[name]}"
            for name, number in self._invariants().items()
            if number > before[name]
        ]
        bloggers = {*trial.fleet.creators, *trial.expected.creators}
        with psycopg.connect(self._stack.admin_dsn, autocommit=True) as connection:
            rows = read_raw_rows(connection, trial.fleet.organizations, bloggers)
        return found + find_violations(
            Evidence(rows, trial.expected, self._oracle, persistently(trial.sandbox.counted_requests))
        )

    def _clean_up(self, trial: Trial) -> None:
        """Keep one try's leftovers from the next: its accounts are paused, and its unfinished runs deleted."""
        trial.execute(
            "update blogger_tracking.tracked_accounts set is_active = false, pending_initial_fetch = false "
            "where organization_id = any(%(organizations)s)",
            organizations=trial.fleet.organizations,
        )
        for dag_id, dag_run_id in trial.ask_airflow(
            "select dag_id, run_id from dag_run where dag_id = any(%(dags)s) and state in ('queued', 'running')",
            dags=list(DISTURBED_DAGS[:2]),
        ):
            # Airflow deletes no run that is running.
            persistently(partial(trial.client.mark_run, dag_id, dag_run_id, DagRunMutableStates.FAILED))
            persistently(partial(trial.client.delete_run, dag_id, dag_run_id))
        trial.execute(_RELEASE_FETCHES)
        trial.execute(_END_RUNS)
        trial.execute(_PARK_VIDEO_BATCHES)
        trial.execute(_PARK_THUMBNAILS)
        trial.execute("delete from blogger_tracking.platform_suspensions")

    def _report(self, name: str, result: TryResult, seconds: float) -> None:
        points = ", ".join(result.points) or "-"
        counts = Counter(violation.partition(":")[0] for violation in result.violations)
        sound = f"violations: {', '.join(f'{number} {name}' for name, number in counts.items())}" if counts else "sound"
        self._progress(
            f"{self._tries:3}  {name} ({points}): {result.state}, {result.seconds:.0f} s to green, {sound} "
            f"[{seconds:.0f} s]"
        )
        for violation in _first_of_each_check(result.violations):
            self._progress(f"       {violation}")
        for note in result.notes:
            self._progress(f"       note: {note}")


def _first_of_each_check(violations: Sequence[str]) -> list[str]:
    return list({violation.partition(":")[0]: violation for violation in reversed(violations)}.values())[::-1]


def _outcome_violations(state: str, kinds: Sequence[Kind]) -> list[str]:
    outcomes = {kind.outcome for kind in kinds}
    if state == "stuck":
        return ["outcome: the run did not end"]
    if Outcome.ANY in outcomes or len(kinds) > 1:
        return []
    if Outcome.RED in outcomes:
        return [] if state == "failed" else [f"outcome: the run ended as {state}, although it had to be red"]
    return [] if state == "success" else [f"outcome: the run ended as {state}, although it had to be green"]


def summarize_kinds(kinds: Sequence[Kind], results: Sequence[TryResult]) -> list[dict[str, Any]]:
    """Return a row for each tried kind: tries, violations of the tries of this kind alone, slowest seconds."""
    rows = []
    for kind in kinds:
        alone = [result for result in results if result.kinds == (kind.name,)]
        if alone:
            rows.append({
                "name": kind.name,
                "sentence": kind.sentence,
                "tries": len(alone),
                "combined": sum(kind.name in result.kinds for result in results) - len(alone),
                "violations": sum(len(result.violations) for result in alone),
                "seconds": max(result.seconds for result in alone),
                "slow_reason": kind.slow_reason,
            })
    return rows
