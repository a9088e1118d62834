"""Statements on `platform_suspensions`: platforms that are not asked until a given time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection

from blogger_tracking.database.rows import fetch_all, fetch_optional
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.request_errors import PlatformSuspendedError


@dataclass(frozen=True, slots=True)
class Suspension:
    """Suspension of a platform until a time (aware), with its reason."""

    platform: str
    until: datetime
    reason: str


_READ = """
select platform, suspended_until as until, reason
from platform_suspensions
where platform = %(platform)s and suspended_until > clock_timestamp()
"""

_READ_ALL = """
select platform, suspended_until as until, reason
from platform_suspensions
where suspended_until > %(moment)s
"""

# A suspension that is in force stays as it is.
_SUSPEND = """
insert into platform_suspensions (platform, suspended_until, reason, suspended_at)
values (%(platform)s, %(until)s, %(reason)s, clock_timestamp())
on conflict (platform) do update
set suspended_until = excluded.suspended_until, reason = excluded.reason, suspended_at = excluded.suspended_at
where platform_suspensions.suspended_until <= clock_timestamp()
returning platform
"""

_SUSPENDED_SECONDS = """
select ceil(extract(epoch from suspended_until - clock_timestamp()))::integer
from platform_suspensions
where platform = %(platform)s and suspended_until > clock_timestamp()
"""


def read_suspension(connection: Connection, platform: str) -> Suspension | None:
    """Return the suspension of a platform that is in force now."""
    return fetch_optional(connection, Suspension, _READ, {"platform": platform})


def suspended_platforms(connection: Connection, moment: datetime) -> dict[Platform, str]:
    """Return the platforms that are suspended at a moment (aware), each with the reason."""
    suspensions = fetch_all(connection, Suspension, _READ_ALL, {"moment": moment})
    return {Platform(suspension.platform): suspension.reason for suspension in suspensions}


def suspend_platform(connection: Connection, platform: str, until: datetime, reason: str) -> bool:
    """Suspend a platform; return False, having changed nothing, if the platform is suspended already."""
    parameters = {"platform": platform, "until": until, "reason": reason}
    return bool(connection.execute(_SUSPEND, parameters).fetchall())


def require_not_suspended(connection: Connection, platform: Platform) -> None:
    """Raise PlatformSuspendedError if the platform is suspended."""
    row = connection.execute(_SUSPENDED_SECONDS, {"platform": platform}).fetchone()
    if row is not None:
        raise PlatformSuspendedError(platform, retry_after=row[0])
