"""A small tracker of the kind that is replaced: its tables, and the views that a person fitted to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

from psycopg import Connection

VIEWS = """
create schema old;
create table old.creators (id uuid primary key, network text, handle text, external_id text);
create table old.follows (
    id uuid primary key, org_id uuid, creator_id uuid, is_active boolean, last_scraped_at timestamptz
);
create table old.clips (
    id text primary key, network text, external_id text, creator_id uuid, org_id uuid, link text, published text
);
create table old.counts (
    clip_id text, taken_at timestamptz, views bigint, likes bigint, comments bigint, reposts bigint
);
create view blogger_tracking.legacy_bloggers as
select
    id, network as platform, handle as username, external_id, null::text as sec_id, null::text as channel_name,
    null::text as subscribers, null::text as thumbnail_url, null::timestamptz as created_at
from old.creators;
create view blogger_tracking.legacy_tracked_accounts as
select
    id, org_id as organization_id, null::uuid as user_id, creator_id as blogger_id, is_active,
    null::integer as daily_videos_count, last_scraped_at, false as pending_initial_fetch,
    true as initial_videos_fetched
from old.follows;
create view blogger_tracking.legacy_videos as
select
    id, network as platform, external_id as external_video_id, creator_id as blogger_id, org_id as organization_id,
    link as url, null::text as title, null::text as thumbnail_url, published as published_at
from old.clips;
create view blogger_tracking.legacy_statistics as
select clip_id as video_id, taken_at as captured_at, views, likes, comments, reposts from old.counts;
grant select on
    blogger_tracking.legacy_bloggers, blogger_tracking.legacy_tracked_accounts, blogger_tracking.legacy_videos,
    blogger_tracking.legacy_statistics
to blogger_pipeline;
"""


class OldSystem:
    """Creates the tables and views, and inserts one thing per method."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        connection.execute(VIEWS.encode())

    def blogger(
        self,
        blogger_id: UUID | None = None,
        *,
        platform: str = "TikTok",
        external_id: str | None = None,
        is_active: bool = True,
        last_scraped_at: datetime | None = None,
    ) -> UUID:
        """Insert a blogger with a tracked account; return the id of the blogger."""
        blogger_id = blogger_id or uuid4()
        self._connection.execute(
            "insert into old.creators values (%s, %s, %s, %s)",
            (blogger_id, platform, f"old_{str(blogger_id)[:8]}", external_id),
        )
        self._connection.execute(
            "insert into old.follows values (%s, %s, %s, %s, %s)",
            (uuid4(), uuid4(), blogger_id, is_active, last_scraped_at),
        )
        return blogger_id

    def video(
        self,
        blogger_id: UUID | None,
        external_id: str,
        captures: Sequence[tuple[datetime, int | None]] = (),
        *,
        platform: str = "TikTok",
        url: str | None = None,
        published: str | None = None,
    ) -> str:
        """Insert a video with the views captured at some times; return the id of the video."""
        video_id = str(uuid4())
        self._connection.execute(
            "insert into old.clips values (%s, %s, %s, %s, %s, %s, %s)",
            (video_id, platform, external_id, blogger_id, uuid4(), url, published),
        )
        with self._connection.cursor() as cursor:
            cursor.executemany(
                "insert into old.counts (clip_id, taken_at, views) values (%s, %s, %s)",
                [(video_id, taken_at, views) for taken_at, views in captures],
            )
        return video_id
