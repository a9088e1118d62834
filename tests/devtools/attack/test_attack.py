"""The short attack: every area that needs no Airflow, against the HTTP API and a database of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest
from psycopg import Connection
from psycopg_pool import ConnectionPool
from pydantic import SecretStr
from rich.console import Console

from blogger_tracking.airflow_api import AirflowApi
from blogger_tracking.api.access_tokens import SupabaseAuthConfig, TokenVerifier
from blogger_tracking.api.app import create_app
from blogger_tracking.api.dependencies import ApiServices
from blogger_tracking.api.look_up_slots import LookUpSlots
from blogger_tracking.database.request_budgets import BudgetPurpose, Budgets
from blogger_tracking.domain.models import Platform
from blogger_tracking.platforms import PlatformConfig, create_service
from blogger_tracking.platforms.http_client import session_for
from blogger_tracking.rate_limit import RequestRateLimiter, StrangerRateLimiter
from blogger_tracking.settings import Settings
from blogger_tracking.usecases.fetch_blogger import FetchServices
from blogger_tracking.usecases.look_up_blogger import LookUpLimits
from devtools.attack.__main__ import attack_tables
from devtools.attack.areas import AREAS
from devtools.attack.target import Target
from devtools.attack.tries import Try, as_json, attack
from devtools.platform_sandbox import SandboxOptions, SandboxServer
from devtools.platform_sandbox.sandbox_admin import SandboxAdmin
from tests.support.access_tokens import ISSUER, SECRET
from tests.support.airflow_stand_in import LOGIN, PASSWORD, AirflowStandIn
from tests.support.app_server import AppServer
from tests.support.platform_accounts import KEY

PERSON_LIMIT = 60
STRANGER_LIMIT = 1_500
LOOK_UP_LIMIT = 20


@pytest.fixture
def target(admin: Connection, pool: ConnectionPool) -> Iterator[Target]:
    with (
        SandboxServer(SandboxOptions(traps=False)) as sandbox,
        AirflowStandIn() as airflow,
    ):
        platforms = {
            platform: create_service(
                platform,
                PlatformConfig(base_url=url, api_key=SecretStr(KEY), requests_per_second=1000),
                settings=Settings(request_retries=0),
            )
            for platform, url in (
                (Platform.TIKTOK, sandbox.tiktok_url),
                (Platform.INSTAGRAM, sandbox.instagram_url),
            )
        }
        services = ApiServices(
            make_fetch_services=partial(FetchServices, pool, platforms),
            airflow_api=AirflowApi(airflow.url, LOGIN, PASSWORD, timeout_seconds=5),
            token_verifier=TokenVerifier(
                SupabaseAuthConfig(issuer=ISSUER, secret=SecretStr(SECRET)), timeout_seconds=5
            ),
            person_rate_limiter=RequestRateLimiter("This person", PERSON_LIMIT),
            request_budgets=Budgets(
                BudgetPurpose.REQUESTS, timedelta(minutes=1), of_person=PERSON_LIMIT, of_organization=1000
            ),
            look_up_slots=LookUpSlots(16, 8),
            look_up_limits=LookUpLimits.of(Settings(person_look_ups_per_hour=LOOK_UP_LIMIT)),
        )
        app = create_app(lambda: services, [])
        app.state.strangers = StrangerRateLimiter(STRANGER_LIMIT, STRANGER_LIMIT)
        with AppServer(app) as server:
            yield Target(
                url=server.url,
                connection=admin,
                pool=pool,
                sandbox=SandboxAdmin(sandbox.base_url),
                issuer=ISSUER,
                secret=SECRET,
                secrets=(SECRET, PASSWORD, KEY),
                person_limit=PERSON_LIMIT,
                stranger_limit=STRANGER_LIMIT,
                look_up_limit=LOOK_UP_LIMIT,
            )
        session_for.cache_clear()


@pytest.mark.long
@pytest.mark.timeout(120)
def test_every_try_is_repelled(target: Target) -> None:
    results = attack(target, AREAS)
    failed = [f"{name}: {each.name}: {each.found}" for name, result in results.items() for each in result.failed]
    assert not failed, "\n".join(failed)
    assert {name for name, result in results.items() if not result.tries} == {"Airflow"}
    assert sum(result.tries for result in results.values()) > 400


def test_a_try_that_succeeds_and_an_area_that_fails_are_counted_as_failed(target: Target) -> None:
    def broken(_: Target) -> Iterator[Try]:
        yield Try("repelled", held=True, found="403")
        yield Try("succeeded", held=False, found="200")
        raise RuntimeError("an attack with a fault")

    results = attack(target, {"broken": broken})
    assert (results["broken"].tries, results["broken"].held) == (3, 1)
    console = Console(width=120, record=True)
    console.print(*attack_tables(results))
    assert "the whole area" in console.export_text()
    assert [failed["name"] for failed in as_json(results)["broken"]["failed"]] == ["succeeded", "the whole area"]
