"""Use case: suspend a platform after an error that concerns more than one fetch."""

from __future__ import annotations

from datetime import datetime

from psycopg import Connection

from blogger_tracking.database.platform_suspensions import suspend_platform
from blogger_tracking.domain.alerts import alerts
from blogger_tracking.domain.platform_errors import PlatformError, suspended_until
from blogger_tracking.settings import Settings


def suspend_after(connection: Connection, error: PlatformError, now: datetime, settings: Settings) -> datetime | None:
    """Suspend the platform if the error concerns the caller, and return the end of the suspension; None otherwise.

    Alerts once per suspension, whichever process meets the error first.
    """
    until = suspended_until(error, now, settings)
    if until and suspend_platform(connection, error.platform, until, str(error)):
        alerts.warning(
            "%s is suspended until %s: %s.",
            error.platform,
            until.isoformat(),
            error,
            extra={"fingerprint": ("suspended", error.platform.value, error.kind.value)},
        )
    return until
