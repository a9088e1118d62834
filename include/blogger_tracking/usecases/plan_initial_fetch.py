"""Use case: plan the initial fetch of one tracked account."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from psycopg import Connection
from psycopg.errors import SerializationFailure
from psycopg.rows import scalar_row
from psycopg_pool import ConnectionPool
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from blogger_tracking.database.pending_initial_fetches import (
    assign_initial_fetch,
    find_addressed_account,
    lock_initial_fetch,
    release_initial_fetch,
)
from blogger_tracking.database.run_plans import (
    RunScope,
    count_active_accounts,
    read_accounts,
    read_planning_constraints,
    serialize_planning,
    write_plan,
)
from blogger_tracking.database.runs import (
    RunKey,
    find_run,
    finish_run,
    insert_run,
    release_stale_fetches,
    reopen_run,
)
from blogger_tracking.domain import planning
from blogger_tracking.domain.fan_out import Placement
from blogger_tracking.domain.initial_fetch import BloggerBusyError, InitialFetchMessage
from blogger_tracking.domain.ledger import SkipReason

logger = logging.getLogger(__name__)

_SKIPPED_BEFORE = "select reason from run_accounts where run_id = %(run_id)s and decision = 'skipped'"

_ATTEMPTS = 5


# Somebody may change the tracked account between the snapshot of planning and the moment the wish is taken.
@retry(retry=retry_if_exception_type(SerializationFailure), stop=stop_after_attempt(_ATTEMPTS), reraise=True)
def plan_initial_fetch(
    pool: ConnectionPool, key: RunKey, task_id: str, message: InitialFetchMessage, timeout: timedelta
) -> str | None:
    """Take the wish and plan its fetch for this task, in one transaction with the reservation.

    Returns why there is nothing to fetch, or None when there is. A run that was planned before gets the same plan.
    Raises MessageMismatchError when the message does not fit the database, and BloggerBusyError, having changed
    nothing, while another run is fetching the same blogger.
    """
    with pool.connection() as connection, connection.transaction():
        moment = serialize_planning(connection)
        tracking_id = find_addressed_account(connection, message)
        run_id = find_run(connection, key)
        refusal = lock_initial_fetch(connection, tracking_id, moment).rejection_reason(run_id)
        if refusal:
            return refusal
        if run_id is not None:
            return _resume(connection, key, run_id, tracking_id, moment + timeout)
        return _plan(connection, key, task_id, message, tracking_id, (moment, timeout))


def finish_initial_fetch(pool: ConnectionPool, key: RunKey) -> None:
    """Note that the run is over: it holds the wish no longer, and what it left unfinished is released."""
    with pool.connection() as connection, connection.transaction():
        moment = serialize_planning(connection)
        run_id = find_run(connection, key)
        if run_id is not None:
            finish_run(connection, run_id, moment)
            release_stale_fetches(connection, moment)


def _resume(connection: Connection, key: RunKey, run_id: int, tracking_id: UUID, expires_at: datetime) -> str | None:
    reason = connection.cursor(row_factory=scalar_row).execute(_SKIPPED_BEFORE, {"run_id": run_id}).fetchone()
    if reason is not None:
        return str(reason)
    reopen_run(connection, key, expires_at)
    assign_initial_fetch(connection, tracking_id, run_id)
    logger.info("Planned before: the plan of run %s stands.", run_id)
    return None


def _plan(
    connection: Connection,
    key: RunKey,
    task_id: str,
    message: InitialFetchMessage,
    tracking_id: UUID,
    period: tuple[datetime, timedelta],
) -> str | None:
    moment, timeout = period
    release_stale_fetches(connection, moment)
    scope = RunScope(organizations=(message.organization_id,), bloggers=(message.blogger_id,))
    accounts = read_accounts(connection, scope)
    if not accounts:
        release_initial_fetch(connection, tracking_id, SkipReason.INACTIVE)
        return SkipReason.INACTIVE
    wanted = replace(accounts[0], videos_count=message.video_count, pending_initial_fetch=False)
    plan = planning.plan([wanted], read_planning_constraints(connection, moment))
    if any(skip.reason is SkipReason.ALREADY_RUNNING for skip in plan.skips):
        raise BloggerBusyError("Another run is fetching this blogger just now: nothing was fetched, ask again soon.")
    run_id = insert_run(connection, key, moment, timeout, count_active_accounts(connection, scope))
    write_plan(connection, run_id, moment, plan, [Placement(fetch, task_id, -1) for fetch in plan.fetches])
    if not plan.skips:
        assign_initial_fetch(connection, tracking_id, run_id)
        return None
    reason = str(plan.skips[0])
    release_initial_fetch(connection, tracking_id, reason)
    finish_run(connection, run_id, moment)
    return reason
