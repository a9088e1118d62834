"""Totals of bloggers' statistics: the choice of the newest videos, and the days of UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from psycopg_pool import ConnectionPool

from blogger_tracking.database.statistics_totals import read_day_totals
from tests.support.database_builder import DatabaseBuilder

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
DAY = timedelta(days=1)


def video(build: DatabaseBuilder, blogger: UUID, published_at: datetime | None, first_seen_at: datetime) -> int:
    number: int = build.value(
        """
        insert into videos (platform, external_video_id, blogger_id, url, title, published_at, first_seen_at)
        values (
            'TikTok', gen_random_uuid(), %(blogger)s, 'https://example.org/v', 'A title', %(published_at)s,
            %(first_seen_at)s
        )
        returning id
        """,
        blogger=blogger,
        published_at=published_at,
        first_seen_at=first_seen_at,
    )
    return number


def capture(build: DatabaseBuilder, video_id: int, moment: datetime, views: int, fetch_id: int = 1) -> None:
    build.run(
        """
        insert into video_statistics (video_id, fetch_id, fetched_on, captured_at, views)
        values (%(video)s, %(fetch)s, (%(moment)s at time zone 'UTC')::date, %(moment)s, %(views)s)
        """,
        video=video_id,
        fetch=fetch_id,
        moment=moment,
        views=views,
    )


def test_a_video_without_a_date_is_none_of_the_newest(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    blogger = build.blogger()
    undated, dated = (video(build, blogger, published_at, TODAY) for published_at in (None, TODAY - DAY))
    capture(build, undated, TODAY, 1000)
    capture(build, dated, TODAY, 7)
    with pool.connection() as connection:
        (total,) = read_day_totals(connection, [blogger], TODAY.date(), videos=1)[blogger]
    assert total.views == 7


def test_the_first_day_begins_at_midnight_utc_in_every_time_zone(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    blogger = build.blogger()
    first_day = TODAY - 5 * DAY
    known = video(build, blogger, first_day, first_day - timedelta(seconds=1))
    new = video(build, blogger, first_day, first_day)
    capture(build, known, TODAY, 100)
    capture(build, video(build, blogger, first_day, TODAY - DAY), TODAY - DAY, 1)
    capture(build, new, TODAY, 10)
    for zone in ("UTC", "Etc/GMT+12", "Etc/GMT-14"):
        with pool.connection() as connection, connection.transaction(force_rollback=True):
            connection.execute("select set_config('timezone', %s, true)", [zone])
            totals = read_day_totals(connection, [blogger], first_day.date())[blogger]
        assert [total.views for total in totals] == [101, 111], zone


def test_a_day_ends_with_its_last_capture_and_not_with_the_largest_id_of_a_fetch(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    blogger = build.blogger()
    seen = video(build, blogger, TODAY, TODAY)
    capture(build, seen, TODAY + DAY / 2, 100, fetch_id=1)
    capture(build, seen, TODAY, 10, fetch_id=2)
    with pool.connection() as connection:
        (total,) = read_day_totals(connection, [blogger], TODAY.date())[blogger]
    assert total.views == 100
