"""Measurement of saving a fetch at several round-trip times to Postgres, and of the same rows written one by one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median
from uuid import uuid4

from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.database.connections import connect, open_pool
from blogger_tracking.database.fetch_claims import claim_fetch
from blogger_tracking.database.fetch_settlement import FetchOutcome, settle_fetch
from blogger_tracking.database.rows import fetch_value, fetch_values
from blogger_tracking.database.run_plans import RunScope
from blogger_tracking.database.runs import RunKey
from blogger_tracking.domain.claims import Claim
from blogger_tracking.domain.ledger import FetchState
from blogger_tracking.domain.models import CommonVideo, Platform, VideoStatistics
from blogger_tracking.usecases.finish_run import finish_run
from blogger_tracking.usecases.plan_run import plan_run
from devtools.bench.bench_fleets import Fleets
from devtools.bench.wire_proxy import WireProxy, proxied
from devtools.local_stack.config import StackError
from devtools.local_stack.stack import Stack

_LEASE = timedelta(minutes=15)

_FETCH_IDS = "select id from blogger_tracking.fetches where run_id = %s order by id"

_VIDEO = """
insert into blogger_tracking.videos (
    platform, external_video_id, blogger_id, url, title, thumbnail_url, published_at, first_seen_at
)
values (%(platform)s, %(external_id)s, %(blogger_id)s, %(url)s, %(title)s, %(thumbnail)s, %(published)s, now())
on conflict (platform, external_video_id) do update set url = excluded.url
returning id
"""

_LINK = """
insert into blogger_tracking.organization_videos (organization_id, video_id, fetch_id, linked_at)
values (%(organization)s, %(video_id)s, %(fetch_id)s, now())
on conflict do nothing
"""

_STATISTICS = """
insert into blogger_tracking.video_statistics (
    video_id, fetch_id, fetched_on, captured_at, views, likes, comments, reposts
)
values (%(video_id)s, %(fetch_id)s, current_date, now(), %(views)s, %(likes)s, %(comments)s, %(reposts)s)
on conflict do nothing
"""

_MESSAGE = """
insert into blogger_tracking.thumbnail_queue (fetch_id, video_id, thumbnail_url)
values (%(fetch_id)s, %(video_id)s, %(thumbnail)s)
on conflict do nothing
"""


@dataclass(frozen=True, slots=True)
class Saving:
    """Medians of saving one fetch. `delay_ms` is the round-trip time to Postgres."""

    delay_ms: float
    videos: int
    seconds: float
    round_trips: int
    row_by_row_seconds: float
    row_by_row_round_trips: int

    @property
    def ratio(self) -> float:
        """Time of saving row by row, divided by the time of set-based saving."""
        return round(self.row_by_row_seconds / self.seconds, 1)


def measure_saving(stack: Stack, fleets: Fleets, delay_ms: float, *, videos: int, saves: int) -> Saving:
    """Measure `saves` fetches that are saved set-based and as many that are saved row by row."""
    with proxied(stack.pipeline_dsn, delay_ms) as (proxy, dsn), open_pool(dsn, connections=1) as pool:
        by_set: list[tuple[float, int]] = []
        by_row: list[tuple[float, int]] = []
        for claim, connection in _claims(stack, fleets, pool, videos, 2 * saves):
            saved = _videos(claim, videos)
            if len(by_set) < saves:
                by_set.append(_measure(proxy, partial(_save, connection, claim, saved)))
            else:
                by_row.append(_measure(proxy, partial(_save_row_by_row, connection, claim, saved)))
                # The fetch is settled as usual, so that the run can be ended.
                _save(connection, claim, saved)
    return Saving(delay_ms, videos, *_medians(by_set), *_medians(by_row))


def _claims(
    stack: Stack, fleets: Fleets, pool: ConnectionPool, videos: int, count: int
) -> Iterator[tuple[Claim, Connection]]:
    with connect(stack.admin_dsn) as connection:
        fleets.track(connection, count * len(Platform), videos)
    key = RunKey("bench", "saving", str(uuid4()))
    scope = RunScope(platforms=(Platform.TIKTOK,))
    run = plan_run(pool, key, scope, timedelta(hours=1))
    with pool.connection() as connection:
        for fetch_id in fetch_values(connection, _FETCH_IDS, (run.run_id,)):
            claim = claim_fetch(connection, fetch_id, _LEASE, "bench")
            if not isinstance(claim, Claim):
                raise StackError(f"Fetch {fetch_id} cannot be claimed: {claim.reason}.")
            yield claim, connection
    finish_run(pool, key, failed_share_limit=1)


def _measure(proxy: WireProxy, save: Callable[[], None]) -> tuple[float, int]:
    before, begin = proxy.round_trips, time.monotonic()
    save()
    return time.monotonic() - begin, proxy.round_trips - before


def _medians(measured: Sequence[tuple[float, int]]) -> tuple[float, int]:
    return round(median(seconds for seconds, _ in measured), 4), round(median(trips for _, trips in measured))


def _save(connection: Connection, claim: Claim, videos: Sequence[CommonVideo]) -> None:
    settle_fetch(connection, claim, FetchOutcome(FetchState.SUCCEEDED, videos, pages=1))


def _save_row_by_row(connection: Connection, claim: Claim, videos: Sequence[CommonVideo]) -> None:
    with connection.transaction():
        for video in videos:
            statistics = video.statistics.model_dump() if video.statistics else {}
            row = statistics | {
                "platform": video.platform,
                "external_id": video.external_video_id,
                "blogger_id": claim.blogger_id,
                "url": video.video_url,
                "title": video.title,
                "thumbnail": video.thumbnail_url,
                "published": video.published_at,
                "fetch_id": claim.fetch_id,
            }
            row["video_id"] = fetch_value(connection, _VIDEO, row)
            for allocation in claim.allocations:
                connection.execute(_LINK, row | {"organization": allocation.organization_id})
            connection.execute(_STATISTICS, row)
            connection.execute(_MESSAGE, row)


def _videos(claim: Claim, count: int) -> list[CommonVideo]:
    now = datetime.now(UTC)
    return [_video(f"{claim.fetch_id}-{number}", now - timedelta(hours=number)) for number in range(count)]


def _video(video_id: str, published_at: datetime) -> CommonVideo:
    return CommonVideo(
        external_video_id=video_id,
        platform=Platform.TIKTOK,
        video_url=f"https://www.tiktok.com/@creator/video/{video_id}",
        title="A title of usual length, with a #hashtag or two",
        thumbnail_url=f"https://example.org/{video_id}.jpg",
        published_at=published_at,
        statistics=VideoStatistics(external_video_id=video_id, views=1000, likes=100, comments=10, reposts=1),
    )
