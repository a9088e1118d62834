"""Tasks of the queue consumers, without any Airflow process."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from blogger_tracking.database.runs import RunKey
from blogger_tracking.domain.errors import ConfigurationError
from blogger_tracking.domain.models import Platform
from blogger_tracking.orchestration import connected_services
from blogger_tracking.orchestration.batch_tasks import BATCH_DAG_ID
from blogger_tracking.orchestration.connected_services import database_pool
from blogger_tracking.orchestration.fetch_operator import FetchBloggersOperator
from blogger_tracking.orchestration.queue_tasks import refresh_statistics, store_thumbnails
from blogger_tracking.settings import get_settings
from devtools.platform_sandbox import SandboxServer
from tests.orchestration.conftest import InstanceStandIn, track
from tests.support.database_builder import DatabaseBuilder
from tests.support.ledger_steps import plan

pytestmark = pytest.mark.usefixtures("connections")


@pytest.fixture
def fetched(request: pytest.FixtureRequest, build: DatabaseBuilder, sandbox: SandboxServer, organization: UUID) -> None:
    """Fetch one YouTube channel, whose ten videos then wait in both queues."""
    request.getfixturevalue("connections")
    track(build, sandbox, organization, Platform.YOUTUBE)
    instance = InstanceStandIn("fetch_youtube")
    plan(database_pool(), RunKey(get_settings().deployment, BATCH_DAG_ID, instance.run_id))
    FetchBloggersOperator(task_id=instance.task_id, deferrable=False).execute({"ti": instance})  # type: ignore[typeddict-item] # a stand-in for the task instance
    build.run("update runs set ended_at = clock_timestamp()")


@pytest.mark.usefixtures("fetched")
def test_the_statistics_task_fills_one_call_and_returns_a_summary(build: DatabaseBuilder) -> None:
    summary = refresh_statistics.function()
    assert (summary["calls"], summary["videos"], summary["parked"]) == (1, 10, 0)
    assert build.value("select count(*) from video_statistics") == 10


@pytest.mark.usefixtures("fetched")
def test_the_thumbnail_task_stores_every_thumbnail_and_returns_a_summary(
    build: DatabaseBuilder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BLOGGER_TRACKING_THUMBNAIL_STORAGE", f"file://{tmp_path}")
    monkeypatch.setenv("BLOGGER_TRACKING_THUMBNAIL_ALLOW_PRIVATE", "true")
    get_settings.cache_clear()
    summary = store_thumbnails.function()
    assert (summary["stored"], summary["failed"], summary["parked"]) == (10, 0, 0)
    assert len(list((tmp_path / "youtube").iterdir())) == 10
    assert build.value("select count(*) from videos where thumbnail_path is null") == 0


@pytest.mark.parametrize("consume", [refresh_statistics, store_thumbnails], ids=lambda task: task.function.__name__)
def test_an_empty_queue_is_an_empty_summary(consume: object) -> None:
    assert consume.function() == {}  # type: ignore[attr-defined] # a decorated task


@pytest.mark.usefixtures("fetched")
def test_the_statistics_task_fails_before_it_takes_messages_if_the_client_cannot_look_videos_up(
    build: DatabaseBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiktok = connected_services.platform_service(Platform.TIKTOK)
    monkeypatch.setattr(connected_services, "platform_service", lambda _: tiktok)
    with pytest.raises(ConfigurationError, match="Messages stay in high_priority_queue"):
        refresh_statistics.function()
    assert build.rows("select attempts, done_at from high_priority_queue") == [(0, None)]
