"""Reservations of the cross-process rate limiter, by the database's clock."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from psycopg_pool import ConnectionPool

from blogger_tracking.database.rate_limits import reserve_slots
from blogger_tracking.domain.models import Platform
from tests.support.database_builder import DatabaseBuilder

DURATION = timedelta(hours=1)
"""Long enough to make the duration of the test itself negligible."""


def test_the_first_reservation_begins_now(pool: ConnectionPool) -> None:
    assert reserve_slots(pool, Platform.TIKTOK, DURATION) == 0


def test_each_reservation_begins_at_the_end_of_the_previous_one(pool: ConnectionPool) -> None:
    starts = [reserve_slots(pool, Platform.TIKTOK, DURATION) for _ in range(4)]
    gaps = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert gaps == pytest.approx([3600] * 3, rel=0.05)


def test_concurrent_reservations_do_not_overlap(pool: ConnectionPool) -> None:
    with ThreadPoolExecutor(8) as threads:
        starts = sorted(threads.map(lambda _: reserve_slots(pool, Platform.YOUTUBE, DURATION), range(8)))
    assert [round(start / 3600) for start in starts] == list(range(8))


def test_platforms_are_reserved_separately(pool: ConnectionPool) -> None:
    reserve_slots(pool, Platform.TIKTOK, DURATION)
    assert reserve_slots(pool, Platform.INSTAGRAM, DURATION) == 0


def test_slots_in_the_past_cannot_be_reserved(pool: ConnectionPool, build: DatabaseBuilder) -> None:
    reserve_slots(pool, Platform.TIKTOK, DURATION)
    build.run("update rate_limits set next_free_at = next_free_at - interval '10 hours'")
    assert reserve_slots(pool, Platform.TIKTOK, DURATION) == 0
    assert reserve_slots(pool, Platform.TIKTOK, DURATION) == pytest.approx(3600, rel=0.05)
