"""One try: a fleet, its runs, and everything that a disturbance may use."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Any, LiteralString
from uuid import UUID

import psycopg

from devtools.chaos.chaos_fleet import ChaosFleet, FleetMaker
from devtools.chaos.chaos_stack import ChaosClient, ChaosStack, persistently
from devtools.chaos.conditions import Sizes
from devtools.chaos.independent_checks import Expectations
from devtools.local_stack.airflow_environment import DEPLOYMENT_VARIABLE
from devtools.local_stack.batch_run import BATCH_DAG
from devtools.platform_sandbox.sandbox_admin import SandboxAdmin

_POLL_SECONDS = 0.05
_POINT_SECONDS = 60.0


class Point(StrEnum):
    """Point of a run at which a disturbance begins. `CLAIMED` and `SETTLED` are after a seeded share of the fetches."""

    TRIGGERED = "triggered"
    PLANNING = "planning"
    PLANNED = "planned"
    CLAIMED = "claimed"
    SETTLED = "settled"
    GATE = "before the gate"
    ENDED = "ended"


class Trial:
    """One try of one or more kinds on the running stack.

    `expected` is what the checks demand; a disturbance changes it as far as its effect is allowed. `random` is seeded:
    the same seed makes the same choices. `is_combined`: the run is disturbed by several kinds.
    """

    def __init__(self, stack: ChaosStack, makers: FleetMaker, chance: random.Random, sizes: Sizes) -> None:
        self.stack = stack
        self.random = chance
        self.sizes = sizes
        self.makers = makers
        self.client: ChaosClient = stack.client()
        self.sandbox = SandboxAdmin(str(stack.sandbox_url))
        with psycopg.connect(stack.admin_dsn, autocommit=True) as connection:
            self.fleet: ChaosFleet = makers.make(connection)
        self.expected = Expectations(creators=dict(self.fleet.creators))
        self.dag_run_ids: list[str] = []
        self.notes: list[str] = []
        self.is_combined = False
        self._repairs: list[Callable[[], object]] = []

    @property
    def dag_run_id(self) -> str:
        """Airflow's id of the run that is disturbed."""
        return self.dag_run_ids[0]

    @property
    def deployment(self) -> str:
        """Name of the stack in the ledger."""
        return self.stack.environment()[DEPLOYMENT_VARIABLE]

    def trigger(self, dag_run_id: str | None = None) -> str:
        """Trigger a batch run of this fleet and return its id."""
        run = persistently(lambda: self.client.trigger(BATCH_DAG, self.fleet.scope(), dag_run_id))
        self.dag_run_ids.append(run.dag_run_id)
        return run.dag_run_id

    def execute(self, statement: LiteralString, **parameters: object) -> list[tuple[Any, ...]]:
        """Execute a statement as the schema's owner and return its rows."""
        return self._execute(self.stack.admin_dsn, statement, parameters)

    def ask_airflow(self, statement: LiteralString, **parameters: object) -> list[tuple[Any, ...]]:
        """Execute a statement in Airflow's own database and return its rows."""
        return self._execute(self.stack.metadata_dsn, statement, parameters)

    def repair_later(self, action: Callable[[], object]) -> None:
        """Carry out an action after the run, and before its follow-up."""
        self._repairs.append(action)

    def repair(self) -> None:
        """Undo everything that a disturbance left: frozen processes, faults of the line and of the platforms."""
        self.stack.thaw()
        self.stack.line.heal()
        persistently(self.sandbox.heal)
        while self._repairs:
            persistently(self._repairs.pop())

    def wait_for(self, point: Point) -> None:
        """Return once the run has reached a point, or has ended before."""
        share = self.random.uniform(0.1, 0.9)
        reached = {
            Point.TRIGGERED: lambda: True,
            Point.PLANNING: lambda: self._runs_task("plan_%"),
            Point.PLANNED: lambda: bool(self._fetches()),
            Point.CLAIMED: lambda: self._has_share(0, share),
            Point.SETTLED: lambda: self._has_share(1, share),
            Point.GATE: lambda: self._runs_task("gate"),
            Point.ENDED: self.has_ended,
        }[point]
        deadline = time.monotonic() + _POINT_SECONDS
        while not reached() and not self.has_ended() and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)

    def has_ended(self) -> bool:
        """Return True if the disturbed run has ended or was deleted."""
        states = self.ask_airflow(
            "select state from dag_run where dag_id = %(dag)s and run_id = %(run)s", dag=BATCH_DAG, run=self.dag_run_id
        )
        return not states or states[0][0] in {"success", "failed"}

    def instances(self, *states: str) -> list[tuple[str, int]]:
        """Return task id and map index of the run's fetch instances, optionally only those in some states."""
        return [
            (str(task), int(index))
            for task, index, state in self.ask_airflow(
                "select task_id, map_index, state from task_instance "
                "where dag_id = %(dag)s and run_id = %(run)s and task_id like 'fetch_%%' and map_index >= 0 "
                "order by task_id, map_index",
                dag=BATCH_DAG,
                run=self.dag_run_id,
            )
            if not states or state in states
        ]

    def accounts(self) -> list[tuple[UUID, UUID, UUID]]:
        """Return id, organization and blogger of each tracked account of the fleet."""
        return [
            (row[0], row[1], row[2])
            for row in self.execute(
                "select id, organization_id, blogger_id from blogger_tracking.tracked_accounts "
                "where organization_id = any(%(organizations)s) order by organization_id, blogger_id",
                organizations=self.fleet.organizations,
            )
        ]

    def wait_for_end(self, dag_run_id: str) -> str:
        """Return the state of a run once it has ended: `success`, `failed`, `deleted`, or `stuck` after the bound."""
        deadline = time.monotonic() + self.sizes.run_seconds
        while time.monotonic() < deadline:
            states = self.ask_airflow(
                "select state from dag_run where dag_id = %(dag)s and run_id = %(run)s", dag=BATCH_DAG, run=dag_run_id
            )
            if not states:
                return "deleted"
            if states[0][0] in {"success", "failed"}:
                return str(states[0][0])
            time.sleep(_POLL_SECONDS * 4)
        return "stuck"

    def _fetches(self) -> list[tuple[Any, ...]]:
        return self.execute(
            "select fetches.claimed_at is not null, fetches.conclusive_state is not null "
            "from blogger_tracking.fetches join blogger_tracking.runs on runs.id = fetches.run_id "
            "where runs.dag_run_id = %(run)s",
            run=self.dag_run_id,
        )

    def _has_share(self, column: int, share: float) -> bool:
        fetches = self._fetches()
        return bool(fetches) and sum(row[column] for row in fetches) >= share * len(fetches)

    def _runs_task(self, pattern: str) -> bool:
        return bool(
            self.ask_airflow(
                "select from task_instance where dag_id = %(dag)s and run_id = %(run)s "
                "and task_id like %(pattern)s and state in ('running', 'queued')",
                dag=BATCH_DAG,
                run=self.dag_run_id,
                pattern=pattern,
            )
        )

    def _execute(self, dsn: str, statement: LiteralString, parameters: dict[str, object]) -> list[tuple[Any, ...]]:
        def once() -> list[tuple[Any, ...]]:
            with psycopg.connect(dsn, autocommit=True, connect_timeout=5) as connection:
                cursor = connection.execute(statement, parameters)
                return cursor.fetchall() if cursor.description is not None else []

        return persistently(once)
