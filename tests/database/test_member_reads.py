"""Plans of the guide's queries, as a member under row level security."""

from __future__ import annotations

import pytest
from psycopg import Connection

from devtools.bench.measure_member_reads import build_history, documented_queries, measure_member_reads, scanned_tables

LARGE = {
    "tracked_accounts",
    "blogger_information",
    "videos",
    "organization_videos",
    "video_statistics",
    "statistics_readers",
    "fetches",
    "fetch_allocations",
}


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
        "Statistics of one blogger over time": 3,
    }


@pytest.mark.parametrize("title", documented_queries())
def test_no_query_of_the_guide_needs_to_read_a_table_from_end_to_end(history: Connection, title: str) -> None:
    # Postgres reads a small table from end to end unless told otherwise. With this setting it does so only if no index
    # can be used.
    history.execute("set enable_seqscan = off")
    assert scanned_tables(history, documented_queries()[title]) & LARGE == set()
