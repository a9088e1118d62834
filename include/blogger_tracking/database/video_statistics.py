"""Statements on `video_statistics`, one row per video and fetch, and on `statistics_readers`, their readers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from psycopg import Connection

from blogger_tracking.database.connections import bounded_transaction
from blogger_tracking.database.rows import fetch_one
from blogger_tracking.domain.models import Platform, VideoStatistics
from blogger_tracking.domain.retention import OldStatistics

# If a fetch is repeated, a known number is kept where the new response has none.
_SAVE = """
insert into blogger_tracking.video_statistics (
    video_id, fetch_id, fetched_on, captured_at, views, likes, comments, reposts
)
select
    videos.id, fetches.id, fetches.fetched_on, now(), found.views, found.likes, found.comments, found.reposts
from unnest(
    %(fetches)s::bigint[], %(ids)s::text[],
    %(views)s::bigint[], %(likes)s::bigint[], %(comments)s::bigint[], %(reposts)s::bigint[]
) as found (fetch_id, external_video_id, views, likes, comments, reposts)
join blogger_tracking.videos on videos.platform = %(platform)s and videos.external_video_id = found.external_video_id
join blogger_tracking.fetches on fetches.id = found.fetch_id
on conflict (video_id, fetch_id, fetched_on) do update
set
    captured_at = excluded.captured_at,
    views = coalesce(excluded.views, video_statistics.views),
    likes = coalesce(excluded.likes, video_statistics.likes),
    comments = coalesce(excluded.comments, video_statistics.comments),
    reposts = coalesce(excluded.reposts, video_statistics.reposts)
"""

# The bounds of one month lead to one partition, in which a ctid names one row.
_REMOVE = """
with chunk as (
    select id
    from blogger_tracking.videos
    where id > %(after)s and platform = %(platform)s
    order by id
    limit %(videos)s
),
removed as (
    delete from blogger_tracking.video_statistics
    where fetched_on >= %(first_day)s
      and fetched_on < %(end)s
      and ctid = any(array(
          select old.ctid
          from blogger_tracking.video_statistics as old
          where old.fetched_on >= %(first_day)s
            and old.fetched_on < %(end)s
            and old.video_id in (select chunk.id from chunk)
          order by old.video_id
          limit %(limit)s
          for update skip locked
      ))
    returning 1
)
select (select count(*) from removed) as count, (select max(chunk.id) from chunk) as last_id
"""

_REMOVE_READERS = """
delete from blogger_tracking.statistics_readers
where ctid = any(array(
    select ctid
    from blogger_tracking.statistics_readers
    where platform = %(platform)s and fetched_on < %(cutoff)s
    order by fetched_on
    limit %(limit)s
    for update skip locked
))
"""


@dataclass(frozen=True, slots=True)
class RemovedStatistics:
    """Number of removed rows of one step, and the last video that the step looked at; None: no video was left."""

    count: int
    last_id: int | None


def save_statistics(
    connection: Connection, platform: Platform, captured: Sequence[tuple[int, VideoStatistics]]
) -> None:
    """Insert or update statistics of saved videos, captured at the time of the transaction.

    `captured` pairs the id of a fetch with the statistics to save for that fetch. Each pair of fetch and video may
    occur only once.
    """
    statistics = [each for _, each in captured]
    parameters = {
        "platform": platform,
        "fetches": [fetch_id for fetch_id, _ in captured],
        "ids": [each.external_video_id for each in statistics],
        "views": [each.views for each in statistics],
        "likes": [each.likes for each in statistics],
        "comments": [each.comments for each in statistics],
        "reposts": [each.reposts for each in statistics],
    }
    connection.execute(_SAVE, parameters)


def remove_statistics(
    connection: Connection, old: OldStatistics, after: int, *, videos: int, limit: int
) -> RemovedStatistics:
    """Remove up to `limit` rows of the next `videos` videos with ids above `after`.

    Uses one transaction, and passes over rows that another transaction has locked.
    """
    parameters = {
        "platform": old.platform,
        "first_day": old.first_day,
        "end": old.end,
        "after": after,
        "videos": videos,
        "limit": limit,
    }
    with bounded_transaction(connection):
        return fetch_one(connection, RemovedStatistics, _REMOVE, parameters)


def remove_readers(connection: Connection, platform: Platform, cutoff: date, limit: int) -> int:
    """Remove up to `limit` readers of a platform's statistics with a `fetched_on` before `cutoff`; return their number.

    Uses one transaction, and passes over rows that another transaction has locked.
    """
    with bounded_transaction(connection):
        parameters = {"platform": platform, "cutoff": cutoff, "limit": limit}
        return connection.execute(_REMOVE_READERS, parameters).rowcount
