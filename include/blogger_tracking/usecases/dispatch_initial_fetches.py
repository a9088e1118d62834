"""Use case: dispatch pending initial fetches to Airflow.

Airflow's REST API is never called inside a transaction, so that no lock is held while Airflow responds.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeAlias
from uuid import UUID, uuid4

from psycopg import Connection
from psycopg_pool import ConnectionPool
from pydantic import ValidationError

from blogger_tracking.airflow_api import AirflowApi, AirflowApiError
from blogger_tracking.database.connections import bounded_transaction
from blogger_tracking.database.pending_initial_fetches import (
    InitialFetchDispatch,
    begin_next_attempt,
    close_initial_fetch,
    read_accounts_with_pending_initial_fetch,
    read_initial_fetch_dispatch,
)
from blogger_tracking.database.rows import fetch_value
from blogger_tracking.database.run_plans import RunScope, read_planning_constraints
from blogger_tracking.domain import planning
from blogger_tracking.domain.initial_fetch import (
    INITIAL_FETCH_DAG_ID,
    InitialFetchMessage,
    InitialFetchState,
)
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.request_errors import LookUpBudgetSpentError

logger = logging.getLogger(__name__)

_MAX_ATTEMPTS = 3
"""Attempts before giving up: one is lost if the previous run has already finished, another if a concurrent caller
triggers the same initial fetch."""

_NO_MESSAGE = (
    "The message of the initial fetch would be invalid, because the organization has no members, or an id of the "
    "blogger is too long or not ASCII. The batch fetches the blogger instead."
)


@dataclass(frozen=True, slots=True)
class DispatchOutcome:
    """Result of a dispatch.

    `dag_run_id` is the DAG run of the initial fetch. In the state `waiting` this run, or the one of the next attempt,
    is not triggered yet, and in the state `ended` it never will be; `reason` says why.
    """

    state: InitialFetchState
    dag_run_id: str
    reason: str | None = None


SpendAttempt: TypeAlias = Callable[[Connection, Platform], None]
"""A function that takes one attempt at an initial fetch on a platform from a budget. Raises LookUpBudgetSpentError."""


def dispatch_initial_fetch(
    pool: ConnectionPool, airflow: AirflowApi, tracking_id: UUID, spend_attempt: SpendAttempt | None = None
) -> DispatchOutcome | None:
    """Dispatch the pending initial fetch of a tracked account; return None if none is pending.

    For an account that was deleted none is pending. A queued or running DAG run keeps the initial fetch. If the
    previous run has ended, the next attempt is triggered, for which `spend_attempt` is called unless a concurrent
    caller has begun that attempt. An initial fetch whose message would be invalid is closed with the reason: the state
    is `ended`. If Airflow's API fails or the budget is spent, the initial fetch stays pending for the next batch run,
    and the state is `waiting`.
    """
    try:
        return _dispatch(pool, airflow, tracking_id, spend_attempt)
    except LookUpBudgetSpentError as error:
        reason = f"{error} The next batch run triggers the initial fetch, too."
    except AirflowApiError as error:
        logger.warning(
            "The initial fetch of tracked account %s was not triggered and stays pending until the next batch run: %s",
            tracking_id,
            error,
        )
        reason = "Airflow does not accept the run now; the next batch run triggers it."
    with pool.connection() as connection:
        dispatch = read_initial_fetch_dispatch(connection, tracking_id)
    if dispatch is None:
        return None
    return DispatchOutcome(InitialFetchState.WAITING, dispatch.dag_run_id, reason)


def dispatch_pending_initial_fetches(
    pool: ConnectionPool, airflow_api: Callable[[], AirflowApi], scope: RunScope
) -> dict[str, int]:
    """Dispatch the pending initial fetches in scope that the subscription rule grants; return their number by state.

    Nothing is reserved: the triggered run applies the rule again. `airflow_api` is only called if there is something
    to dispatch. Raises AirflowApiError at the first failure of Airflow's API; the rest stays pending.
    """
    with pool.connection() as connection:
        tracking_ids = _grantable(connection, scope)
    if not tracking_ids:
        return {}
    airflow = airflow_api()
    outcomes = [_dispatch(pool, airflow, tracking_id) for tracking_id in tracking_ids]
    return dict(Counter(str(outcome.state) for outcome in outcomes if outcome))


def _dispatch(
    pool: ConnectionPool, airflow: AirflowApi, tracking_id: UUID, spend_attempt: SpendAttempt | None = None
) -> DispatchOutcome | None:
    for _ in range(_MAX_ATTEMPTS):
        with pool.connection() as connection:
            dispatch = read_initial_fetch_dispatch(connection, tracking_id)
        if dispatch is None or not dispatch.pending:
            return None
        message = _message(dispatch)
        if _is_live(airflow, dispatch, message):
            return DispatchOutcome(InitialFetchState.STARTED, dispatch.dag_run_id)
        with pool.connection() as connection:
            if message is None and close_initial_fetch(connection, dispatch, _NO_MESSAGE):
                return DispatchOutcome(InitialFetchState.ENDED, dispatch.dag_run_id, _NO_MESSAGE)
            _begin_next_attempt(connection, dispatch, spend_attempt)
    raise AirflowApiError(
        f"The DAG runs of {_MAX_ATTEMPTS} attempts at an initial fetch had all ended already. "
        "The initial fetch stays pending."
    )


def _begin_next_attempt(
    connection: Connection, dispatch: InitialFetchDispatch, spend_attempt: SpendAttempt | None
) -> None:
    """Begin the next attempt unless a concurrent caller has; only the caller that begins the attempt pays for it."""
    with bounded_transaction(connection):
        if begin_next_attempt(connection, dispatch) and spend_attempt is not None:
            spend_attempt(connection, Platform(dispatch.platform))


def _grantable(connection: Connection, scope: RunScope) -> list[UUID]:
    moment = fetch_value(connection, "select clock_timestamp()")
    constraints = read_planning_constraints(connection, moment)
    # Bloggers of other live runs are included: the triggered run retries until the other run has fetched the blogger.
    constraints = replace(constraints, live_bloggers=frozenset())
    plan = planning.plan(read_accounts_with_pending_initial_fetch(connection, scope), constraints)
    for skip in plan.skips:
        logger.info("The initial fetch of tracked account %s stays pending: %s.", skip.account.tracking_id, skip)
    return [allocation.account.tracking_id for fetch in plan.fetches for allocation in fetch.allocations]


def _is_live(airflow: AirflowApi, dispatch: InitialFetchDispatch, message: InitialFetchMessage | None) -> bool:
    """Trigger the run unless it exists already or has no message; return True for a run that has not ended."""
    if dispatch.owner_dag_run_id is None and message is not None:
        conf = message.model_dump(mode="json", by_alias=True)
        if airflow.trigger(INITIAL_FETCH_DAG_ID, dispatch.dag_run_id, conf):
            return True
    state = airflow.run_state(INITIAL_FETCH_DAG_ID, dispatch.dag_run_id)
    return state is not None and not state.over


def _message(dispatch: InitialFetchDispatch) -> InitialFetchMessage | None:
    try:
        return InitialFetchMessage.model_validate({
            "type": "blogger_initial_fetch",
            "bloggerId": dispatch.blogger_id,
            "secUid": dispatch.sec_id if dispatch.platform == Platform.TIKTOK else None,
            "externalId": dispatch.external_id,
            "platform": dispatch.platform,
            "videoCount": dispatch.videos_count,
            "organizationId": dispatch.organization_id,
            "userId": dispatch.user_id,
            "requestId": str(uuid4()),
            "videoStatus": "tracking",
            "timestamp": datetime.now(UTC),
        })
    except ValidationError as error:
        # For example an organization without members: the message needs a user.
        logger.warning(
            "The initial fetch of tracked account %s cannot be dispatched, and the batch fetches the account instead: "
            "%s",
            dispatch.tracking_id,
            error,
        )
        return None
