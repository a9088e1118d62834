"""Statements on `platform_suspensions`: platforms that receive no request until a given time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection

from blogger_tracking.database.rows import fetch_optional
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.request_errors import PlatformPausedError


@dataclass(frozen=True, slots=True)
class Suspension:
    """A platform that receives no request before `until` (UTC), and the error that suspended it."""

    platform: str
    until: datetime
    reason: str


_READ = """
select platform, suspended_until as until, reason
from platform_suspensions
where platform = %(platform)s and suspended_until > clock_timestamp()
"""

_SECONDS_LEFT = """
select ceil(extract(epoch from suspended_until - clock_timestamp()))::integer
from platform_suspensions
where platform = %(platform)s and suspended_until > clock_timestamp()
"""

_SUSPENDED = "select platform, reason from platform_suspensions where suspended_until > %(moment)s"

# A suspension that is still in force stays as it is: of the many fetches that fail at once, only the first one alerts.
_SUSPEND = """
insert into platform_suspensions (platform, suspended_until, reason, suspended_at)
values (%(platform)s, %(until)s, %(reason)s, clock_timestamp())
on conflict (platform) do update
set suspended_until = excluded.suspended_until, reason = excluded.reason, suspended_at = excluded.suspended_at
where platform_suspensions.suspended_until <= clock_timestamp()
returning platform
"""


def read_suspension(connection: Connection, platform: Platform) -> Suspension | None:
    """Return the suspension of a platform that is in force now, or None."""
    return fetch_optional(connection, Suspension, _READ, {"platform": platform})


def suspended_platforms(connection: Connection, moment: datetime) -> dict[Platform, str]:
    """Return the platforms that are suspended at `moment`, each with the reason."""
    return {Platform(platform): reason for platform, reason in connection.execute(_SUSPENDED, {"moment": moment})}


def suspend_platform(connection: Connection, platform: Platform, until: datetime, reason: str) -> bool:
    """Suspend a platform until the given time. Return False, having changed nothing, if it is suspended already."""
    return bool(connection.execute(_SUSPEND, {"platform": platform, "until": until, "reason": reason}).fetchall())


def require_not_suspended(connection: Connection, platform: Platform) -> None:
    """Raise PlatformPausedError while the platform is suspended."""
    row = connection.execute(_SECONDS_LEFT, {"platform": platform}).fetchone()
    if row is not None:
        raise PlatformPausedError(platform, retry_after=row[0])
