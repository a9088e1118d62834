"""Fixtures of the use cases: the platform sandbox over real HTTP, and a real Postgres."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.domain.models import Platform
from blogger_tracking.platforms import PlatformConfig, create_service
from blogger_tracking.platforms.youtube import YouTubeService
from blogger_tracking.settings import Settings
from blogger_tracking.usecases.fetch_blogger import FetchServices
from devtools.platform_sandbox import SandboxOptions, SandboxServer
from tests.support.compared_fleet import Fleet
from tests.support.database_builder import DatabaseBuilder
from tests.support.earlier_tracker import SYSTEMS, Tracker
from tests.support.old_system import OldSystem
from tests.support.platform_accounts import KEY
from tests.support.queue_steps import ShiftedClock
from tests.support.sandbox_client import NOON
from tests.support.youtube_ids import VIDEOS_LISTED


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[SandboxServer]:
    options = SandboxOptions(
        creators_per_platform=500, traps=False, body_bytes=1000, video_count=VIDEOS_LISTED, time=NOON
    )
    with SandboxServer(options) as server:
        yield server


@pytest.fixture
def sandbox(sandbox_server: SandboxServer) -> Iterator[SandboxServer]:
    sandbox_server.reset()
    yield sandbox_server
    sandbox_server.reset()


@pytest.fixture
def services(pool: ConnectionPool, sandbox: SandboxServer) -> FetchServices:
    """The services of a fetch, without waits between retries."""
    addresses = {
        Platform.TIKTOK: sandbox.tiktok_url,
        Platform.INSTAGRAM: sandbox.instagram_url,
        Platform.YOUTUBE: sandbox.youtube_url,
    }
    settings = Settings(retry_base_seconds=0)
    return FetchServices(
        pool,
        {
            platform: create_service(platform, PlatformConfig(base_url=url, api_key="a-key"), settings=settings)
            for platform, url in addresses.items()
        },
    )


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.fixture
def youtube(sandbox: SandboxServer) -> YouTubeService:
    """The YouTube client without retries."""
    config = PlatformConfig(base_url=sandbox.youtube_url, api_key=KEY, requests_per_second=10_000)
    return YouTubeService(config, settings=Settings(request_retries=0))


@pytest.fixture
def tracker(admin: Connection, build: DatabaseBuilder) -> Tracker:
    """A tracker with one organization."""
    del build
    admin.execute((SYSTEMS / "tracker.sql").read_bytes())
    tracker = Tracker(admin)
    tracker.organization(id=tracker.customer)
    tracker.contract()
    return tracker


@pytest.fixture
def old(admin: Connection) -> OldSystem:
    return OldSystem(admin)


@pytest.fixture
def pipeline(pool: ConnectionPool) -> Iterator[Connection]:
    with pool.connection() as connection:
        yield connection


@pytest.fixture
def fleet(build: DatabaseBuilder, pool: ConnectionPool, old: OldSystem) -> Fleet:
    return Fleet(build, pool, old)
