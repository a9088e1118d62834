"""Saving the videos of a fetch: one statement per table, whatever the number of videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from psycopg import Connection

from blogger_tracking.domain.claims import Claim
from blogger_tracking.domain.models import CommonVideo, Platform, VideoStatistics

VIDEOS_PER_MESSAGE = 50
"""How many ids one message of the high priority queue holds (contract of the queue)."""

# Sorted, so that two fetches that share videos lock them in the same order. A date that is known stays: the listing's
# is an approximation on YouTube. The address of a picture that is stored already is of no further use.
_VIDEOS = """
insert into videos (
    platform, external_video_id, blogger_id, url, title, thumbnail_url, published_at, first_seen_at
)
select %(platform)s, external_video_id, %(blogger_id)s, url, title, thumbnail_url, published_at, %(moment)s
from unnest(
    %(ids)s::text[], %(urls)s::text[], %(titles)s::text[], %(thumbnails)s::text[], %(dates)s::timestamptz[]
) as found (external_video_id, url, title, thumbnail_url, published_at)
order by external_video_id
on conflict (platform, external_video_id) do update
set
    url = excluded.url,
    title = excluded.title,
    thumbnail_url = coalesce(excluded.thumbnail_url, videos.thumbnail_url),
    published_at = coalesce(videos.published_at, excluded.published_at)
where videos.url <> excluded.url
   or videos.title <> excluded.title
   or (videos.published_at is null and excluded.published_at is not null)
   or (
       videos.thumbnail_path is null
       and excluded.thumbnail_url is not null
       and videos.thumbnail_url is distinct from excluded.thumbnail_url
   )
"""

_STATISTICS = """
insert into video_statistics (video_id, fetch_id, fetched_on, captured_at, views, likes, comments, reposts)
select
    videos.id, fetches.id, fetches.fetched_on, %(moment)s, found.views, found.likes, found.comments, found.reposts
from unnest(
    %(ids)s::text[], %(views)s::bigint[], %(likes)s::bigint[], %(comments)s::bigint[], %(reposts)s::bigint[]
) as found (external_video_id, views, likes, comments, reposts)
join videos on videos.platform = %(platform)s and videos.external_video_id = found.external_video_id
join fetches on fetches.id = %(fetch_id)s
on conflict (video_id, fetch_id, fetched_on) do update
set
    captured_at = excluded.captured_at,
    views = coalesce(excluded.views, video_statistics.views),
    likes = coalesce(excluded.likes, video_statistics.likes),
    comments = coalesce(excluded.comments, video_statistics.comments),
    reposts = coalesce(excluded.reposts, video_statistics.reposts)
"""

# Each organization gets the newest videos of its share; all starts of one fetch together link no more than is charged.
_LINKS = """
with shares as (
    select organization_id, videos, charged
    from unnest(%(organizations)s::uuid[], %(shares)s::integer[], %(charges)s::integer[])
        as shares (organization_id, videos, charged)
),
linked_before as (
    select organization_id, count(*) as links
    from organization_videos
    where fetch_id = %(fetch_id)s
    group by organization_id
),
wanted as (
    select
        shares.organization_id,
        videos.id as video_id,
        shares.charged - coalesce(linked_before.links, 0) as links_left,
        row_number() over (partition by shares.organization_id order by newest.rank) as link
    from shares
    join unnest(%(ids)s::text[]) with ordinality as newest (external_video_id, rank) on newest.rank <= shares.videos
    join videos on videos.platform = %(platform)s and videos.external_video_id = newest.external_video_id
    left join linked_before on linked_before.organization_id = shares.organization_id
    where not exists (
        select
        from organization_videos
        where organization_videos.organization_id = shares.organization_id
          and organization_videos.video_id = videos.id
    )
)
insert into organization_videos (organization_id, video_id, fetch_id, linked_at)
select organization_id, video_id, %(fetch_id)s, %(moment)s
from wanted
where link <= links_left
on conflict (organization_id, video_id) do nothing
"""

_QUEUE_STATISTICS = """
insert into high_priority_queue (fetch_id, videos)
select %(fetch_id)s, array_agg(external_video_id order by rank)
from unnest(%(ids)s::text[]) with ordinality as found (external_video_id, rank)
group by (rank - 1) / %(videos_per_message)s
"""

# An address that was parked once is not asked again; a new address of the same picture is.
_QUEUE_THUMBNAILS = """
insert into thumbnail_queue (fetch_id, video_id, thumbnail_url)
select %(fetch_id)s, videos.id, videos.thumbnail_url
from videos
where videos.platform = %(platform)s
  and videos.external_video_id = any(%(ids)s)
  and videos.thumbnail_url is not null
  and videos.thumbnail_path is null
  and not exists (
      select
      from thumbnail_queue
      where thumbnail_queue.video_id = videos.id
        and thumbnail_queue.thumbnail_url = videos.thumbnail_url
        and thumbnail_queue.parked_at is not null
  )
order by videos.id
on conflict (video_id) where done_at is null and parked_at is null do update
set thumbnail_url = excluded.thumbnail_url
"""


def save_videos(
    connection: Connection,
    claim: Claim,
    videos: Sequence[CommonVideo],
    moment: datetime,
    charges: Mapping[UUID, int],
) -> None:
    """Write videos, their statistics, the organizations' links and the messages for what is still to be done.

    `videos` are newest first and unique by id. Part of the settling transaction.
    """
    common = {
        "fetch_id": claim.fetch_id,
        "blogger_id": claim.blogger_id,
        "platform": claim.account.platform,
        "moment": moment,
        "ids": [video.external_video_id for video in videos],
    }
    connection.execute(
        _VIDEOS,
        common
        | {
            "urls": [video.video_url for video in videos],
            "titles": [video.title for video in videos],
            "thumbnails": [video.thumbnail_url for video in videos],
            "dates": [video.published_at for video in videos],
        },
    )
    _save_statistics(connection, common, [video.statistics for video in videos if video.statistics])
    connection.execute(
        _LINKS,
        common
        | {
            "organizations": [share.organization_id for share in claim.allocations],
            "shares": [share.videos for share in claim.allocations],
            "charges": [charges[share.organization_id] for share in claim.allocations],
        },
    )
    if claim.account.platform is Platform.YOUTUBE:
        connection.execute(_QUEUE_STATISTICS, common | {"videos_per_message": VIDEOS_PER_MESSAGE})
    connection.execute(_QUEUE_THUMBNAILS, common)


def _save_statistics(
    connection: Connection, common: Mapping[str, object], statistics: Sequence[VideoStatistics]
) -> None:
    if not statistics:
        return
    connection.execute(
        _STATISTICS,
        {
            **common,
            "ids": [each.external_video_id for each in statistics],
            "views": [each.views for each in statistics],
            "likes": [each.likes for each in statistics],
            "comments": [each.comments for each in statistics],
            "reposts": [each.reposts for each in statistics],
        },
    )
