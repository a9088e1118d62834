"""The history of one blogger for the Bloggers page: account, tracked accounts, videos and fetches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from blogger_tracking.database.blogger_lists import PAGE_SIZE
from blogger_tracking.database.rows import fetch_all, fetch_value, fetch_values


@dataclass(frozen=True, slots=True)
class AccountChange:
    """A change of the account's state, or a rename with both names. `since` is the time of the first sighting."""

    state: str
    since: datetime
    reason: str | None
    old_username: str | None
    new_username: str | None


@dataclass(frozen=True, slots=True)
class TrackedBy:
    """A tracked account of a blogger. `daily_videos_count` is the account's, or else the organization's."""

    tracking_id: UUID
    organization: dict[str, Any]
    is_active: bool
    daily_videos_count: int
    is_pending: bool
    initial_reason: str | None


@dataclass(frozen=True, slots=True)
class ListedVideo:
    """A video with its newest statistics, all None without any."""

    id: int
    title: str
    url: str
    published_at: datetime | None
    has_thumbnail: bool
    removed_at: datetime | None
    views: int | None
    likes: int | None
    comments: int | None
    reposts: int | None
    captured_at: datetime | None


@dataclass(frozen=True, slots=True)
class Capture:
    """Statistics of a video at one time."""

    captured_at: datetime
    views: int | None
    likes: int | None
    comments: int | None
    reposts: int | None


@dataclass(frozen=True, slots=True)
class ListedFetch:
    """A fetch with its task instance, its outcome, its attempts and the parts of the organizations.

    `is_here`: the task instance is one of this Airflow; several may share the database. The numbers of videos and
    `finished_at` are those of the conclusive attempt, or else of the newest one; `requests` counts the requests of all
    attempts by purpose.
    """

    fetch_id: int
    dag_id: str
    dag_run_id: str
    task_id: str
    map_index: int
    is_here: bool
    planned_at: datetime
    finished_at: datetime | None
    state: str
    reason: str | None
    target: int
    videos_returned: int | None
    videos_new: int | None
    requests: dict[str, int]
    attempts: int
    allocations: list[dict[str, Any]]


_CHANGES = """
select state, since, reason, old_username, new_username
from blogger_tracking.account_state_changes
where blogger_id = %(blogger_id)s
order by id desc
"""

_FOLLOWER_COUNTS = """
select blogger_id, counted_on, followers
from blogger_tracking.follower_counts
where blogger_id = any(%(bloggers)s) and counted_on >= coalesce(%(since)s, '-infinity'::date)
order by blogger_id, counted_on
"""

_TRACKED = """
select
    tracked_accounts.id as tracking_id,
    jsonb_build_object('id', organizations.id, 'name', organizations.name) as organization,
    tracked_accounts.is_active,
    coalesce(tracked_accounts.daily_videos_count, organizations.daily_videos_count) as daily_videos_count,
    tracked_accounts.pending_initial_fetch as is_pending,
    tracked_accounts.initial_fetch_reason as initial_reason
from blogger_tracking.tracked_accounts
join blogger_tracking.organizations on organizations.id = tracked_accounts.organization_id
where tracked_accounts.blogger_id = %(blogger_id)s
order by organizations.name, tracked_accounts.id
"""

_COUNT_VIDEOS = "select count(*) from blogger_tracking.videos where blogger_id = %(blogger_id)s"

# The newest statistics need not have the largest fetch_id: an import inserts fetches of the past. The order of the
# videos is that of the index videos_by_blogger, and the order of the statistics begins as the primary key does.
_VIDEOS = """
select
    page.id,
    page.title,
    page.url,
    page.published_at,
    page.thumbnail_path is not null as has_thumbnail,
    page.removed_at,
    newest.views,
    newest.likes,
    newest.comments,
    newest.reposts,
    newest.captured_at
from (
    select id, title, url, published_at, thumbnail_path, removed_at
    from blogger_tracking.videos
    where blogger_id = %(blogger_id)s
    order by published_at desc nulls last, id
    limit %(limit)s
    offset %(offset)s
) as page
left join lateral (
    select views, likes, comments, reposts, captured_at
    from blogger_tracking.video_statistics
    where video_statistics.video_id = page.id
    order by fetched_on desc, captured_at desc, fetch_id desc
    limit 1
) as newest on true
order by page.published_at desc nulls last, page.id
"""

_CAPTURES = """
select captured_at, views, likes, comments, reposts
from blogger_tracking.video_statistics
where video_id = %(video_id)s
order by captured_at, fetch_id
"""

_THUMBNAIL_PATH = """
select thumbnail_path
from blogger_tracking.videos
where id = %(video_id)s and thumbnail_path is not null
"""

# Runs of the deployment `imported` stand for the earlier system, which fetched with no task instance.
_COUNT_FETCHES = """
select count(*)
from blogger_tracking.fetches
join blogger_tracking.runs on runs.id = fetches.run_id
where fetches.blogger_id = %(blogger_id)s and runs.deployment <> 'imported'
"""

_FETCHES = """
select
    fetches.id as fetch_id,
    runs.dag_id,
    runs.dag_run_id,
    fetches.task_id,
    fetches.map_index,
    runs.deployment = %(deployment)s as is_here,
    runs.planned_at,
    telling.finished_at,
    fetches.state,
    fetches.reason,
    fetches.target_count as target,
    telling.videos_returned,
    telling.videos_new,
    requests.by_use as requests,
    (select count(*) from blogger_tracking.fetch_attempts where fetch_attempts.fetch_id = fetches.id) as attempts,
    allocations.details as allocations
from blogger_tracking.fetches
join blogger_tracking.runs on runs.id = fetches.run_id
left join blogger_tracking.fetch_attempts as telling
    on telling.id = coalesce(fetches.conclusive_attempt_id, fetches.current_attempt_id)
cross join lateral (
    select coalesce(jsonb_object_agg(counted.use, counted.requests), '{}') as by_use
    from (
        select request.use, sum(request.requests::integer) as requests
        from blogger_tracking.fetch_attempts
        cross join jsonb_each_text(fetch_attempts.requests) as request (use, requests)
        where fetch_attempts.fetch_id = fetches.id
        group by request.use
    ) as counted
) as requests
cross join lateral (
    select
        coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'organization', jsonb_build_object('id', organizations.id, 'name', organizations.name),
                    'asked', fetch_allocations.asked,
                    'granted', fetch_allocations.granted,
                    'charged', fetch_allocations.charged,
                    'decision', fetch_allocations.decision,
                    'reason', fetch_allocations.reason
                )
                order by organizations.name, organizations.id
            ),
            '[]'
        ) as details
    from blogger_tracking.fetch_allocations
    join blogger_tracking.organizations on organizations.id = fetch_allocations.organization_id
    where fetch_allocations.fetch_id = fetches.id
) as allocations
where fetches.blogger_id = %(blogger_id)s and runs.deployment <> 'imported'
order by fetches.id desc
limit %(limit)s
offset %(offset)s
"""


def read_account_changes(connection: Connection, blogger_id: UUID) -> list[AccountChange]:
    """Return the changes of a blogger's account, the newest first."""
    return fetch_all(connection, AccountChange, _CHANGES, {"blogger_id": blogger_id})


def read_follower_counts(
    connection: Connection, bloggers: Sequence[UUID], since: date | None = None
) -> Mapping[UUID, list[tuple[date, int]]]:
    """Return the days on which each blogger's profile was saved, each with the number of followers, the oldest first.

    Days before `since` are left out. A blogger without a day has an empty list.
    """
    counts: dict[UUID, list[tuple[date, int]]] = {blogger_id: [] for blogger_id in bloggers}
    for blogger_id, day, followers in connection.execute(
        _FOLLOWER_COUNTS, {"bloggers": list(bloggers), "since": since}
    ):
        counts[blogger_id].append((day, followers))
    return counts


def read_tracked_by(connection: Connection, blogger_id: UUID) -> list[TrackedBy]:
    """Return the tracked accounts of a blogger."""
    return fetch_all(connection, TrackedBy, _TRACKED, {"blogger_id": blogger_id})


def list_videos(connection: Connection, blogger_id: UUID, page: int) -> tuple[int, list[ListedVideo]]:
    """Return the number of a blogger's videos, and those of one page, the newest first. The first page is 1."""
    parameters = _page_parameters(blogger_id, page)
    return int(fetch_value(connection, _COUNT_VIDEOS, parameters)), fetch_all(
        connection, ListedVideo, _VIDEOS, parameters
    )


def read_captures(connection: Connection, video_id: int) -> list[Capture]:
    """Return the statistics of a video over time, the oldest first."""
    return fetch_all(connection, Capture, _CAPTURES, {"video_id": video_id})


def read_thumbnail_path(connection: Connection, video_id: int) -> str | None:
    """Return the path of a video's stored thumbnail, or None without one."""
    paths: list[str] = fetch_values(connection, _THUMBNAIL_PATH, {"video_id": video_id})
    return paths[0] if paths else None


def list_fetches(connection: Connection, deployment: str, blogger_id: UUID, page: int) -> tuple[int, list[ListedFetch]]:
    """Return the number of a blogger's fetches, and those of one page, the newest first. The first page is 1."""
    parameters = {"deployment": deployment, **_page_parameters(blogger_id, page)}
    return int(fetch_value(connection, _COUNT_FETCHES, parameters)), fetch_all(
        connection, ListedFetch, _FETCHES, parameters
    )


def _page_parameters(blogger_id: UUID, page: int) -> dict[str, UUID | int]:
    return {"blogger_id": blogger_id, "limit": PAGE_SIZE, "offset": (page - 1) * PAGE_SIZE}
