"""Round trips, counted at the wire: issue of the batch run, planning and saving."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg_pool import ConnectionPool

from blogger_tracking.database.connections import open_pool
from blogger_tracking.database.run_plans import RunScope
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

CLAIM_LIMIT = 3
SAVE_LIMIT = 6


@pytest.fixture
def wire(server: DatabaseServer, database: str) -> Iterator[tuple[WireProxy, ConnectionPool]]:
    with tempfile.TemporaryDirectory(prefix="bt-") as folder, WireProxy(Path(folder), server.socket) as proxy:
        pool = open_pool(f"host={folder} user=pipeline_login dbname={database}", connections=1)
        yield proxy, pool
        pool.close()


def round_trips(
    build: DatabaseBuilder, wire: tuple[WireProxy, ConnectionPool], organizations: int, videos: int
) -> tuple[int, int]:
    """Of claiming and of saving one fetch."""
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


def test_claiming_takes_at_most_three_round_trips_whatever_the_organizations(
    build: DatabaseBuilder, wire: tuple[WireProxy, ConnectionPool]
) -> None:
    few, _ = round_trips(build, wire, organizations=1, videos=5)
    many, _ = round_trips(build, wire, organizations=7, videos=5)
    assert few == many <= CLAIM_LIMIT


def test_saving_takes_at_most_six_round_trips_whatever_the_videos(
    build: DatabaseBuilder, wire: tuple[WireProxy, ConnectionPool]
) -> None:
    _, few = round_trips(build, wire, organizations=1, videos=5)
    _, many = round_trips(build, wire, organizations=1, videos=50)
    assert few == many <= SAVE_LIMIT


class ClosedStore:
    """A ThumbnailStore that must not be used."""

    def write(self, key: str, content: bytes) -> str:
        raise AssertionError(key, content)


def test_a_consumer_that_finds_nothing_to_do_takes_one_round_trip(wire: tuple[WireProxy, ConnectionPool]) -> None:
    proxy, pool = wire
    youtube = YouTubeService(PlatformConfig.model_validate({"base_url": "http://localhost", "api_key": KEY}))
    consumers = (StatisticsRefresher(pool, youtube, Settings()), ThumbnailStorer(pool, ClosedStore(), Settings()))
    with pool.connection():
        """The pool has its connection now."""
    for consumer in consumers:
        before = proxy.round_trips
        assert consumer.run() == {}
        assert proxy.round_trips - before == 1
