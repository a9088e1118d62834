"""Round trips to Postgres, counted on the wire."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from psycopg_pool import ConnectionPool

from blogger_tracking.database.connections import open_pool
from blogger_tracking.database.run_plans import RunScope
from blogger_tracking.database.youtube_units import reserve_unit
from blogger_tracking.platforms import PlatformConfig
from blogger_tracking.platforms.youtube import YouTubeService
from blogger_tracking.settings import Settings
from blogger_tracking.usecases.refresh_statistics import StatisticsRefresher
from blogger_tracking.usecases.store_thumbnails import ThumbnailStorer
from devtools.bench.wire_proxy import WireProxy
from tests.support.database_builder import DatabaseBuilder
from tests.support.database_server import DatabaseServer
from tests.support.ledger_steps import claim, fetch_ids, plan, succeed
from tests.support.platform_accounts import KEY

CLAIM_ROUND_TRIPS = 2
SAVE_ROUND_TRIPS = 1
"""Exact numbers: a claim reads in one round trip, and locks, verifies and writes in another; saving reads nothing."""


@pytest.fixture
def wire(server: DatabaseServer, database: str) -> Iterator[tuple[WireProxy, ConnectionPool]]:
    with tempfile.TemporaryDirectory(prefix="bt-") as folder, WireProxy(Path(folder), server.socket) as proxy:
        pool = open_pool(f"host={folder} user=pipeline_login dbname={database}", connections=1)
        yield proxy, pool
        pool.close()


def round_trips(
    build: DatabaseBuilder, wire: tuple[WireProxy, ConnectionPool], organizations: int, videos: int
) -> tuple[int, int]:
    """Return the round trips of claiming and of saving one fetch."""
    proxy, pool = wire
    blogger = build.blogger()
    for _ in range(organizations):
        build.track(build.organization(daily=50), blogger)
    (fetch_id,) = fetch_ids(pool, plan(pool, scope=RunScope(bloggers=(blogger,))))
    before = proxy.round_trips
    claimed = claim(pool, fetch_id)
    between = proxy.round_trips
    succeed(pool, claimed, returned=videos)
    return between - before, proxy.round_trips - between


def test_claiming_takes_two_round_trips_for_one_and_for_seven_organizations(
    build: DatabaseBuilder, wire: tuple[WireProxy, ConnectionPool]
) -> None:
    few, _ = round_trips(build, wire, organizations=1, videos=5)
    many, _ = round_trips(build, wire, organizations=7, videos=5)
    assert few == many == CLAIM_ROUND_TRIPS


def test_saving_takes_one_round_trip_for_five_and_for_fifty_videos(
    build: DatabaseBuilder, wire: tuple[WireProxy, ConnectionPool]
) -> None:
    _, few = round_trips(build, wire, organizations=1, videos=5)
    _, many = round_trips(build, wire, organizations=1, videos=50)
    assert few == many == SAVE_ROUND_TRIPS


def test_a_unit_is_reserved_in_one_round_trip_so_that_its_lock_is_not_held_in_between(
    build: DatabaseBuilder, wire: tuple[WireProxy, ConnectionPool]
) -> None:
    proxy, pool = wire
    build.track(build.organization(), platform="YouTube")
    (fetch_id,) = fetch_ids(pool, plan(pool))
    with pool.connection() as connection:
        before = proxy.round_trips
        assert reserve_unit(connection, datetime.now(UTC), 1, fetch_id)
        assert proxy.round_trips - before == 1


class ClosedStore:
    """A thumbnail store that fails on every write."""

    def remove(self, path: str) -> None:
        raise AssertionError(path)

    def write(self, key: str, content: bytes) -> str:
        raise AssertionError(key, content)


def test_a_consumer_of_an_empty_queue_takes_one_round_trip(wire: tuple[WireProxy, ConnectionPool]) -> None:
    proxy, pool = wire
    youtube = YouTubeService(PlatformConfig.model_validate({"base_url": "http://localhost", "api_key": KEY}))
    consumers = (StatisticsRefresher(pool, youtube, Settings()), ThumbnailStorer(pool, ClosedStore(), Settings()))
    with pool.connection():
        pass  # The pool opens its connection here, so that opening is not counted.
    for consumer in consumers:
        before = proxy.round_trips
        assert consumer.run() == {}
        assert proxy.round_trips - before == 1
