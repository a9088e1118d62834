"""Rows of a fetch, as a run of the past has left them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blogger_tracking.database.rows import fetch_all
from devtools.attack.target import Target, Tenant

_INSERT = """
with new_run as (
    insert into blogger_tracking.runs (
        deployment, dag_id, dag_run_id, planned_at, expires_at, ended_at, active_accounts
    )
    values ('attack', 'attack', gen_random_uuid()::text, now(), now(), now(), 0)
    returning id
),
new_fetch as (
    insert into blogger_tracking.fetches (
        run_id, blogger_id, platform, fetched_on, target_count, task_id, map_index, state
    )
    select new_run.id, %(blogger_id)s, 'TikTok', (now() at time zone 'utc')::date, 10, 'attack', -1, 'skipped'
    from new_run
    returning id
),
new_video as (
    insert into blogger_tracking.videos (platform, external_video_id, blogger_id, url, title, thumbnail_url)
    select 'TikTok', gen_random_uuid()::text, %(blogger_id)s, 'https://video.example', 'Attacked', thumbnail.url
    from unnest(%(thumbnail_urls)s::text[]) as thumbnail (url)
    returning id, thumbnail_url
)
select new_fetch.id as fetch_id, new_video.id as video_id, new_video.thumbnail_url
from new_fetch, new_video
order by new_video.id
"""


@dataclass(frozen=True, slots=True)
class FetchedVideo:
    """A video and the fetch that found it."""

    fetch_id: int
    video_id: int
    thumbnail_url: str


def insert_fetch(target: Target, tenant: Tenant, thumbnail_urls: Sequence[str]) -> list[FetchedVideo]:
    """Insert an ended fetch of the tenant's blogger, and a video for each of these thumbnails."""
    parameters = {"blogger_id": tenant.blogger_id, "thumbnail_urls": list(thumbnail_urls)}
    return fetch_all(target.connection, FetchedVideo, _INSERT, parameters)
