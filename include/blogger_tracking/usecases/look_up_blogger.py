"""Use case: look a blogger up on its platform, within the budgets that all organizations share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Self
from uuid import UUID

from psycopg import Connection

from blogger_tracking.database.connections import bounded_transaction
from blogger_tracking.database.look_ups import REMEMBERED_ERRORS, read_look_up, save_look_up
from blogger_tracking.database.platform_suspensions import read_suspension
from blogger_tracking.database.request_budgets import BudgetPurpose, Budgets, spend
from blogger_tracking.database.youtube_units import look_up_units, record_units, units_left
from blogger_tracking.domain.models import BloggerProfile, Platform
from blogger_tracking.domain.platform_errors import ErrorKind, PlatformError
from blogger_tracking.domain.request_errors import (
    LookUpBudgetSpentError,
    PlatformQuotaSpentError,
    PlatformSuspendedError,
)
from blogger_tracking.domain.youtube_quota import next_quota_reset
from blogger_tracking.platforms.request_meter import count_requests
from blogger_tracking.settings import Settings, get_settings
from blogger_tracking.usecases.fetch_blogger import FetchServices
from blogger_tracking.usecases.suspend_platform import suspend_after

_SHARE_OF_ONE = 0.25
"""Share of YouTube's units for look-ups that one organization, or one person, may spend within a day."""

_UNITS_OF_LOOK_UP = 2
"""Units of a look-up at YouTube at most, without retries: a name may be requested as a handle and as a user name."""

_BUDGET_NAMES = {
    BudgetPurpose.LOOK_UPS: "the look-ups of an hour",
    BudgetPurpose.YOUTUBE_LOOK_UPS: "the look-ups at YouTube of a day",
}


@dataclass(frozen=True, slots=True)
class LookUpLimits:
    """Limits of look-ups: of each person and organization, and of all together.

    A look-up at YouTube also takes from `youtube_budgets`, so that no organization spends the units of all.
    `kept_for` is the time for which a result is used again. Look-ups spend at most `youtube_units` of the
    `youtube_daily_units`; the other units are reserved for batch runs and initial fetches.
    """

    budgets: Budgets
    youtube_budgets: Budgets
    kept_for: timedelta
    youtube_units: int
    youtube_daily_units: int

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the limits that the settings state."""
        reserved = ceil(settings.youtube_daily_units * settings.youtube_reserved_share)
        youtube_units = settings.youtube_daily_units - reserved
        youtube_look_ups = max(1, int(youtube_units * _SHARE_OF_ONE / _UNITS_OF_LOOK_UP))
        return cls(
            Budgets(
                BudgetPurpose.LOOK_UPS,
                timedelta(hours=1),
                of_person=settings.person_look_ups_per_hour,
                of_organization=settings.organization_look_ups_per_hour,
            ),
            Budgets(BudgetPurpose.YOUTUBE_LOOK_UPS, timedelta(days=1), youtube_look_ups, youtube_look_ups),
            timedelta(minutes=settings.look_up_memory_minutes),
            youtube_units,
            settings.youtube_daily_units,
        )


@dataclass(frozen=True, slots=True)
class LookUpCaller:
    """The person and the organization whose budgets a look-up takes from."""

    user_id: UUID
    organization_id: UUID


def look_up_blogger(
    services: FetchServices, limits: LookUpLimits, caller: LookUpCaller, platform: Platform, name: str
) -> BloggerProfile:
    """Return a blogger's profile, from a recent look-up or from the platform.

    A platform that is suspended or whose budget is spent receives no request.
    Raises PlatformSuspendedError, PlatformQuotaSpentError, LookUpBudgetSpentError, PlatformError.
    """
    with services.pool.connection() as connection:
        profile = read_look_up(connection, platform, name, limits.kept_for)
        if profile is not None:
            return profile
        _require_available(connection, limits, platform)
        spend_look_up(connection, platform, limits, caller)
    try:
        profile = _request_profile(services, platform, name)
    except PlatformError as error:
        if error.kind in REMEMBERED_ERRORS:
            with services.pool.connection() as connection:
                save_look_up(connection, platform, name, error, limits.kept_for)
        raise
    with services.pool.connection() as connection:
        save_look_up(connection, platform, name, profile, limits.kept_for)
    return profile


def spend_look_up(connection: Connection, platform: Platform, limits: LookUpLimits, caller: LookUpCaller) -> None:
    """Take a look-up at a platform from the budgets of the person and the organization.

    Raises LookUpBudgetSpentError, having taken nothing.
    """
    with bounded_transaction(connection):
        _spend(connection, limits.budgets, caller)
        if platform is Platform.YOUTUBE:
            _spend(connection, limits.youtube_budgets, caller)


def _spend(connection: Connection, budgets: Budgets, caller: LookUpCaller) -> None:
    spent = spend(connection, budgets, caller.user_id, caller.organization_id)
    if spent:
        raise LookUpBudgetSpentError(f"This {spent.holder}", _BUDGET_NAMES[budgets.purpose], spent.retry_after)


def _require_available(connection: Connection, limits: LookUpLimits, platform: Platform) -> None:
    """Raise PlatformSuspendedError or PlatformQuotaSpentError if the platform may receive no look-up now.

    Concurrent look-ups may exceed the units by the few units that each of them costs.
    """
    now = datetime.now(UTC)
    suspension = read_suspension(connection, platform)
    if suspension is not None:
        raise PlatformSuspendedError(platform, retry_after=_seconds(suspension.until - now))
    if platform is Platform.YOUTUBE and (
        look_up_units(connection, now) >= limits.youtube_units
        or units_left(connection, now, limits.youtube_daily_units) <= 0
    ):
        raise PlatformQuotaSpentError(platform, retry_after=_seconds(next_quota_reset(now) - now))


def _seconds(duration: timedelta) -> int:
    return max(1, ceil(duration.total_seconds()))


def _request_profile(services: FetchServices, platform: Platform, name: str) -> BloggerProfile:
    with count_requests() as meter:
        try:
            return services.platforms[platform].get_user_info(name)
        except PlatformError as error:
            # The platform may refuse a typed name in words that no rule knows: that must not suspend the platform.
            if error.kind is not ErrorKind.REFUSED:
                with services.pool.connection() as connection:
                    suspend_after(connection, error, datetime.now(UTC), get_settings())
            raise
        finally:
            # Also after an error: a request for a channel that does not exist costs units, too.
            if platform is Platform.YOUTUBE and meter.total:
                with services.pool.connection() as connection:
                    record_units(connection, datetime.now(UTC), meter.by_use)
