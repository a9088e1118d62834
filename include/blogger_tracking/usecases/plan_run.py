"""Use case: plan a run."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from psycopg_pool import ConnectionPool

from blogger_tracking.database.run_plans import (
    RunScope,
    count_active_accounts,
    read_accounts,
    read_planning_constraints,
    serialize_planning,
    write_plan,
)
from blogger_tracking.database.runs import (
    PlannedInstance,
    RunKey,
    insert_run,
    read_instances,
    release_stale_fetches,
    reopen_run,
)
from blogger_tracking.domain import planning
from blogger_tracking.domain.fan_out import Placement, instance_label
from blogger_tracking.domain.models import Platform

logger = logging.getLogger(__name__)

Place = Callable[[Sequence[planning.PlannedFetch]], Sequence[Placement]]
"""Spreads planned fetches over task instances."""


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """The plan of a run as it stands in the ledger."""

    run_id: int
    instances: list[PlannedInstance]

    def labels(self, task_id: str) -> list[str]:
        """Who each instance of a task is for, by map index."""
        return [
            instance_label(Platform(instance.platform), instance.usernames)
            for instance in self.instances
            if instance.task_id == task_id
        ]


def plan_run(pool: ConnectionPool, key: RunKey, scope: RunScope, timeout: timedelta, place: Place) -> PlannedRun:
    """Plan a run over the active accounts in scope, in one transaction with the reservations.

    A run that was planned before gets the same plan: to reconsider what it skipped one starts a new run.
    """
    with pool.connection() as connection, connection.transaction():
        moment = serialize_planning(connection)
        run_id = reopen_run(connection, key, moment + timeout)
        if run_id is not None:
            logger.info("Planned before: the plan of run %s stands.", run_id)
            return PlannedRun(run_id, read_instances(connection, run_id))
        released = release_stale_fetches(connection, moment)
        if released:
            logger.warning("Released %s fetches that ended or crashed runs had left behind.", released)
        run_id = insert_run(connection, key, moment, timeout, count_active_accounts(connection, scope))
        plan = planning.plan(read_accounts(connection, scope), read_planning_constraints(connection, moment))
        write_plan(connection, run_id, moment, plan, place(plan.fetches))
        _log(plan)
        return PlannedRun(run_id, read_instances(connection, run_id))


def _log(plan: planning.Plan) -> None:
    allocations = [allocation for fetch in plan.fetches for allocation in fetch.allocations]
    decisions = Counter(str(allocation.grant.decision) for allocation in allocations)
    logger.info(
        "Planned %s bloggers for %s tracked accounts (%s), %s videos reserved.",
        len(plan.fetches),
        len(allocations),
        dict(decisions),
        sum(allocation.grant.videos for allocation in allocations),
    )
    for reason, count in Counter(str(skip.reason) for skip in plan.skips).items():
        logger.info("Skipped %s tracked accounts: %s.", count, reason)
