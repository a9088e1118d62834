"""Use case: a person adds a blogger to an organization."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from psycopg import Connection

from blogger_tracking.airflow_api import AirflowApi
from blogger_tracking.database.blogger_additions import (
    Added,
    Addition,
    AdditionKind,
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
from blogger_tracking.domain.usernames import read_username
from blogger_tracking.platforms.metering import count_requests
from blogger_tracking.usecases.dispatch_initial_fetches import HandOver, hand_over
from blogger_tracking.usecases.fetch_blogger import Outside

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AddedBlogger:
    """A tracked account after somebody asked to add it. `handed_over` is None when no wish is open."""

    kind: AdditionKind
    account: TrackedBlogger
    handed_over: HandOver | None


def add_blogger(
    outside: Outside, airflow: AirflowApi, addition: Addition, platform: Platform, username: str
) -> AddedBlogger:
    """Look the blogger up on its platform, track it, and hand the wish for its first videos over.

    What can be refused without the platform is refused before it is asked. A wish that Airflow does not take now
    waits for the next batch run.
    Raises RefusalError, and PlatformError when the platform does not describe the blogger.
    """
    name = read_username(username, platform)
    with outside.pool.connection() as connection:
        _refuse_early(connection, addition, platform, name)
    profile = _look_up(outside, platform, name)
    with outside.pool.connection() as connection:
        added = add_by_profile(connection, addition, profile)
    return _hand_over(outside, airflow, added)


def add_from_tracking(outside: Outside, airflow: AirflowApi, addition: Addition, blogger_id: UUID) -> AddedBlogger:
    """Track a blogger that the organization knows already, without asking its platform. Raises RefusalError."""
    with outside.pool.connection() as connection:
        added = add_known_blogger(connection, addition, blogger_id)
    return _hand_over(outside, airflow, added)


def _look_up(outside: Outside, platform: Platform, name: str) -> BloggerProfile:
    with count_requests() as meter:
        try:
            return outside.platforms[platform].get_user_info(name)
        finally:
            # Also when there is no such channel: the question was asked.
            if platform is Platform.YOUTUBE and meter.requests:
                with outside.pool.connection() as connection:
                    record_units(connection, datetime.now(UTC), UnitUse.PROFILE, meter.requests)


def _refuse_early(connection: Connection, addition: Addition, platform: Platform, name: str) -> None:
    if addition.campaign_id is not None:
        require_campaign(connection, addition.organization_id, addition.campaign_id)
    require_not_suspended(connection, platform)
    try:
        require_room(connection, addition.organization_id)
    except BloggerLimitReachedError:
        # A failed initial fetch may be asked for again, also where nobody else has room.
        if not is_tracked_by_name(connection, addition.organization_id, platform, name):
            raise


def _hand_over(outside: Outside, airflow: AirflowApi, added: Added) -> AddedBlogger:
    handed_over = hand_over(outside.pool, airflow, added.tracking_id)
    with outside.pool.connection() as connection:
        account = read_tracked_blogger(connection, added.tracking_id)
    logger.info(
        "@%s (%s) %s for organization %s; its initial fetch: %s.",
        account.username,
        account.platform,
        added.kind,
        account.organization_id,
        handed_over or account.initial_fetch_state,
    )
    return AddedBlogger(added.kind, account, handed_over)
