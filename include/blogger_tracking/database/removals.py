"""Removal of a person, a blogger or an organization, by the owner of the schema.

What a fetch writes at the same moment is either removed as well or never written: see `docs/contracts.md`, deletions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from psycopg import Connection
from psycopg.rows import dict_row

from blogger_tracking.database.connections import bounded_transaction
from blogger_tracking.database.rows import fetch_all, fetch_value
from blogger_tracking.database.runs import release_fetches_of_blogger
from blogger_tracking.domain.models import Platform


@dataclass(frozen=True, slots=True)
class FoundBlogger:
    """A blogger that a name, an external id or an id may mean."""

    id: UUID
    platform: str
    username: str
    external_id: str


@dataclass(frozen=True, slots=True)
class StoredVideo:
    """A video with the path of its thumbnail in object storage; None: not stored."""

    id: int
    thumbnail_path: str | None


_PERSON = {
    "organization_members": "delete from blogger_tracking.organization_members where user_id = %(id)s",
    "tracked_accounts": "update blogger_tracking.tracked_accounts set user_id = null where user_id = %(id)s",
    "idempotency_keys": "delete from blogger_tracking.idempotency_keys where user_id = %(id)s",
    "request_budgets": """
delete from blogger_tracking.request_budgets where holder = 'person' and holder_id = %(id)s
""",
    "imported_rows": """
delete from blogger_tracking.imported_rows
where view_name = 'members' and split_part(imported_id, '/', 2) = %(id)s::text
""",
}

_COUNT_PERSON = """
select
    (select count(*) from blogger_tracking.organization_members where user_id = %(id)s) as organization_members,
    (select count(*) from blogger_tracking.tracked_accounts where user_id = %(id)s) as tracked_accounts,
    (select count(*) from blogger_tracking.idempotency_keys where user_id = %(id)s) as idempotency_keys,
    (select count(*) from blogger_tracking.request_budgets where holder = 'person' and holder_id = %(id)s)
        as request_budgets,
    (
        select count(*)
        from blogger_tracking.imported_rows
        where view_name = 'members' and split_part(imported_id, '/', 2) = %(id)s::text
    ) as imported_rows
"""

_ORGANIZATION = {
    "imported_rows": """
delete from blogger_tracking.imported_rows
where (view_name in ('organizations', 'members', 'subscriptions') and split_part(imported_id, '/', 1) = %(id)s::text)
   or (
       view_name = 'tracked_accounts'
       and imported_id in (
           select id::text from blogger_tracking.tracked_accounts where organization_id = %(id)s
       )
   )
""",
    "idempotency_keys": """
delete from blogger_tracking.idempotency_keys where body #>> '{blogger,organizationId}' = %(id)s::text
""",
    "organizations": "delete from blogger_tracking.organizations where id = %(id)s",
    # After the organization, as additions lock both: this lock order prevents deadlocks.
    "request_budgets": """
delete from blogger_tracking.request_budgets where holder = 'organization' and holder_id = %(id)s
""",
}

_COUNT_ORGANIZATION = """
select
    (select count(*) from blogger_tracking.organizations where id = %(id)s) as organizations,
    (select count(*) from blogger_tracking.organization_members where organization_id = %(id)s)
        as organization_members,
    (select count(*) from blogger_tracking.subscriptions where organization_id = %(id)s) as subscriptions,
    (select count(*) from blogger_tracking.tracked_accounts where organization_id = %(id)s) as tracked_accounts,
    (select count(*) from blogger_tracking.organization_videos where organization_id = %(id)s) as organization_videos
"""

_FIND_BLOGGERS = """
select id, platform, username, external_id
from blogger_tracking.blogger_information
where platform = %(platform)s
  and (
      lower(username) = lower(ltrim(%(name)s, '@'))
      or external_id = %(name)s
      or id::text = lower(%(name)s)
  )
order by username, external_id
"""

_COUNT_BLOGGER = """
select
    (select count(*) from blogger_tracking.tracked_accounts where blogger_id = %(id)s) as tracked_accounts,
    (select count(*) from blogger_tracking.fetches where blogger_id = %(id)s) as fetches,
    (select count(*) from blogger_tracking.videos where blogger_id = %(id)s) as videos,
    (
        select count(*)
        from blogger_tracking.videos
        join blogger_tracking.video_statistics on video_statistics.video_id = videos.id
        where videos.blogger_id = %(id)s
    ) as video_statistics,
    (select count(*) from blogger_tracking.videos where blogger_id = %(id)s and thumbnail_path is not null)
        as thumbnails
"""

# Waits for planning, claims and settlements in progress, and holds up the next ones until this transaction ends.
_HOLD_UP_FETCHES = "lock table blogger_tracking.subscription_usage in exclusive mode"

_NOW = "select clock_timestamp()"

_WITHDRAW = {
    "imported_rows": """
delete from blogger_tracking.imported_rows
where (view_name = 'bloggers' and imported_id = %(id)s::text)
   or (
       view_name = 'tracked_accounts'
       and imported_id in (select id::text from blogger_tracking.tracked_accounts where blogger_id = %(id)s)
   )
""",
    "tracked_accounts": "delete from blogger_tracking.tracked_accounts where blogger_id = %(id)s",
    "blogger_tags": "delete from blogger_tracking.blogger_tags where blogger_id = %(id)s",
    "blogger_campaign": "delete from blogger_tracking.blogger_campaign where blogger_id = %(id)s",
    "idempotency_keys": """
delete from blogger_tracking.idempotency_keys where body #>> '{blogger,bloggerId}' = %(id)s::text
""",
    "look_ups": """
delete from blogger_tracking.look_ups
using blogger_tracking.blogger_information as blogger
where blogger.id = %(id)s
  and look_ups.platform = blogger.platform
  and (
      ltrim(look_ups.name, '@') = lower(blogger.username)
      or look_ups.name = blogger.external_id
      or look_ups.profile ->> 'external_id' = blogger.external_id
  )
""",
}

_REMOVE_VIDEO_BATCHES = """
delete from blogger_tracking.high_priority_queue
where fetch_id in (select id from blogger_tracking.fetches where blogger_id = %(id)s)
"""

# Videos of other bloggers, from joint posts in this blogger's list, whose thumbnails are still to be stored. The URL
# goes with its message; the next fetch that lists the video brings both again.
_FORGET_THUMBNAIL_URLS = """
with waiting as (
    select videos.id
    from blogger_tracking.videos
    where videos.blogger_id <> %(id)s
      and videos.thumbnail_path is null
      and videos.id in (
          select thumbnail_queue.video_id
          from blogger_tracking.thumbnail_queue
          join blogger_tracking.fetches on fetches.id = thumbnail_queue.fetch_id
          where fetches.blogger_id = %(id)s
      )
    order by videos.platform, videos.external_video_id
    for update
)
update blogger_tracking.videos
set thumbnail_url = null
from waiting
where videos.id = waiting.id
"""

_REMOVE_THUMBNAIL_MESSAGES = """
delete from blogger_tracking.thumbnail_queue
where fetch_id in (select id from blogger_tracking.fetches where blogger_id = %(id)s)
"""

_VIDEOS = """
select id, thumbnail_path
from blogger_tracking.videos
where blogger_id = %(id)s
order by platform, external_video_id
limit %(limit)s
"""

# In the order in which saving a fetch locks videos.
_LOCK_VIDEOS = """
select from blogger_tracking.videos where id = any(%(videos)s) order by platform, external_video_id for update
"""

_REMOVE_IMPORTED_VIDEOS = """
delete from blogger_tracking.imported_rows
where view_name = 'videos' and imported_id = any(%(videos)s::bigint[]::text[])
"""

_REMOVE_VIDEOS = """
delete from blogger_tracking.videos where id = any(%(videos)s) returning id, thumbnail_path
"""

_REMOVE_PROFILE = "delete from blogger_tracking.blogger_information where id = %(id)s"


def count_person(connection: Connection, user_id: UUID) -> dict[str, int]:
    """Return the number of rows that name a person, by table."""
    return _counts(connection, _COUNT_PERSON, user_id)


def remove_person(connection: Connection, user_id: UUID) -> dict[str, int]:
    """Remove a person from every table, and return the number of changed rows by table."""
    with bounded_transaction(connection):
        return _execute_all(connection, _PERSON, user_id)


def count_organization(connection: Connection, organization_id: UUID) -> dict[str, int]:
    """Return the number of rows of an organization, by table."""
    return _counts(connection, _COUNT_ORGANIZATION, organization_id)


def remove_organization(connection: Connection, organization_id: UUID) -> None:
    """Remove an organization with all that belongs to it."""
    with bounded_transaction(connection):
        _execute_all(connection, _ORGANIZATION, organization_id)


def find_bloggers(connection: Connection, platform: Platform, name: str) -> list[FoundBlogger]:
    """Return the bloggers of a platform with this username, external id or id."""
    return fetch_all(connection, FoundBlogger, _FIND_BLOGGERS, {"platform": platform, "name": name})


def count_blogger(connection: Connection, blogger_id: UUID) -> dict[str, int]:
    """Return the number of rows about a blogger, by table, and of stored thumbnails."""
    return _counts(connection, _COUNT_BLOGGER, blogger_id)


def withdraw_blogger(connection: Connection, blogger_id: UUID) -> None:
    """End the tracking of a blogger in all organizations, and release its fetch in progress.

    The attempt in progress saves nothing afterwards, and no later claim is granted a video.
    """
    with bounded_transaction(connection):
        connection.execute(_HOLD_UP_FETCHES)
        _execute_all(connection, _WITHDRAW, blogger_id)
        release_fetches_of_blogger(connection, blogger_id, fetch_value(connection, _NOW))


def remove_messages_of_blogger(connection: Connection, blogger_id: UUID) -> None:
    """Remove the queue messages of a blogger's fetches. The blogger was withdrawn, so that no new one is queued."""
    parameters = {"id": blogger_id}
    with bounded_transaction(connection):
        connection.execute(_REMOVE_VIDEO_BATCHES, parameters)
    with bounded_transaction(connection):
        connection.execute(_FORGET_THUMBNAIL_URLS, parameters)
        connection.execute(_REMOVE_THUMBNAIL_MESSAGES, parameters)


def read_videos_of_blogger(connection: Connection, blogger_id: UUID, limit: int) -> list[StoredVideo]:
    """Return up to `limit` videos of a blogger."""
    return fetch_all(connection, StoredVideo, _VIDEOS, {"id": blogger_id, "limit": limit})


def remove_videos(connection: Connection, video_ids: Sequence[int]) -> list[StoredVideo]:
    """Remove videos with their statistics, links and messages; return the videos as they were."""
    parameters = {"videos": list(video_ids)}
    with bounded_transaction(connection):
        connection.execute(_LOCK_VIDEOS, parameters)
        connection.execute(_REMOVE_IMPORTED_VIDEOS, parameters)
        return fetch_all(connection, StoredVideo, _REMOVE_VIDEOS, parameters)


def remove_profile(connection: Connection, blogger_id: UUID) -> None:
    """Remove the row of a blogger, the last one. Raises ForeignKeyViolation if the blogger was added again."""
    with bounded_transaction(connection):
        connection.execute(_REMOVE_PROFILE, {"id": blogger_id})


def _counts(connection: Connection, statement: str, row_id: UUID) -> dict[str, int]:
    row = connection.cursor(row_factory=dict_row).execute(statement.encode(), {"id": row_id}).fetchone()
    return {name: int(count) for name, count in (row or {}).items()}


def _execute_all(connection: Connection, statements: Mapping[str, str], row_id: UUID) -> dict[str, int]:
    return {
        table: connection.execute(statement.encode(), {"id": row_id}).rowcount
        for table, statement in statements.items()
    }
