"""Attempts that are under way when their task instance is ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Event

import pytest
from psycopg import Connection

from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.domain.ledger import FetchState
from blogger_tracking.domain.models import Platform
from blogger_tracking.platforms import PlatformConfig, create_service
from blogger_tracking.usecases.end_runs import end_run
from blogger_tracking.usecases.fetch_blogger import FetchServices, fetch_blogger
from devtools.platform_sandbox import CreatorKind, SandboxServer
from tests.support.database_builder import DatabaseBuilder
from tests.support.ledger_steps import fetch_ids, new_key, plan
from tests.support.platform_accounts import KEY

WANTED = 100
"""More videos than any platform lists on one page."""


@pytest.fixture(autouse=True)
def invariants_hold(admin: Connection) -> Iterator[None]:
    yield
    assert not any(check_invariants(admin).values())


@dataclass
class Interruption:
    """Rate limiter at which something happens before the n-th request is sent, from 1."""

    number: int
    happen: Callable[[], object]
    requests: int = 0

    def acquire(self, platform: Platform, requests_per_second: float) -> None:  # noqa: ARG002 - RateLimiter's signature
        self.requests += 1
        if self.requests == self.number:
            self.happen()


@pytest.fixture
def tiktok_of(services: FetchServices, sandbox: SandboxServer) -> Callable[[Interruption], FetchServices]:
    """Return services whose TikTok client waits at a rate limiter."""

    def create(limiter: Interruption) -> FetchServices:
        config = PlatformConfig(base_url=sandbox.tiktok_url, api_key=KEY)
        client = create_service(Platform.TIKTOK, config, rate_limiter=limiter)
        return FetchServices(services.pool, {Platform.TIKTOK: client})

    return create


def track_a_large_account(build: DatabaseBuilder, sandbox: SandboxServer) -> None:
    creator = next(iter(sandbox.world.creators(Platform.TIKTOK, kind=CreatorKind.LARGE)))
    build.track(build.organization(daily=WANTED), build.creator(creator))


@pytest.mark.parametrize("requests", [0, 1, 2])
def test_an_attempt_asks_for_nothing_more_after_its_run_was_ended(
    build: DatabaseBuilder,
    sandbox: SandboxServer,
    tiktok_of: Callable[[Interruption], FetchServices],
    requests: int,
) -> None:
    track_a_large_account(build, sandbox)
    key, cancelled = new_key(), Event()

    def end() -> None:
        end_run(services.pool, key)
        cancelled.set()

    services = tiktok_of(Interruption(requests + 1, end))
    [fetch_id] = fetch_ids(services.pool, plan(services.pool, key))

    report = fetch_blogger(services, fetch_id, cancelled=cancelled)

    assert (report.state, report.failed) == (None, False)
    assert "asks the platform for nothing more" in (report.reason or "")
    assert sandbox.request_count() == requests
    # Gateways charge for what was sent.
    assert build.value("select requests from fetch_attempts") == ({"listing": requests} if requests else {})
    assert build.value("select count(*) from videos") == 0
    assert build.rows("select reserved, videos_fetched from subscription_usage") == [(0, 0)]


def test_an_attempt_of_a_triggerer_that_stops_is_completed(
    build: DatabaseBuilder, sandbox: SandboxServer, tiktok_of: Callable[[Interruption], FetchServices]
) -> None:
    track_a_large_account(build, sandbox)
    cancelled = Event()
    services = tiktok_of(Interruption(1, cancelled.set))
    [fetch_id] = fetch_ids(services.pool, plan(services.pool))

    report = fetch_blogger(services, fetch_id, cancelled=cancelled)

    assert (report.state, report.videos_returned) == (FetchState.SUCCEEDED, WANTED)
    assert sandbox.request_count() > 1
