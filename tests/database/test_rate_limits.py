"""Reserving time at a platform, by the database's clock."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from psycopg_pool import ConnectionPool

from blogger_tracking.database.rate_limits import reserve_slots
from blogger_tracking.domain.models import Platform
from tests.support.database_builder import DatabaseBuilder

SPAN = timedelta(hours=1)
"""So long that the time the test itself takes does not count."""


def test_the_first_span_begins_now(pool: ConnectionPool) -> None:
    assert reserve_slots(pool, Platform.TIKTOK, SPAN) == 0


def test_each_span_begins_where_the_one_before_ends(pool: ConnectionPool) -> None:
    starts = [reserve_slots(pool, Platform.TIKTOK, SPAN) for _ in range(4)]
    gaps = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert gaps == pytest.approx([3600] * 3, rel=0.05)


def test_who_reserves_at_once_gets_spans_that_do_not_overlap(pool: ConnectionPool) -> None:
    with ThreadPoolExecutor(8) as threads:
        starts = sorted(threads.map(lambda _: reserve_slots(pool, Platform.YOUTUBE, SPAN), range(8)))
    assert [round(start / 3600) for start in starts] == list(range(8))


def test_platforms_are_apart(pool: ConnectionPool) -> None:
    reserve_slots(pool, Platform.TIKTOK, SPAN)
    assert reserve_slots(pool, Platform.INSTAGRAM, SPAN) == 0


def test_time_that_nobody_took_is_not_made_up_for(pool: ConnectionPool, build: DatabaseBuilder) -> None:
    reserve_slots(pool, Platform.TIKTOK, SPAN)
    build.run("update rate_limits set next_free_at = next_free_at - interval '10 hours'")
    assert reserve_slots(pool, Platform.TIKTOK, SPAN) == 0
    assert reserve_slots(pool, Platform.TIKTOK, SPAN) == pytest.approx(3600, rel=0.05)
