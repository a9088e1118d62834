"""Units of YouTube's daily quota: units left for planning, and reservations by concurrent consumers."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from psycopg_pool import ConnectionPool

from blogger_tracking.database.youtube_units import record_units, reserve_unit, units_left
from blogger_tracking.domain.ledger import RequestUse
from blogger_tracking.domain.models import Platform
from blogger_tracking.settings import get_settings
from tests.support.database_builder import DatabaseBuilder
from tests.support.ledger_steps import plan
from tests.support.queue_steps import plan_one, queue_videos

MIDNIGHT = datetime(2026, 7, 15, 7, tzinfo=UTC)
"""The start of a quota day: midnight Pacific time."""


def left(pool: ConnectionPool, moment: datetime, budget: int = 100) -> int:
    with pool.connection() as connection:
        return units_left(connection, moment, budget)


def spend(pool: ConnectionPool, moment: datetime, units: int, fetch_id: int | None = None) -> None:
    with pool.connection() as connection:
        record_units(connection, moment, {RequestUse.LISTING: units}, fetch_id)


def test_spent_units_count_until_midnight_pacific(pool: ConnectionPool) -> None:
    spend(pool, MIDNIGHT - timedelta(seconds=1), 30)
    spend(pool, MIDNIGHT, 4)
    assert left(pool, MIDNIGHT - timedelta(seconds=1)) == 70
    assert left(pool, MIDNIGHT) == 96


def test_units_for_live_fetches_and_queued_videos_are_set_aside(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    plan_one(build, pool, Platform.YOUTUBE, 120)
    assert left(pool, MIDNIGHT) == 100 - 3 - 3
    queue_videos(build, pool, [f"video-{number}" for number in range(51)])
    assert left(pool, MIDNIGHT) == 100 - 3 - 3 - 2


def test_fetches_of_other_platforms_cost_no_units(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    plan_one(build, pool, Platform.TIKTOK, 120)
    assert left(pool, MIDNIGHT) == 100


def test_concurrent_reservations_get_no_more_units_than_are_left(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    fetch_id = queue_videos(build, pool, ["video-1"])
    granted: list[bool] = []

    def reserve() -> None:
        with pool.connection() as connection:
            granted.append(reserve_unit(connection, MIDNIGHT, 3, fetch_id))

    threads = [threading.Thread(target=reserve) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) == 3


def test_planning_skips_youtube_bloggers_that_the_units_left_do_not_cover(
    build: DatabaseBuilder, pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = get_settings().model_copy(update={"youtube_daily_units": 4})
    monkeypatch.setattr("blogger_tracking.database.run_plans.get_settings", lambda: few)
    organization = build.organization(daily=50)
    for platform in ("YouTube", "YouTube", "YouTube", "TikTok"):
        build.track(organization, platform=platform)
    plan(pool)
    assert build.rows("select platform, count(*) from fetches group by platform order by platform") == [
        ("TikTok", 1),
        ("YouTube", 2),
    ]
    assert build.rows("select reason from run_accounts where decision = 'skipped'") == [
        ("daily_units: 4 left for the whole run",)
    ]
