"""A scripted platform server, services connected to it that never sleep, and the bodies of the fixtures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blogger_tracking.domain.models import Platform
from blogger_tracking.platforms import PlatformConfig, PlatformService, create_service
from blogger_tracking.platforms.http_client import session_for
from blogger_tracking.platforms.json_values import Json
from blogger_tracking.settings import Settings
from tests.support.platform_accounts import KEY, StoppedClock
from tests.support.scripted_server import ScriptedServer

FIXTURES = Path(__file__).parent / "fixtures"

Connect = Callable[..., PlatformService]


@pytest.fixture
def platform_server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server
        session_for(server.url).close()
        session_for.cache_clear()


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def connect(platform_server: ScriptedServer, clock: StoppedClock) -> Connect:
    """Create a platform's service connected to the scripted server; keywords change settings."""

    def create(platform: Platform, **changed: float) -> PlatformService:
        config = PlatformConfig(base_url=platform_server.url, api_key=KEY, requests_per_second=10_000)
        settings = Settings.model_validate(changed)
        return create_service(platform, config, settings=settings, clock=clock.clock)

    return create


@pytest.fixture
def body() -> Callable[[Platform, str], Json]:
    """Read a body of the fixtures by platform and name."""

    def read(platform: Platform, name: str) -> Json:
        return json.loads((FIXTURES / platform.slug / f"{name}.json").read_text(encoding="utf-8"))

    return read
