"""Platforms that are left alone for now."""

from __future__ import annotations

from psycopg import Connection

from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.request_errors import PlatformSuspendedError

_SUSPENDED_SECONDS = """
select ceil(extract(epoch from suspended_until - clock_timestamp()))::integer
from platform_suspensions
where platform = %(platform)s and suspended_until > clock_timestamp()
"""


def require_not_suspended(connection: Connection, platform: Platform) -> None:
    """Raise PlatformSuspendedError while the platform is left alone."""
    row = connection.execute(_SUSPENDED_SECONDS, {"platform": platform}).fetchone()
    if row is not None:
        raise PlatformSuspendedError(platform, retry_after=row[0])
