"""Platform suspensions: platforms that are not requested until a given time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection

from blogger_tracking.database.rows import fetch_optional
from blogger_tracking.domain.models import Platform

_READ = """
select platform, suspended_until as until, reason
from blogger_tracking.platform_suspensions
where platform = %(platform)s and suspended_until > clock_timestamp()
"""

_SUSPENDED = "select platform, reason from blogger_tracking.platform_suspensions where suspended_until > %(moment)s"

_SUSPEND = """
insert into blogger_tracking.platform_suspensions (platform, suspended_until, reason, suspended_at)
values (%(platform)s, %(until)s, %(reason)s, clock_timestamp())
on conflict (platform) do update
set suspended_until = excluded.suspended_until, reason = excluded.reason, suspended_at = excluded.suspended_at
where platform_suspensions.suspended_until <= clock_timestamp()
returning platform
"""


@dataclass(frozen=True, slots=True)
class Suspension:
    """A platform that is not requested before `until`, and the reason."""

    platform: Platform
    until: datetime
    reason: str


def read_suspension(connection: Connection, platform: Platform) -> Suspension | None:
    """Return the suspension of a platform, or None unless the platform is suspended now."""
    return fetch_optional(connection, Suspension, _READ, {"platform": platform})


def suspended_platforms(connection: Connection, moment: datetime) -> dict[Platform, str]:
    """Return the platforms that are suspended at `moment`, each with the reason."""
    rows = connection.execute(_SUSPENDED, {"moment": moment}).fetchall()
    return {Platform(platform): reason for platform, reason in rows}


def suspend_platform(connection: Connection, platform: Platform, until: datetime, reason: str) -> bool:
    """Suspend a platform until `until`; return False, changing nothing, if the platform is suspended already."""
    parameters = {"platform": platform, "until": until, "reason": reason}
    return connection.execute(_SUSPEND, parameters).fetchone() is not None
