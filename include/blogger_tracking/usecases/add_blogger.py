"""Use case: a person adds a blogger to an organization."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
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
from blogger_tracking.database.organizations import require_campaign, require_room
from blogger_tracking.database.platform_suspensions import require_not_suspended
from blogger_tracking.database.tracked_accounts import TrackedBlogger, read_tracked_blogger
from blogger_tracking.database.youtube_units import UnitUse, record_units
from blogger_tracking.domain.models import BloggerProfile, Platform
from blogger_tracking.domain.request_errors import BloggerLimitReachedError
from blogger_tracking.domain.usernames import parse_username
from blogger_tracking.platforms.request_meter import count_requests
from blogger_tracking.usecases.dispatch_initial_fetches import DispatchOutcome, dispatch_initial_fetch
from blogger_tracking.usecases.fetch_blogger import FetchServices

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AddedBlogger:
    """A tracked account after somebody asked to add it. `handed_over` is None when no wish is open."""

    kind: AdditionKind
    account: TrackedBlogger
    dispatched: DispatchOutcome | None


def add_blogger(
    services: FetchServices, airflow: AirflowApi, addition: AdditionRequest, platform: Platform, username: str
) -> AddedBlogger:
    """Look the blogger up on its platform, track it, and hand the wish for its first videos over.

    What can be refused without the platform is refused before it is asked. A wish that Airflow does not take now
    waits for the next batch run.
    Raises RefusalError, and PlatformError when the platform does not describe the blogger.
    """
    name = parse_username(username, platform)
    with services.pool.connection() as connection:
        _refuse_early(connection, addition, platform, name)
    profile = _look_up(services, platform, name)
    with services.pool.connection() as connection:
        added = add_by_profile(connection, addition, profile)
    return _dispatch(services, airflow, added)


def add_from_tracking(
    services: FetchServices, airflow: AirflowApi, addition: AdditionRequest, blogger_id: UUID
) -> AddedBlogger:
    """Track a blogger that the organization knows already, without asking its platform. Raises RefusalError."""
    with services.pool.connection() as connection:
        added = add_known_blogger(connection, addition, blogger_id)
    return _dispatch(services, airflow, added)


def _look_up(services: FetchServices, platform: Platform, name: str) -> BloggerProfile:
    with count_requests() as meter:
        try:
            return services.platforms[platform].get_user_info(name)
        finally:
            # Also when there is no such channel: the question was asked.
            if platform is Platform.YOUTUBE and meter.requests:
                with services.pool.connection() as connection:
                    record_units(connection, datetime.now(UTC), UnitUse.PROFILE, meter.requests)


def _refuse_early(connection: Connection, addition: AdditionRequest, platform: Platform, name: str) -> None:
    if addition.campaign_id is not None:
        require_campaign(connection, addition.organization_id, addition.campaign_id)
    require_not_suspended(connection, platform)
    try:
        require_room(connection, addition.organization_id)
    except BloggerLimitReachedError:
        # A failed initial fetch may be asked for again, also where nobody else has room.
        if not is_tracked_by_name(connection, addition.organization_id, platform, name):
            raise


def _dispatch(services: FetchServices, airflow: AirflowApi, added: AdditionResult) -> AddedBlogger:
    dispatched = dispatch_initial_fetch(services.pool, airflow, added.tracking_id)
    with services.pool.connection() as connection:
        account = read_tracked_blogger(connection, added.tracking_id)
    logger.info(
        "@%s (%s) %s for organization %s; its initial fetch: %s.",
        account.username,
        account.platform,
        added.kind,
        account.organization_id,
        dispatched or account.initial_fetch_state,
    )
    return AddedBlogger(added.kind, account, dispatched)
