"""The HTTP API on a real server, with a real database, the platform sandbox, and a stand-in for Airflow."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import requests
from psycopg_pool import ConnectionPool
from pydantic import SecretStr

from blogger_tracking.airflow_api import AirflowApi
from blogger_tracking.api.access_tokens import SupabaseAuthConfig, TokenVerifier
from blogger_tracking.api.app import create_app
from blogger_tracking.api.dependencies import ApiServices
from blogger_tracking.api.look_up_slots import LookUpSlots
from blogger_tracking.database.request_budgets import BudgetPurpose, Budgets
from blogger_tracking.domain.models import Platform
from blogger_tracking.platforms import PlatformConfig, create_service
from blogger_tracking.platforms.http_client import session_for
from blogger_tracking.rate_limit import RequestRateLimiter
from blogger_tracking.settings import Settings
from blogger_tracking.usecases.fetch_blogger import FetchServices
from blogger_tracking.usecases.look_up_blogger import LookUpLimits
from devtools.platform_sandbox import SandboxOptions, SandboxServer
from tests.support.access_tokens import ISSUER, SECRET
from tests.support.airflow_stand_in import LOGIN, PASSWORD, AirflowStandIn
from tests.support.app_server import AppServer
from tests.support.database_builder import DatabaseBuilder
from tests.support.people import ALLOWED_ORIGIN, People
from tests.support.platform_accounts import KEY
from tests.support.sandbox_client import NOON


@pytest.fixture(scope="module")
def sandbox_server() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxOptions(video_count=60, traps=False, time=NOON)) as server:
        yield server
        session_for.cache_clear()


@pytest.fixture
def sandbox(sandbox_server: SandboxServer) -> Iterator[SandboxServer]:
    sandbox_server.log.clear()
    yield sandbox_server
    sandbox_server.clear_faults()


@pytest.fixture
def airflow() -> Iterator[AirflowStandIn]:
    with AirflowStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def fetch_services(pool: ConnectionPool, sandbox: SandboxServer) -> FetchServices:
    urls = {
        Platform.TIKTOK: sandbox.tiktok_url,
        Platform.INSTAGRAM: sandbox.instagram_url,
        Platform.YOUTUBE: sandbox.youtube_url,
    }
    settings = Settings(request_retries=0)
    return FetchServices(
        pool,
        {
            platform: create_service(
                platform,
                PlatformConfig(base_url=url, api_key=SecretStr(KEY), requests_per_second=1000),
                settings=settings,
            )
            for platform, url in urls.items()
        },
    )


@pytest.fixture
def services(fetch_services: FetchServices, airflow: AirflowStandIn) -> ApiServices:
    return ApiServices(
        make_fetch_services=lambda: fetch_services,
        airflow_api=AirflowApi(airflow.url, LOGIN, PASSWORD, timeout_seconds=5),
        token_verifier=TokenVerifier(SupabaseAuthConfig(issuer=ISSUER, secret=SecretStr(SECRET)), timeout_seconds=5),
        person_rate_limiter=RequestRateLimiter("This person", 1000),
        request_budgets=Budgets(BudgetPurpose.REQUESTS, timedelta(minutes=1), of_person=1000, of_organization=1000),
        look_up_slots=LookUpSlots(16, 8),
        look_up_limits=LookUpLimits.of(Settings()),
    )


@pytest.fixture(scope="module")
def app_server() -> Iterator[AppServer]:
    with AppServer() as server:
        yield server


@pytest.fixture
def url(app_server: AppServer, services: ApiServices) -> str:
    """The address of the HTTP API, without `/blogger`."""
    app_server.app = create_app(lambda: services, [ALLOWED_ORIGIN])
    return app_server.url


@pytest.fixture
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.fixture
def people(build: DatabaseBuilder, http: requests.Session, url: str) -> People:
    """Organizations and members who call the HTTP API."""
    return People(build, http, url)
