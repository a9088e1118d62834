"""Use case: hand open wishes for an initial fetch over to Airflow. Never inside a transaction."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

from psycopg import Connection
from psycopg.rows import scalar_row
from psycopg_pool import ConnectionPool
from pydantic import ValidationError

from blogger_tracking.airflow_api import AirflowApi, AirflowApiError
from blogger_tracking.database.pending_initial_fetches import (
    InitialFetchDispatch,
    begin_next_attempt,
    read_accounts_with_pending_initial_fetch,
    read_initial_fetch_dispatch,
)
from blogger_tracking.database.run_plans import RunScope, read_planning_constraints
from blogger_tracking.domain import planning
from blogger_tracking.domain.initial_fetch import (
    INITIAL_FETCH_DAG_ID,
    InitialFetchMessage,
    InitialFetchState,
)
from blogger_tracking.domain.models import Platform

logger = logging.getLogger(__name__)

_ROUNDS = 3
"""A run that is over costs a round, somebody who hands the same wish over at once another."""


@dataclass(frozen=True, slots=True)
class DispatchOutcome:
    """What became of an open wish: `dag_run_id` has it, or will have it (state `waiting`, with the reason)."""

    state: InitialFetchState
    dag_run_id: str
    reason: str | None = None


def dispatch_initial_fetch(pool: ConnectionPool, airflow: AirflowApi, tracking_id: UUID) -> DispatchOutcome | None:
    """See to it that an Airflow run has this wish, whatever became of earlier runs for it; None if none is open.

    A run that is queued or at work keeps the wish; after one that is over, the next attempt is triggered. When
    Airflow does not take it, the wish stays open for the next batch run: the answer is `waiting`.
    """
    try:
        return _dispatch(pool, airflow, tracking_id)
    except AirflowApiError as error:
        logger.warning("The initial fetch of %s is left to the next batch run: %s", tracking_id, error)
    with pool.connection() as connection:
        wish = read_initial_fetch_dispatch(connection, tracking_id)
    reason = "Airflow does not take the run now; the next batch run triggers it."
    return DispatchOutcome(InitialFetchState.WAITING, wish.run_id, reason)


def dispatch_pending_initial_fetches(
    pool: ConnectionPool, airflow_api: Callable[[], AirflowApi], scope: RunScope
) -> dict[str, int]:
    """Hand over every open wish in scope that the subscription rule would grant now; return how many by state.

    The rule is asked without reserving anything: the run that gets a wish asks it again, and that answer counts.
    Without such a wish Airflow's API is not needed. Raises AirflowApiError as soon as it does not answer; the wishes
    stay open.
    """
    with pool.connection() as connection:
        tracking_ids = _grantable(connection, scope)
    if not tracking_ids:
        return {}
    airflow = airflow_api()
    outcomes = [_dispatch(pool, airflow, tracking_id) for tracking_id in tracking_ids]
    return dict(Counter(str(outcome.state) for outcome in outcomes if outcome))


def _dispatch(pool: ConnectionPool, airflow: AirflowApi, tracking_id: UUID) -> DispatchOutcome | None:
    for _ in range(_ROUNDS):
        with pool.connection() as connection:
            wish = read_initial_fetch_dispatch(connection, tracking_id)
        if not wish.pending:
            return None
        message = _message(wish)
        if message is None:
            return DispatchOutcome(InitialFetchState.WAITING, wish.run_id, "No run can be told of this account.")
        if _is_at_work(airflow, wish, message):
            return DispatchOutcome(InitialFetchState.STARTED, wish.run_id)
        with pool.connection() as connection:
            begin_next_attempt(connection, wish)
    raise AirflowApiError(f"each of {_ROUNDS} runs for it was over at once")


def _grantable(connection: Connection, scope: RunScope) -> list[UUID]:
    moment = connection.cursor(row_factory=scalar_row).execute("select clock_timestamp()").fetchall()[0]
    constraints = read_planning_constraints(connection, moment)
    # A blogger that is being fetched just now is free again before its run gives up.
    free = replace(constraints, live_bloggers=frozenset())
    plan = planning.plan(read_accounts_with_pending_initial_fetch(connection, scope), free)
    for skip in plan.skips:
        logger.info("The wish of %s waits: %s.", skip.account.tracking_id, skip)
    return [allocation.account.tracking_id for fetch in plan.fetches for allocation in fetch.allocations]


def _is_at_work(airflow: AirflowApi, wish: InitialFetchDispatch, message: InitialFetchMessage) -> bool:
    conf = message.model_dump(mode="json", by_alias=True)
    if wish.owner_dag_run_id is None and airflow.trigger(INITIAL_FETCH_DAG_ID, wish.run_id, conf):
        return True
    state = airflow.run_state(INITIAL_FETCH_DAG_ID, wish.run_id)
    return state is not None and not state.over


def _message(wish: InitialFetchDispatch) -> InitialFetchMessage | None:
    try:
        return InitialFetchMessage.model_validate({
            "type": "blogger_initial_fetch",
            "bloggerId": wish.blogger_id,
            "secUid": wish.sec_id if wish.platform == Platform.TIKTOK else None,
            "externalId": wish.external_id,
            "platform": wish.platform,
            "videoCount": wish.videos_count,
            "organizationId": wish.organization_id,
            "userId": wish.user_id,
            "requestId": str(uuid4()),
            "videoStatus": "tracking",
            "timestamp": datetime.now(UTC),
        })
    except ValidationError as error:
        # An organization without members, say: a run speaks for one.
        logger.warning("The wish of %s cannot be handed over: %s", wish.tracking_id, error)
        return None
