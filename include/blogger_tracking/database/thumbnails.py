"""What the thumbnail queue asks for, and where the pictures went."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from psycopg import Connection
from psycopg.rows import class_row

from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.queues import Backlog


@dataclass(frozen=True, slots=True)
class ThumbnailOwner:
    """The video that a picture belongs to."""

    id: int
    platform: str
    external_video_id: str
    thumbnail_path: str | None

    def key(self, extension: str) -> str:
        """Where its picture belongs in object storage: one key per video."""
        return f"{Platform(self.platform).slug}/{quote(self.external_video_id, safe='')}.{extension}"


# A fetch of a run that is over, or whose lease ran out, queues nothing more.
_DEMAND = """
select
    count(*) filter (where visible_at <= %(moment)s) as items,
    min(created_at) filter (where visible_at <= %(moment)s) as oldest,
    exists (
        select
        from fetches
        join runs on runs.id = fetches.run_id
        where (fetches.state = 'planned' and runs.ended_at is null and runs.expires_at > %(moment)s)
           or (fetches.state = 'running' and fetches.lease_expires_at > %(moment)s)
    ) as more_to_come
from thumbnail_queue
where done_at is null and parked_at is null
"""

_OWNERS = """
select id, platform, external_video_id, thumbnail_path from videos where id = any(%(ids)s)
"""

# In the order in which a fetch that saves the same videos locks them.
_LOCK_VIDEOS = """
select from videos where id = any(%(ids)s) order by platform, external_video_id for update
"""

_RECORD = """
update videos
set thumbnail_path = stored.path
from unnest(%(ids)s::bigint[], %(paths)s::text[]) as stored (video_id, path)
where videos.id = stored.video_id
"""


def read_thumbnail_backlog(connection: Connection, moment: datetime) -> Backlog:
    """How many pictures wait, and whether more are to come."""
    return connection.cursor(row_factory=class_row(Backlog)).execute(_DEMAND, {"moment": moment}).fetchall()[0]


def read_owners(connection: Connection, video_ids: Collection[int]) -> dict[int, ThumbnailOwner]:
    """The videos by id."""
    cursor = connection.cursor(row_factory=class_row(ThumbnailOwner))
    return {owner.id: owner for owner in cursor.execute(_OWNERS, {"ids": list(video_ids)})}


def record_paths(connection: Connection, paths: Mapping[int, str]) -> None:
    """Note where pictures are stored, by video."""
    parameters = {"ids": list(paths), "paths": list(paths.values())}
    connection.execute(_LOCK_VIDEOS, parameters)
    connection.execute(_RECORD, parameters)
