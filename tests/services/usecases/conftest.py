"""A sandbox that stands in for YouTube and for the servers of pictures."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from platform_accounts import KEY
from queue_steps import ShiftedClock
from sandbox_client import NOON

from blogger_tracking.domain.models import Platform
from blogger_tracking.sandbox import SandboxOptions, SandboxServer
from blogger_tracking.services.platforms import PlatformConfig, create_service
from blogger_tracking.services.platforms.pools import session_for
from blogger_tracking.services.platforms.youtube import YouTubeService
from blogger_tracking.settings import Settings


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxOptions(video_count=200, traps=False, time=NOON)) as server:
        yield server
        session_for(server.youtube_url.rstrip("/")).close()
        session_for.cache_clear()


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.fixture
def youtube(sandbox: SandboxServer) -> YouTubeService:
    config = PlatformConfig(base_url=sandbox.youtube_url, api_key=KEY, requests_per_second=10_000)
    service = create_service(Platform.YOUTUBE, config, settings=Settings(request_retries=0))
    assert isinstance(service, YouTubeService)
    return service
