"""Airflow Connections to a real Postgres and to the platform sandbox, and a stand-in for a task instance."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import pytest
from airflow.models.taskinstance import uuid7
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics.stats_utils import get_stats_factory
from airflow.triggers.base import TriggerEvent

from blogger_tracking.domain.models import Platform
from blogger_tracking.orchestration import error_reporting
from blogger_tracking.orchestration.batch_tasks import BATCH_DAG_ID
from blogger_tracking.orchestration.connected_services import database_pool
from blogger_tracking.orchestration.fetch_trigger import FetchBloggersTrigger
from blogger_tracking.orchestration.process_cache import clear_process_cache
from blogger_tracking.settings import get_settings
from devtools.platform_sandbox import Creator, CreatorKind, SandboxOptions, SandboxServer
from tests.support.database_builder import DatabaseBuilder
from tests.support.database_server import DatabaseServer
from tests.support.platform_accounts import KEY


@dataclass(frozen=True, slots=True)
class InstanceStandIn:
    """A task instance with the attributes that the project's code reads."""

    task_id: str
    map_index: int = 0
    dag_id: str = BATCH_DAG_ID
    run_id: str = "a_run"
    try_number: int = 1
    max_tries: int = 0
    id: UUID = field(default_factory=uuid7)

    @staticmethod
    def get_dr_count(dag_id: str, run_ids: list[str], states: list[str]) -> int:
        """Return the number of these runs that run in Airflow: all of them."""
        del dag_id, states
        return len(run_ids)


@pytest.fixture(autouse=True)
def last_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the report of errors find a task instance in its last try, as in a worker."""
    monkeypatch.setattr(error_reporting, "get_current_context", lambda: {"ti": InstanceStandIn("any")})


class Emitted:
    """A backend of Airflow's metrics that keeps what is emitted, by name and tags."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, ...], object] = {}

    def incr(self, stat: str, count: int, tags: Mapping[str, str]) -> None:
        self.values[stat, *tags.values()] = count

    def gauge(self, stat: str, value: float, tags: Mapping[str, str] | None = None) -> None:
        self.values[stat, *(tags or {}).values()] = value

    def timing(self, stat: str, dt: timedelta, tags: Mapping[str, str]) -> None:
        self.values[stat, *tags.values()] = dt


@pytest.fixture
def emitted() -> Iterator[Emitted]:
    """The metrics that this process emits."""
    backend = Emitted()
    stats.initialize(factory=lambda: backend, export_legacy_names=False)  # type: ignore[arg-type, return-value] # the used methods
    yield backend
    stats.initialize(factory=get_stats_factory(), export_legacy_names=False)


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxOptions(creators_per_platform=500, traps=False, body_bytes=1000)) as server:
        yield server


@pytest.fixture
def sandbox(sandbox_server: SandboxServer) -> Iterator[SandboxServer]:
    sandbox_server.reset()
    yield sandbox_server
    sandbox_server.reset()


@pytest.fixture
def connections(
    monkeypatch: pytest.MonkeyPatch, server: DatabaseServer, database: str, sandbox: SandboxServer
) -> Iterator[None]:
    """Point every Connection at the test's own database and sandbox, and retry requests without a pause."""
    host = str(server.socket.parent).replace("/", "%2F")
    monkeypatch.setenv("AIRFLOW_CONN_BLOGGER_DB", f"postgresql://pipeline_login@/{database}?host={host}")
    for platform, url in (
        (Platform.TIKTOK, sandbox.tiktok_url),
        (Platform.INSTAGRAM, sandbox.instagram_url),
        (Platform.YOUTUBE, sandbox.youtube_url),
    ):
        connection = {"conn_type": "http", "host": url, "password": KEY}
        monkeypatch.setenv(f"AIRFLOW_CONN_{platform.slug.upper()}_API", json.dumps(connection))
    monkeypatch.delenv("AIRFLOW_CONN_SENTRY", raising=False)
    monkeypatch.setenv("BLOGGER_TRACKING_RETRY_BASE_SECONDS", "0")
    get_settings.cache_clear()
    clear_process_cache()
    yield
    database_pool().close()
    clear_process_cache()


@pytest.fixture
def organization(build: DatabaseBuilder) -> UUID:
    """An organization that asks for ten videos of each blogger."""
    return build.organization(daily=10)


def track(
    build: DatabaseBuilder, sandbox: SandboxServer, organization: UUID, platform: Platform, count: int = 1
) -> list[Creator]:
    """Track ordinary creators of the sandbox, and return them."""
    creators = sandbox.world.creators(platform, CreatorKind.NORMAL)
    tracked = [next(creators) for _ in range(count)]
    for creator in tracked:
        build.track(organization, build.creator(creator))
    return tracked


def run_trigger(instance: InstanceStandIn | None) -> TriggerEvent:
    """Run the trigger of an instance, and return the event that ends the instance."""

    async def run() -> list[TriggerEvent]:
        return [event async for event in started.run()]

    started = FetchBloggersTrigger()  # type: ignore[no-untyped-call] # Airflow's own __init__ has no types
    started.task_instance = instance  # type: ignore[assignment] # a stand-in for the task instance
    (event,) = asyncio.run(run())
    return event
