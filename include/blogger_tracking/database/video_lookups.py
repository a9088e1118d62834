"""What a lookup of videos changes: their statistics, what is true of them now, and the messages that asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row, scalar_row

from blogger_tracking.domain.models import YouTubeVideo
from blogger_tracking.domain.queues import Backlog, WantedVideo


@dataclass(frozen=True, slots=True)
class UnseenRule:
    """When a video that is left out counts as removed: after `lookups` in a row, no two closer than `apart`."""

    lookups: int
    apart: timedelta


# A fetch of a run that is over, or whose lease ran out, queues nothing more.
_DEMAND = """
select
    coalesce(sum(cardinality(videos) - cardinality(acknowledged)) filter (where visible_at <= %(moment)s), 0)::integer
        as items,
    min(created_at) filter (where visible_at <= %(moment)s) as oldest,
    coalesce(bool_or(visible_at > %(moment)s and receipt is not null), false)
    or exists (
        select
        from fetches
        join runs on runs.id = fetches.run_id
        where fetches.platform = 'YouTube'
          and (
              (fetches.state = 'planned' and runs.ended_at is null and runs.expires_at > %(moment)s)
              or (fetches.state = 'running' and fetches.lease_expires_at > %(moment)s)
          )
    ) as more_to_come
from high_priority_queue
where done_at is null and parked_at is null
"""

_SUSPENDED = """
select exists (select from platform_suspensions where platform = 'YouTube' and suspended_until > %(moment)s)
"""

_HOLD = """
select id
from high_priority_queue
where id = any(%(messages)s) and receipt = %(receipt)s and done_at is null and parked_at is null
order by id
for update
"""

# In the order in which a fetch that saves the same videos locks them.
_LOCK_VIDEOS = """
select
from videos
where platform = 'YouTube' and external_video_id = any(%(ids)s)
order by external_video_id
for update
"""

# The date of a broadcast that is announced or on air moves, so the newest answer stands.
_SEEN = """
update videos
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

_UNSEEN = """
update videos
set
    unseen_lookups = unseen_lookups + 1,
    unseen_at = %(moment)s,
    removed_at = case when unseen_lookups + 1 >= %(lookups)s then coalesce(removed_at, %(moment)s) end
where platform = 'YouTube'
  and external_video_id = any(%(ids)s)
  and (unseen_at is null or unseen_at <= %(moment)s - %(apart)s)
"""

_STATISTICS = """
insert into video_statistics (video_id, fetch_id, fetched_on, captured_at, views, likes, comments, reposts)
select distinct
    videos.id, fetches.id, fetches.fetched_on, %(moment)s::timestamptz,
    seen.views, seen.likes, seen.comments, seen.reposts
from unnest(%(fetches)s::bigint[], %(wanted)s::text[]) as wanted (fetch_id, external_video_id)
join unnest(
    %(ids)s::text[], %(views)s::bigint[], %(likes)s::bigint[], %(comments)s::bigint[], %(reposts)s::bigint[]
) as seen (external_video_id, views, likes, comments, reposts) using (external_video_id)
join videos on videos.platform = 'YouTube' and videos.external_video_id = wanted.external_video_id
join fetches on fetches.id = wanted.fetch_id
on conflict (video_id, fetch_id, fetched_on) do update
set
    captured_at = excluded.captured_at,
    views = coalesce(excluded.views, video_statistics.views),
    likes = coalesce(excluded.likes, video_statistics.likes),
    comments = coalesce(excluded.comments, video_statistics.comments),
    reposts = coalesce(excluded.reposts, video_statistics.reposts)
"""

_ACKNOWLEDGE = """
update high_priority_queue as message
set
    acknowledged = message.acknowledged || answered.videos,
    done_at = case when message.videos <@ (message.acknowledged || answered.videos) then %(moment)s end
from (
    select message_id, array_agg(distinct external_video_id) as videos
    from unnest(%(messages)s::bigint[], %(wanted)s::text[]) as wanted (message_id, external_video_id)
    group by message_id
) as answered
where message.id = answered.message_id
"""


def read_statistics_backlog(connection: Connection, moment: datetime) -> Backlog:
    """How many videos wait for their statistics, and whether more are to come."""
    return connection.cursor(row_factory=class_row(Backlog)).execute(_DEMAND, {"moment": moment}).fetchall()[0]


def is_suspended(connection: Connection, moment: datetime) -> bool:
    """Whether YouTube is to be left alone."""
    return bool(connection.cursor(row_factory=scalar_row).execute(_SUSPENDED, {"moment": moment}).fetchall()[0])


def save_lookup(
    connection: Connection,
    receipt: UUID,
    wanted: Sequence[WantedVideo],
    found: Mapping[str, YouTubeVideo],
    moment: datetime,
    rule: UnseenRule,
) -> int:
    """Save what YouTube answered for the videos that were asked, and acknowledge them one by one.

    Returns how many of them were still this consumer's to save: nothing is saved for messages that somebody else has
    taken meanwhile. One transaction, whatever the number of videos.
    """
    with connection.transaction():
        held = _hold(connection, receipt, wanted)
        mine = [each for each in wanted if each.message_id in held]
        if mine:
            with connection.pipeline():
                _save(connection, mine, found, moment, rule)
    return len(mine)


def _hold(connection: Connection, receipt: UUID, wanted: Sequence[WantedVideo]) -> set[int]:
    messages = sorted({each.message_id for each in wanted})
    cursor = connection.cursor(row_factory=scalar_row)
    return set(cursor.execute(_HOLD, {"messages": messages, "receipt": receipt}).fetchall())


def _save(
    connection: Connection,
    wanted: Sequence[WantedVideo],
    found: Mapping[str, YouTubeVideo],
    moment: datetime,
    rule: UnseenRule,
) -> None:
    asked = sorted({each.external_video_id for each in wanted})
    seen = [found[video_id] for video_id in asked if video_id in found]
    unseen = [video_id for video_id in asked if video_id not in found]
    pairs = {
        "moment": moment,
        "messages": [each.message_id for each in wanted],
        "fetches": [each.fetch_id for each in wanted],
        "wanted": [each.external_video_id for each in wanted],
    }
    connection.execute(_LOCK_VIDEOS, {"ids": asked})
    if seen:
        connection.execute(_SEEN, _truths(seen))
        connection.execute(_STATISTICS, pairs | _counters(seen))
    if unseen:
        connection.execute(_UNSEEN, {"ids": unseen, "moment": moment, "lookups": rule.lookups, "apart": rule.apart})
    connection.execute(_ACKNOWLEDGE, pairs)


def _truths(seen: Sequence[YouTubeVideo]) -> dict[str, list[Any]]:
    return {
        "ids": [video.external_video_id for video in seen],
        "dates": [video.published_at for video in seen],
        "durations": [video.duration_seconds for video in seen],
    }


def _counters(seen: Sequence[YouTubeVideo]) -> dict[str, list[Any]]:
    statistics = [video.statistics for video in seen]
    return {
        "ids": [video.external_video_id for video in seen],
        "views": [each.views if each else None for each in statistics],
        "likes": [each.likes if each else None for each in statistics],
        "comments": [each.comments if each else None for each in statistics],
        "reposts": [each.reposts if each else None for each in statistics],
    }
