"""Use case: add a blogger to an organization."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from psycopg import Connection

from blogger_tracking.airflow_api import AirflowApi
from blogger_tracking.database.blogger_additions import (
    AdditionKind,
    AdditionRequest,
    AdditionResult,
    add_by_profile,
    add_known_blogger,
    is_tracked_by_name,
)
from blogger_tracking.database.connections import bounded_transaction
from blogger_tracking.database.organizations import require_campaign, require_room
from blogger_tracking.database.tracked_accounts import TrackedBlogger, read_tracked_blogger
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.request_errors import BloggerLimitReachedError
from blogger_tracking.domain.usernames import parse_username
from blogger_tracking.usecases.dispatch_initial_fetches import DispatchOutcome, SpendAttempt, dispatch_initial_fetch
from blogger_tracking.usecases.fetch_blogger import FetchServices
from blogger_tracking.usecases.look_up_blogger import LookUpCaller, LookUpLimits, look_up_blogger, spend_look_up

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AddedBlogger:
    """A tracked account after an addition. `dispatched` is None if no initial fetch is pending.

    `is_reopened`: the initial fetch had ended without videos and is pending again.
    """

    kind: AdditionKind
    is_reopened: bool
    account: TrackedBlogger
    dispatched: DispatchOutcome | None


def add_blogger(
    services: FetchServices,
    airflow: AirflowApi,
    limits: LookUpLimits,
    addition: AdditionRequest,
    platform: Platform,
    username: str,
) -> AddedBlogger:
    """Look a blogger up on its platform, track the blogger, and dispatch its initial fetch.

    Everything that can be checked without the platform is checked before the request to the platform. If Airflow
    cannot be reached, the initial fetch stays pending and the next batch run dispatches it. A further attempt at an
    initial fetch takes a look-up.
    Raises RequestError, and PlatformError if the platform returns no profile.
    """
    name = parse_username(username, platform)
    with services.pool.connection() as connection:
        _check_before_look_up(connection, addition, platform, name)
    caller = LookUpCaller(addition.user_id, addition.organization_id)
    profile = look_up_blogger(services, limits, caller, platform, name)
    spend_attempt = partial(spend_look_up, limits=limits, caller=caller)
    with services.pool.connection() as connection, bounded_transaction(connection):
        added = add_by_profile(connection, addition, profile)
        _spend_reopened(connection, added, spend_attempt)
    return _dispatch(services, airflow, added, spend_attempt)


def add_from_tracking(
    services: FetchServices, airflow: AirflowApi, limits: LookUpLimits, addition: AdditionRequest, blogger_id: UUID
) -> AddedBlogger:
    """Track a blogger that the organization already knows, without a request to its platform.

    A further attempt at an initial fetch takes a look-up. Raises RequestError.
    """
    caller = LookUpCaller(addition.user_id, addition.organization_id)
    spend_attempt = partial(spend_look_up, limits=limits, caller=caller)
    with services.pool.connection() as connection, bounded_transaction(connection):
        added = add_known_blogger(connection, addition, blogger_id)
        _spend_reopened(connection, added, spend_attempt)
    return _dispatch(services, airflow, added, spend_attempt)


def _check_before_look_up(connection: Connection, addition: AdditionRequest, platform: Platform, name: str) -> None:
    if addition.campaign_id is not None:
        require_campaign(connection, addition.organization_id, addition.campaign_id)
    try:
        require_room(connection, addition.organization_id)
    except BloggerLimitReachedError:
        # A blogger that is tracked already needs no room. Adding such a blogger again repeats a failed initial fetch.
        if not is_tracked_by_name(connection, addition.organization_id, platform, name):
            raise


def _spend_reopened(connection: Connection, added: AdditionResult, spend_attempt: SpendAttempt) -> None:
    if added.is_reopened:
        spend_attempt(connection, Platform(read_tracked_blogger(connection, added.tracking_id).platform))


def _dispatch(
    services: FetchServices, airflow: AirflowApi, added: AdditionResult, spend_attempt: SpendAttempt
) -> AddedBlogger:
    dispatched = dispatch_initial_fetch(services.pool, airflow, added.tracking_id, spend_attempt)
    with services.pool.connection() as connection:
        account = read_tracked_blogger(connection, added.tracking_id)
    logger.info(
        "@%s (%s): %s for organization %s. Initial fetch: %s.",
        account.username,
        account.platform,
        added.kind,
        account.organization_id,
        dispatched or account.initial_fetch_state,
    )
    return AddedBlogger(added.kind, added.is_reopened, account, dispatched)
