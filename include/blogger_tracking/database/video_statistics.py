"""Statements on `video_statistics`: one row per video and fetch."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import Connection

from blogger_tracking.domain.models import Platform, VideoStatistics

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
