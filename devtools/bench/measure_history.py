"""Measurement of a year of statistics: two queries of a blogger's page, and the removal of a month."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.database.rows import fetch_value
from blogger_tracking.database.statistics_partitions import drop_partition, read_partition_months
from blogger_tracking.settings import Settings
from blogger_tracking.usecases.maintain_database import remove_old_statistics
from devtools.bench.measure_member_reads import (
    ACCOUNTS_PER_ORGANIZATION,
    INSERT_ACCOUNTS,
    INSERT_ORGANIZATIONS,
    WITHOUT_TRIGGERS,
    documented_queries,
    measure_query,
)

QUERIES = ("Newest statistics of the videos of one blogger", "Statistics of one blogger in the last 30 days")

RUNS_PER_DAY = 2

_CREATE_PARTITIONS = """
select blogger_tracking.create_statistics_partition((now() - number * interval '1 day')::date)
from generate_series(0, %(days)s) as number
"""

# A blogger publishes a video a day. Video n is the newest one on day n - listed.
_INSERT_VIDEOS = """
with video as (
    insert into blogger_tracking.videos (
        id, platform, external_video_id, blogger_id, url, title, published_at
    )
    overriding system value
    select
        (video - 1) * %(accounts)s + number,
        (array['TikTok', 'Instagram', 'YouTube'])[1 + mod(number, 3)],
        number || '-' || video,
        md5('blogger ' || number)::uuid,
        'https://example.org/' || number || '/' || video,
        'A title of usual length, with a #hashtag or two',
        now() - (%(days)s + %(listed)s - video) * interval '1 day'
    from generate_series(1, %(days)s + %(listed)s) as video
    cross join generate_series(1, %(accounts)s) as number
    returning id
)
insert into blogger_tracking.organization_videos (organization_id, video_id)
select md5('organization ' || (1 + mod(id - 1, %(accounts)s) / %(per_organization)s))::uuid, id
from video
"""

# Each run returns the `listed` newest videos of its day. In the order of the runs, as fetches insert them.
_INSERT_STATISTICS = """
insert into blogger_tracking.video_statistics (
    video_id, fetch_id, fetched_on, captured_at, views, likes, comments, reposts
)
select
    (video - 1) * %(accounts)s + number,
    (run - 1) * %(accounts)s + number,
    captured_at::date,
    captured_at,
    1000 * run,
    100 * run,
    10,
    1
from generate_series(1, %(days)s * %(runs_per_day)s) as run
cross join lateral (
    select
        now() - (%(days)s * %(runs_per_day)s - run) * interval '1 day' / %(runs_per_day)s as captured_at,
        1 + (run - 1) / %(runs_per_day)s as day
) as time
cross join lateral generate_series(day + 1, day + %(listed)s) as video
cross join generate_series(1, %(accounts)s) as number
"""

# As the removal of old runs leaves them: an organization still reads the statistics of its fetches.
_INSERT_READERS = """
insert into blogger_tracking.statistics_readers (fetch_id, organization_id, platform, fetched_on)
select
    (run - 1) * %(accounts)s + number,
    md5('organization ' || (1 + (number - 1) / %(per_organization)s))::uuid,
    (array['TikTok', 'Instagram', 'YouTube'])[1 + mod(number, 3)],
    (now() - (%(days)s * %(runs_per_day)s - run) * interval '1 day' / %(runs_per_day)s)::date
from generate_series(1, %(days)s * %(runs_per_day)s) as run
cross join generate_series(1, %(accounts)s) as number
"""

_BUILD = (_CREATE_PARTITIONS, INSERT_ORGANIZATIONS, INSERT_ACCOUNTS, _INSERT_VIDEOS, _INSERT_READERS)

_VACUUM = """
vacuum (analyze)
    blogger_tracking.organizations,
    blogger_tracking.organization_members,
    blogger_tracking.blogger_information,
    blogger_tracking.tracked_accounts,
    blogger_tracking.videos,
    blogger_tracking.organization_videos,
    blogger_tracking.statistics_readers,
    blogger_tracking.video_statistics
"""

_COUNT_MONTH = """
select count(*) from blogger_tracking.video_statistics where fetched_on >= %(first)s and fetched_on < %(end)s
"""

_SIZE = """
select count(*), sum(pg_total_relation_size(inhrelid))::bigint
from pg_inherits
where inhparent = 'blogger_tracking.video_statistics'::regclass
"""


@dataclass(frozen=True, slots=True)
class HistoryFigures:
    """Figures of a year. `milliseconds` is by query, and then by reader: `member` or `pipeline`."""

    rows: int
    partitions: int
    megabytes: int
    milliseconds: dict[str, dict[str, float]]
    dropped_rows: int
    drop_milliseconds: float
    removed_rows: int
    removal_seconds: float


def build_year(connection: Connection, accounts: int, listed: int, days: int) -> int:
    """Insert statistics of `accounts` accounts over `days` days, as runs twice a day save them; return the rows.

    Each run returns the `listed` newest videos, and an account publishes a video a day. The database must be empty, and
    the connection must be a superuser's.
    """
    sizes = {
        "accounts": accounts,
        "listed": listed,
        "days": days,
        "runs_per_day": RUNS_PER_DAY,
        "per_organization": ACCOUNTS_PER_ORGANIZATION,
        "organizations": 1 + (accounts - 1) // ACCOUNTS_PER_ORGANIZATION,
    }
    with connection.transaction():
        connection.execute(WITHOUT_TRIGGERS)
        for statement in _BUILD:
            connection.execute(statement, sizes)
        rows = connection.execute(_INSERT_STATISTICS, sizes).rowcount
    connection.execute(_VACUUM)
    return rows


def measure_history(connection: Connection, pool: ConnectionPool, rows: int) -> HistoryFigures:
    """Execute the queries as a member and as the pipeline, remove YouTube's oldest statistics, and drop a month.

    `pool` has connections of the pipeline's login to the same database.
    """
    partitions, size = connection.execute(_SIZE).fetchall()[0]
    milliseconds = {
        title: {
            "member": measure_query(connection, documented_queries()[title]).milliseconds,
            "pipeline": measure_query(connection, documented_queries()[title], as_pipeline=True).milliseconds,
        }
        for title in QUERIES
    }
    today = datetime.now(UTC).date()
    months = [month for month in read_partition_months(connection) if month.first_day < today]
    began = time.monotonic()
    limits = Settings(youtube_statistics_days=(today - months[0].next_first_day).days)
    removed = remove_old_statistics(pool, limits, today)["rows"]
    removal_seconds = round(time.monotonic() - began, 1)
    dropped = fetch_value(connection, _COUNT_MONTH, {"first": months[1].first_day, "end": months[1].next_first_day})
    with pool.connection() as pipeline:
        began = time.monotonic()
        drop_partition(pipeline, months[1])
        drop_milliseconds = round((time.monotonic() - began) * 1000, 1)
    return HistoryFigures(
        rows=rows,
        partitions=partitions,
        megabytes=size // 2**20,
        milliseconds=milliseconds,
        dropped_rows=dropped,
        drop_milliseconds=drop_milliseconds,
        removed_rows=removed,
        removal_seconds=removal_seconds,
    )
