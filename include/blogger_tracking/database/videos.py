"""Statements on `videos` and on the organizations' links to videos; no statement runs once per video."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from psycopg import Connection, Cursor
from psycopg.rows import scalar_row

from blogger_tracking.database.message_queues import enqueue_thumbnails, enqueue_video_batches
from blogger_tracking.database.rows import fetch_all
from blogger_tracking.database.video_statistics import save_statistics
from blogger_tracking.domain.claims import Claim
from blogger_tracking.domain.models import CommonVideo, Platform, YouTubeVideo


@dataclass(frozen=True, slots=True)
class RemovalRule:
    """Rule that a video missing from `lookups` lookups in a row is removed; lookups within `apart` count as one."""

    lookups: int
    apart: timedelta


# No digest of another id has this form, because a digest with its prefix is longer.
_USUAL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class VideoThumbnail:
    """A video's stored thumbnail; `thumbnail_path` is None unless the thumbnail is in object storage."""

    id: int
    platform: str
    external_video_id: str
    thumbnail_path: str | None

    def storage_key(self, extension: str) -> str:
        """Return the thumbnail's key in object storage: one key per video and file extension.

        Storages and file systems limit the length and the characters of a name, so that the key of an unusual id has a
        digest of the id.
        """
        name = self.external_video_id
        if not _USUAL_ID.fullmatch(name):
            name = f"sha256-{sha256(name.encode()).hexdigest()}"
        return f"{Platform(self.platform).slug}/{name}.{extension}"


# Sorted by id: every transaction locks videos in this order, which prevents deadlocks. A known publication date is
# kept, because YouTube's listing has only an approximation. Once the thumbnail is stored, a new URL alone causes no
# update.
_SAVE = """
insert into blogger_tracking.videos (
    platform, external_video_id, blogger_id, url, title, thumbnail_url, published_at, first_seen_at
)
select %(platform)s, external_video_id, %(blogger_id)s, url, title, thumbnail_url, published_at, now()
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

# An organization that is being deleted is waited for, and gets no links if the deletion is committed. Each organization
# gets the newest videos up to its allocation. All attempts of a fetch together link no more videos
# than the allocation is charged for.
_LINK = """
with remaining as (
    select id
    from blogger_tracking.organizations
    where id = any(%(organizations)s)
    order by id
    for key share
),
allocations as (
    select organization_id, videos, charged
    from unnest(%(organizations)s::uuid[], %(allocated)s::integer[], %(charges)s::integer[])
        as allocations (organization_id, videos, charged)
    join remaining on remaining.id = allocations.organization_id
),
linked_before as (
    select organization_id, count(*) as links
    from blogger_tracking.organization_videos
    where fetch_id = %(fetch_id)s
    group by organization_id
),
candidates as (
    select
        allocations.organization_id,
        videos.id as video_id,
        allocations.charged - coalesce(linked_before.links, 0) as links_left,
        row_number() over (partition by allocations.organization_id order by newest.rank) as link
    from allocations
    join unnest(%(ids)s::text[]) with ordinality as newest (external_video_id, rank)
        on newest.rank <= allocations.videos
    join blogger_tracking.videos
        on videos.platform = %(platform)s and videos.external_video_id = newest.external_video_id
    left join linked_before on linked_before.organization_id = allocations.organization_id
    where not exists (
        select
        from blogger_tracking.organization_videos
        where organization_videos.organization_id = allocations.organization_id
          and organization_videos.video_id = videos.id
    )
)
insert into blogger_tracking.organization_videos (organization_id, video_id, fetch_id, linked_at)
select organization_id, video_id, %(fetch_id)s, now()
from candidates
where link <= links_left
on conflict (organization_id, video_id) do nothing
"""

_LOCK = """
select
from blogger_tracking.videos
where platform = %(platform)s and external_video_id = any(%(ids)s)
order by external_video_id
for update
"""

# The newest response replaces the date, because the date of an announced or live broadcast may change.
_RECORD_SEEN = """
update blogger_tracking.videos
set
    published_at = coalesce(seen.published_at, videos.published_at),
    duration_seconds = coalesce(seen.duration_seconds, videos.duration_seconds),
    unseen_lookups = 0,
    unseen_at = null,
    removed_at = null
from unnest(%(ids)s::text[], %(dates)s::timestamptz[], %(durations)s::integer[])
    as seen (external_video_id, published_at, duration_seconds)
where videos.platform = 'YouTube'
  and videos.external_video_id = seen.external_video_id
  and (
      videos.unseen_at is not null
      or videos.published_at is distinct from coalesce(seen.published_at, videos.published_at)
      or videos.duration_seconds is distinct from coalesce(seen.duration_seconds, videos.duration_seconds)
  )
"""

_RECORD_MISSING = """
update blogger_tracking.videos
set
    unseen_lookups = unseen_lookups + 1,
    unseen_at = %(moment)s,
    removed_at = case when unseen_lookups + 1 >= %(lookups)s then coalesce(removed_at, %(moment)s) end
where platform = 'YouTube'
  and external_video_id = any(%(ids)s)
  and (unseen_at is null or unseen_at <= %(moment)s - %(apart)s)
"""

_THUMBNAILS = """
select id, platform, external_video_id, thumbnail_path from blogger_tracking.videos where id = any(%(ids)s)
"""

_LOCK_BY_ID = """
select from blogger_tracking.videos where id = any(%(ids)s) order by platform, external_video_id for update
"""

_SAVE_THUMBNAIL_PATHS = """
update blogger_tracking.videos
set thumbnail_path = stored.path
from unnest(%(ids)s::bigint[], %(paths)s::text[]) as stored (video_id, path)
where videos.id = stored.video_id
returning videos.id
"""


def save_videos(
    connection: Connection,
    claim: Claim,
    videos: Sequence[CommonVideo],
) -> None:
    """Save videos, their statistics and the organizations' links, and enqueue the messages that follow up.

    `videos` are newest first and unique by id. Part of the transaction that settles the fetch; the time is that of the
    transaction.
    """
    platform = claim.account.platform
    video_ids = [video.external_video_id for video in videos]
    parameters = {
        "fetch_id": claim.fetch_id,
        "blogger_id": claim.blogger_id,
        "platform": platform,
        "ids": video_ids,
        "urls": [video.video_url for video in videos],
        "titles": [video.title for video in videos],
        "thumbnails": [video.thumbnail_url for video in videos],
        "dates": [video.published_at for video in videos],
        "organizations": [allocation.organization_id for allocation in claim.allocations],
        "allocated": [allocation.videos for allocation in claim.allocations],
        "charges": [allocation.charge_for(len(videos)) for allocation in claim.allocations],
    }
    connection.execute(_SAVE, parameters)
    captured = [(claim.fetch_id, video.statistics) for video in videos if video.statistics]
    if captured:
        save_statistics(connection, platform, captured)
    connection.execute(_LINK, parameters)
    if platform is Platform.YOUTUBE:
        enqueue_video_batches(connection, claim.fetch_id, video_ids)
    enqueue_thumbnails(connection, claim.fetch_id, platform, video_ids)


def lock_videos(connection: Connection, platform: Platform, video_ids: Sequence[str]) -> None:
    """Lock saved videos until the end of the transaction, in the order in which `save_videos` locks videos."""
    connection.execute(_LOCK, {"platform": platform, "ids": list(video_ids)})


def record_seen_videos(connection: Connection, videos: Sequence[YouTubeVideo]) -> None:
    """Update publication date and length of YouTube videos that a lookup returned; such videos are not removed."""
    parameters = {
        "ids": [video.external_video_id for video in videos],
        "dates": [video.published_at for video in videos],
        "durations": [video.duration_seconds for video in videos],
    }
    connection.execute(_RECORD_SEEN, parameters)


def record_missing_videos(
    connection: Connection, video_ids: Sequence[str], moment: datetime, rule: RemovalRule
) -> None:
    """Count one more lookup that did not return these YouTube videos, and mark videos as removed by the rule."""
    parameters = {"ids": list(video_ids), "moment": moment, "lookups": rule.lookups, "apart": rule.apart}
    connection.execute(_RECORD_MISSING, parameters)


def read_video_thumbnails(connection: Connection, video_ids: Collection[int]) -> dict[int, VideoThumbnail]:
    """Return the videos' thumbnails by video id (`videos.id`)."""
    thumbnails = fetch_all(connection, VideoThumbnail, _THUMBNAILS, {"ids": list(video_ids)})
    return {thumbnail.id: thumbnail for thumbnail in thumbnails}


def save_thumbnail_paths(connection: Connection, paths: Mapping[int, str]) -> Cursor[int]:
    """Save the storage paths of thumbnails by video id (`videos.id`); return the ids of the videos that still exist.

    Part of a transaction of the caller.
    """
    parameters = {"ids": list(paths), "paths": list(paths.values())}
    # Locks videos in the same order as `save_videos`, which prevents deadlocks.
    connection.execute(_LOCK_BY_ID, parameters)
    return connection.cursor(row_factory=scalar_row).execute(_SAVE_THUMBNAIL_PATHS, parameters)
