"""Results of recent look-ups in the table `look_ups`, shared by all processes and organizations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from blogger_tracking.database.rows import fetch_optional
from blogger_tracking.domain.models import BloggerProfile, Platform
from blogger_tracking.domain.platform_errors import ErrorKind, PlatformError

REMEMBERED_ERRORS = frozenset({ErrorKind.NOT_FOUND, ErrorKind.PRIVATE})
"""Errors that concern the blogger and stay true for a while, whoever asks."""

_CHANNEL_ID_LENGTH = 24

_READ = """
select error, profile
from blogger_tracking.look_ups
where platform = %(platform)s and name = %(name)s and looked_up_at > clock_timestamp() - %(kept_for)s
"""

_PURGE = "delete from blogger_tracking.look_ups where looked_up_at <= clock_timestamp() - %(kept_for)s"

_SAVE = """
insert into blogger_tracking.look_ups (platform, name, looked_up_at, error, profile)
select %(platform)s, name, clock_timestamp(), %(error)s, %(profile)s
from unnest(%(names)s::text[]) as names (name)
on conflict (platform, name) do update
set looked_up_at = excluded.looked_up_at, error = excluded.error, profile = excluded.profile
"""


@dataclass(frozen=True, slots=True)
class _Result:
    error: str | None
    profile: dict[str, Any] | None


def read_look_up(connection: Connection, platform: Platform, name: str, kept_for: timedelta) -> BloggerProfile | None:
    """Return the profile of a recent look-up of this name, or None without one.

    Raises PlatformError if the look-up found no profile.
    """
    parameters = {"platform": platform, "name": _key(platform, name), "kept_for": kept_for}
    result = fetch_optional(connection, _Result, _READ, parameters)
    if result is None:
        return None
    if result.error is not None:
        raise PlatformError(ErrorKind(result.error), platform, "found by a recent look-up, no request was sent")
    return BloggerProfile.model_validate(result.profile)


def save_look_up(
    connection: Connection, platform: Platform, name: str, result: BloggerProfile | PlatformError, kept_for: timedelta
) -> None:
    """Save the profile or one of REMEMBERED_ERRORS for the next look-ups of this blogger, and delete old results."""
    connection.execute(_PURGE, {"kept_for": kept_for})
    parameters = {
        "platform": platform,
        # In order: concurrent look-ups of one blogger lock the rows of the same names.
        "names": sorted(_keys(platform, name, result)),
        "error": result.kind if isinstance(result, PlatformError) else None,
        "profile": None if isinstance(result, PlatformError) else Jsonb(result.model_dump(mode="json")),
    }
    connection.execute(_SAVE, parameters)


def _keys(platform: Platform, name: str, result: BloggerProfile | PlatformError) -> set[str]:
    """Return the keys of all names whose look-up has this result.

    YouTube looks for a name among the handles first, and only then among the legacy user names: a handle is also found
    without its `@`, and a name that is not found is no handle.
    """
    key = _key(platform, name)
    if platform is not Platform.YOUTUBE:
        return {key}
    if isinstance(result, PlatformError):
        return {key, f"@{name.removeprefix('@').lower()}"}
    username = result.username.lower()
    return {key, username, f"@{username}", result.external_id}


def _key(platform: Platform, name: str) -> str:
    """Return the name in lower case, as platforms compare names. Only YouTube's channel ids tell cases apart."""
    is_channel_id = platform is Platform.YOUTUBE and name.startswith("UC") and len(name) == _CHANNEL_ID_LENGTH
    return name if is_channel_id else name.lower()
