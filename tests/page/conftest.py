"""The Bloggers page on a real server with a real database, and stand-ins for Airflow's login and permissions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg_pool import ConnectionPool
from pydantic import SecretStr

from blogger_tracking.airflow_api import AirflowApi
from blogger_tracking.api.look_up_slots import LookUpSlots
from blogger_tracking.domain.models import Platform
from blogger_tracking.page.app import STATIC_FILES, create_app
from blogger_tracking.page.dependencies import PageServices
from blogger_tracking.platforms import PlatformConfig, create_service
from blogger_tracking.platforms.http_client import session_for
from blogger_tracking.settings import Settings
from blogger_tracking.usecases.fetch_blogger import FetchServices
from blogger_tracking.usecases.look_up_blogger import LookUpLimits
from devtools.platform_sandbox import SandboxOptions, SandboxServer
from tests.support.airflow_stand_in import LOGIN, PASSWORD, AirflowStandIn
from tests.support.app_server import AppServer
from tests.support.page_people import ACCESS, PagePerson
from tests.support.platform_accounts import KEY
from tests.support.sandbox_client import NOON
from tests.support.stored_thumbnails import StoredThumbnails

DEPLOYMENT = "test"
BATCH = "blogger_batch_fetch"


@pytest.fixture
def thumbnails() -> StoredThumbnails:
    return StoredThumbnails({})


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxOptions(video_count=60, traps=False, time=NOON)) as server:
        yield server
        session_for.cache_clear()


@pytest.fixture
def airflow() -> Iterator[AirflowStandIn]:
    with AirflowStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def services(
    pool: ConnectionPool, sandbox: SandboxServer, airflow: AirflowStandIn, thumbnails: StoredThumbnails
) -> PageServices:
    config = PlatformConfig(base_url=sandbox.tiktok_url, api_key=SecretStr(KEY), requests_per_second=1000)
    tiktok = create_service(Platform.TIKTOK, config, settings=Settings(request_retries=0))
    return PageServices(
        fetch_services=FetchServices(pool, {Platform.TIKTOK: tiktok}),
        look_up_slots=LookUpSlots(16, 8),
        look_up_limits=LookUpLimits.of(Settings()),
        airflow_api=lambda: AirflowApi(airflow.url, LOGIN, PASSWORD, timeout_seconds=5),
        thumbnails=lambda: thumbnails,
        deployment=DEPLOYMENT,
        batch_dag_id=BATCH,
    )


@pytest.fixture(scope="module")
def page_server() -> Iterator[AppServer]:
    with AppServer(mount="/bloggers") as server:
        yield server


@pytest.fixture
def url(page_server: AppServer, services: PageServices, tmp_path: Path) -> str:
    """The address of the page's app, with further files in the folder of the built files and beside it."""
    static = tmp_path / "static"
    static.mkdir()
    for file in (*(static / name for name in STATIC_FILES), static / "app.py", tmp_path / "app.py"):
        file.write_text(f"contents of {file.name}")
    page_server.app = create_app(ACCESS, lambda: services, static)
    return f"{page_server.url}/bloggers"


@pytest.fixture
def person(url: str) -> PagePerson:
    """A person who may read and act."""
    return PagePerson(url, "operator")


@pytest.fixture
def viewer(url: str) -> PagePerson:
    """A person who may read and not act."""
    return PagePerson(url, "viewer")
