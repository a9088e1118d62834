"""Totals of bloggers' statistics by day: the sums over their videos of the newest numbers up to each day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from psycopg import Connection

from blogger_tracking.database.rows import fetch_all


@dataclass(frozen=True, slots=True)
class DayTotals:
    """Totals at the end of a day with statistics. `likes` and `comments` are None if no video of the day has them."""

    day: date
    views: int
    likes: int | None
    comments: int | None


@dataclass(frozen=True, slots=True)
class _DayChanges:
    """Changes of a blogger's totals on one day, and what the totals had on the first day already (`…_before`)."""

    blogger_id: UUID
    day: date
    views: int
    likes: int
    comments: int
    views_before: int
    likes_before: int
    comments_before: int
    has_likes: bool
    has_comments: bool


# A fetch lists only some of a blogger's videos, so the totals are sums of changes: a video that a fetch does not list
# keeps its numbers. A video that was known before the first day had its first numbers from the beginning.
_CHANGES = """
with newest as (
    select blogger.id as blogger_id, video.id as video_id, video.first_seen_at < %(since)s as was_known
    from unnest(%(bloggers)s::uuid[]) as blogger (id)
    cross join lateral (
        select videos.id, videos.first_seen_at
        from blogger_tracking.videos
        where videos.blogger_id = blogger.id
        order by videos.published_at desc
        limit %(videos)s
    ) as video
),
numbers as (
    select
        newest.blogger_id,
        newest.video_id,
        newest.was_known,
        statistics.fetched_on,
        statistics.fetch_id,
        statistics.views,
        coalesce(statistics.likes, 0) as likes,
        coalesce(statistics.comments, 0) as comments,
        statistics.likes is not null as has_likes,
        statistics.comments is not null as has_comments
    from newest
    join blogger_tracking.video_statistics as statistics on statistics.video_id = newest.video_id
    where statistics.fetched_on >= %(since)s and statistics.views is not null
),
changes as (
    select
        numbers.*,
        lag(views) over previous as previous_views,
        lag(likes) over previous as previous_likes,
        lag(comments) over previous as previous_comments
    from numbers
    window previous as (partition by video_id order by fetched_on, fetch_id)
)
select
    blogger_id,
    fetched_on as day,
    coalesce(sum(views - coalesce(previous_views, 0)) filter (where not is_before), 0)::bigint as views,
    coalesce(sum(likes - coalesce(previous_likes, 0)) filter (where not is_before), 0)::bigint as likes,
    coalesce(sum(comments - coalesce(previous_comments, 0)) filter (where not is_before), 0)::bigint as comments,
    coalesce(sum(views) filter (where is_before), 0)::bigint as views_before,
    coalesce(sum(likes) filter (where is_before), 0)::bigint as likes_before,
    coalesce(sum(comments) filter (where is_before), 0)::bigint as comments_before,
    bool_or(has_likes) as has_likes,
    bool_or(has_comments) as has_comments
from changes
cross join lateral (select was_known and previous_views is null as is_before) as place
group by blogger_id, fetched_on
order by blogger_id, fetched_on
"""


def read_day_totals(
    connection: Connection, bloggers: Sequence[UUID], since: date, videos: int | None = None
) -> Mapping[UUID, list[DayTotals]]:
    """Return the totals of each blogger on every day with statistics from `since` on, the oldest day first.

    `videos` restricts the totals to as many of each blogger's newest videos. A blogger without statistics has none.
    """
    parameters = {"bloggers": list(bloggers), "since": since, "videos": videos}
    by_blogger: dict[UUID, list[_DayChanges]] = defaultdict(list)
    for changes in fetch_all(connection, _DayChanges, _CHANGES, parameters):
        by_blogger[changes.blogger_id].append(changes)
    return {blogger_id: _add_up(changes) for blogger_id, changes in by_blogger.items()}


def _add_up(days: Sequence[_DayChanges]) -> list[DayTotals]:
    views = sum(day.views_before for day in days)
    likes = sum(day.likes_before for day in days)
    comments = sum(day.comments_before for day in days)
    totals = []
    for day in days:
        views, likes, comments = views + day.views, likes + day.likes, comments + day.comments
        totals.append(
            DayTotals(day.day, views, likes if day.has_likes else None, comments if day.has_comments else None)
        )
    return totals
