"""Use case: plan the initial fetch of one tracked account."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from psycopg import Connection
from psycopg.errors import SerializationFailure
from psycopg_pool import ConnectionPool
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from blogger_tracking.database.connections import bounded_transaction
from blogger_tracking.database.pending_initial_fetches import (
    assign_initial_fetch,
    find_addressed_account,
    lock_initial_fetch,
    release_initial_fetch,
)
from blogger_tracking.database.rows import fetch_values
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

_SKIP_REASON = "select reason from blogger_tracking.run_accounts where run_id = %(run_id)s and decision = 'skipped'"

_MAX_ATTEMPTS = 5


# Postgres raises SerializationFailure if a user changed the tracked account after the transaction's snapshot and before
# its lock of the account.
@retry(retry=retry_if_exception_type(SerializationFailure), stop=stop_after_attempt(_MAX_ATTEMPTS), reraise=True)
def plan_initial_fetch(
    pool: ConnectionPool, key: RunKey, task_id: str, message: InitialFetchMessage, timeout: timedelta
) -> str | None:
    """Assign the initial fetch to this run and plan it for this task, in one transaction with the reservation.

    Returns the reason if there is nothing to fetch, otherwise None. Planning a run again returns the same plan.
    `timeout` is the time after which the run is presumed dead.
    Raises MessageMismatchError if the message contradicts the database, and BloggerBusyError, having changed nothing,
    while another run is fetching the same blogger.
    """
    with pool.connection() as connection, bounded_transaction(connection):
        moment = serialize_planning(connection)
        tracking_id = find_addressed_account(connection, message)
        run_id = find_run(connection, key)
        rejection_reason = lock_initial_fetch(connection, tracking_id, moment).rejection_reason(run_id)
        if rejection_reason:
            return rejection_reason
        if run_id is not None:
            return _resume(connection, key, run_id, tracking_id, moment + timeout)
        return _plan(connection, key, task_id, message, tracking_id, (moment, timeout))


def _resume(connection: Connection, key: RunKey, run_id: int, tracking_id: UUID, expires_at: datetime) -> str | None:
    reasons: list[str] = fetch_values(connection, _SKIP_REASON, {"run_id": run_id})
    if reasons:
        return reasons[0]
    reopen_run(connection, key, expires_at)
    assign_initial_fetch(connection, tracking_id, run_id)
    logger.info("Run %s was planned before; its plan is kept.", run_id)
    return None


def _plan(
    connection: Connection,
    key: RunKey,
    task_id: str,
    message: InitialFetchMessage,
    tracking_id: UUID,
    moment_and_timeout: tuple[datetime, timedelta],
) -> str | None:
    moment, timeout = moment_and_timeout
    release_stale_fetches(connection, moment)
    scope = RunScope(organizations=(message.organization_id,), bloggers=(message.blogger_id,))
    accounts = read_accounts(connection, scope)
    if not accounts:
        release_initial_fetch(connection, tracking_id, SkipReason.INACTIVE)
        return SkipReason.INACTIVE
    requested_account = replace(accounts[0], videos_count=message.video_count, pending_initial_fetch=False)
    insert_missing_usages(connection, moment)
    plan = planning.plan([requested_account], read_planning_constraints(connection, moment))
    if any(skip.reason is SkipReason.ALREADY_RUNNING for skip in plan.skips):
        raise BloggerBusyError(
            "Another run is fetching this blogger: nothing was fetched or changed. Airflow retries the task; if the "
            "last retry fails, clear the task or wait for the next batch run."
        )
    run_id = insert_run(connection, key, moment, timeout, count_active_accounts(connection, scope))
    write_plan(connection, run_id, moment, plan, [Placement(fetch, task_id, -1) for fetch in plan.fetches])
    if not plan.skips:
        assign_initial_fetch(connection, tracking_id, run_id)
        return None
    skip = plan.skips[0]
    release_initial_fetch(connection, tracking_id, skip.explanation)
    finish_run(connection, run_id, moment)
    return str(skip)
