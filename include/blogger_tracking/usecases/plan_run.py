"""Use case: plan a run."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from psycopg_pool import ConnectionPool

from blogger_tracking.database.connections import bounded_transaction
from blogger_tracking.database.run_plans import (
    RunScope,
    count_active_accounts,
    insert_missing_usages,
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
from blogger_tracking.domain.fan_out import place_by_platform
from blogger_tracking.settings import get_settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """The plan of a run in the ledger. `run_id` is the ledger's id."""

    run_id: int
    instances: list[PlannedInstance]

    def labels(self, task_id: str) -> list[str]:
        """Return the labels of a task's instances, ordered by map index."""
        return [instance.label for instance in self.instances if instance.task_id == task_id]


def plan_run(pool: ConnectionPool, key: RunKey, scope: RunScope, timeout: timedelta) -> PlannedRun:
    """Plan a run of the active accounts in scope and reserve their videos, in one transaction.

    A run that was planned before keeps its plan, so that a retry changes nothing. The settings limit the number of
    task instances.
    """
    settings = get_settings()
    with pool.connection() as connection, bounded_transaction(connection):
        moment = serialize_planning(connection)
        run_id = reopen_run(connection, key, moment + timeout)
        if run_id is not None:
            logger.info("Run %s was planned before and keeps its plan.", run_id)
            return PlannedRun(run_id, read_instances(connection, run_id))
        released = release_stale_fetches(connection, moment)
        if released:
            logger.warning(
                "Released %s unfinished fetches of ended runs and crashed attempts: their reservations are free again.",
                released,
            )
        run_id = insert_run(connection, key, moment, timeout, count_active_accounts(connection, scope))
        insert_missing_usages(connection, moment)
        plan = planning.plan(read_accounts(connection, scope), read_planning_constraints(connection, moment))
        placements = place_by_platform(
            plan.fetches, max_instances=settings.max_instances_per_platform, fixed=settings.bloggers_per_instance
        )
        write_plan(connection, run_id, moment, plan, placements)
        _log_plan(plan)
        return PlannedRun(run_id, read_instances(connection, run_id))


def _log_plan(plan: planning.Plan) -> None:
    allocations = [allocation for fetch in plan.fetches for allocation in fetch.allocations]
    decisions = Counter(str(allocation.grant.decision) for allocation in allocations)
    logger.info("Planned %s bloggers for %s tracked accounts.", len(plan.fetches), len(allocations))
    logger.info(
        "Reserved %s videos (%s).",
        sum(allocation.grant.videos for allocation in allocations),
        ", ".join(f"{count} {decision}" for decision, count in decisions.items()) or "no grants",
    )
    for reason, count in Counter(str(skip.reason) for skip in plan.skips).items():
        logger.info("Skipped %s tracked accounts: %s.", count, reason)
