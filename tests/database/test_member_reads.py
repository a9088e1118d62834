"""Plans of the guide's queries, as a member under row level security."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from psycopg import Connection

from blogger_tracking.database.statistics_partitions import create_partition, read_partition_months
from blogger_tracking.domain.retention import month_of
from devtools.bench.measure_member_reads import (
    build_history,
    documented_queries,
    measure_member_reads,
    read_partitions,
    scanned_tables,
)

LARGE = (
    "tracked_accounts",
    "blogger_information",
    "videos",
    "organization_videos",
    "video_statistics",
    "statistics_readers",
    "fetches",
    "fetch_allocations",
)
"""Beginnings of the names of large tables and their partitions."""

NEWEST_STATISTICS = ("Newest videos with their latest statistics", "Newest statistics of the videos of one blogger")


@pytest.fixture
def history(admin: Connection) -> Connection:
    build_history(admin, accounts=30, videos=2, runs=3)
    return admin


def test_every_query_of_the_guide_returns_the_members_rows(history: Connection) -> None:
    reads = measure_member_reads(history)
    assert {title: read.rows for title, read in reads.items()} == {
        "A page of tracked accounts": 30,
        "Tracked accounts of all own organizations": 30,
        "Newest videos with their latest statistics": 50,
        "Newest videos of one blogger": 2,
        "Newest statistics of the videos of one blogger": 2,
        "Statistics of one blogger in the last 30 days": 3,
    }


@pytest.mark.parametrize("title", documented_queries())
def test_no_query_of_the_guide_needs_to_read_a_table_from_end_to_end(history: Connection, title: str) -> None:
    # Postgres reads a small table from end to end unless told otherwise. With this setting it does so only if no index
    # can be used.
    history.execute("set enable_seqscan = off")
    assert not {name for name in scanned_tables(history, documented_queries()[title]) if name.startswith(LARGE)}


@pytest.mark.parametrize("role", ["member", "pipeline"])
def test_a_trend_of_30_days_reads_the_partitions_of_these_days_alone(history: Connection, role: str) -> None:
    today = datetime.now(UTC).date()
    for months in (2, 3, 14, 26):
        create_partition(history, month_of(today - timedelta(days=30 * months)))
    needed = {month_of(today), month_of(today - timedelta(days=30))}
    later = {month for month in read_partition_months(history) if month.first_day > today}
    query = documented_queries()["Statistics of one blogger in the last 30 days"]
    read = read_partitions(history, query, as_pipeline=role == "pipeline")
    # Nothing bounds the query above: partitions ahead are read, too, and the default partition. Both are empty.
    ahead = {f"video_statistics_{month.first_day:%Y_%m}" for month in needed | later}
    assert read == {*ahead, "video_statistics_default"}


@pytest.mark.parametrize("role", ["member", "pipeline"])
@pytest.mark.parametrize(
    "title",
    ["Newest statistics of the videos of one blogger", "Statistics of one blogger in the last 30 days"],
)
def test_the_statistics_of_a_blogger_are_found_by_index_by_members_and_by_the_pipeline(
    history: Connection, title: str, role: str
) -> None:
    history.execute("set enable_seqscan = off")
    assert scanned_tables(history, documented_queries()[title], as_pipeline=role == "pipeline") == set()


@pytest.mark.parametrize("title", NEWEST_STATISTICS)
def test_an_older_capture_of_a_later_fetch_is_not_the_newest(history: Connection, title: str) -> None:
    query = documented_queries()[title].encode()
    before = history.execute(query).fetchall()
    # An import beside a live system gives captures of the past larger ids than the fetches have.
    history.execute("""
        insert into blogger_tracking.video_statistics (video_id, fetch_id, fetched_on, captured_at, views)
        select video_id, max(fetch_id) + 1000000, max(fetched_on), max(captured_at) - interval '1 second', 0
        from blogger_tracking.video_statistics
        group by video_id
    """)
    assert history.execute(query).fetchall() == before


@pytest.mark.parametrize("title", NEWEST_STATISTICS)
def test_the_newest_statistics_are_found_without_sorting_all_statistics_of_a_video(
    history: Connection, title: str
) -> None:
    # Postgres sorts few rows unless told otherwise. With this setting it does so only if no index has the order.
    history.execute("set enable_sort = off")
    plan = json.dumps(history.execute(b"explain (format json) " + documented_queries()[title].encode()).fetchone())
    assert '"Presorted Key": ["video_statistics.fetched_on"]' in plan
    assert '"Node Type": "Sort"' not in plan
