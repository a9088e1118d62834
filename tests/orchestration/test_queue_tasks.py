"""The consumer tasks, called as functions: the use case behind each task runs with the project's Connections."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk import ObjectStoragePath
from psycopg_pool import ConnectionPool

from blogger_tracking.domain.errors import ConfigurationError
from blogger_tracking.domain.models import Platform
from blogger_tracking.orchestration import connections, thumbnail_store
from blogger_tracking.orchestration.queue_tasks import refresh_statistics, store_thumbnails
from blogger_tracking.orchestration.thumbnail_store import ObjectThumbnailStore
from blogger_tracking.platforms import PlatformConfig, create_service
from blogger_tracking.platforms.youtube import YouTubeService
from tests.support.database_builder import DatabaseBuilder
from tests.support.platform_accounts import KEY
from tests.support.queue_steps import queue_thumbnails, queue_videos


@pytest.fixture(autouse=True)
def connection_to_the_test_database(pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "database_pool", lambda: pool)


def serve(monkeypatch: pytest.MonkeyPatch, platform: Platform) -> None:
    """Let the Connection of every platform lead to a client of `platform`."""
    config = PlatformConfig.model_validate({"base_url": "http://localhost", "api_key": KEY})
    service = create_service(platform, config)
    monkeypatch.setattr(connections, "platform_service", lambda _: service)


def test_refresh_statistics_requests_the_queued_videos_and_returns_the_counts(
    build: DatabaseBuilder, pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_videos(build, pool, ["video-1", "video-2"])
    monkeypatch.setattr(YouTubeService, "get_videos", lambda *_: {})
    serve(monkeypatch, Platform.YOUTUBE)
    assert refresh_statistics.function() == {"calls": 1, "videos": 2, "unseen": 2, "parked": 0}


def test_refresh_statistics_fails_before_it_takes_messages_if_the_client_cannot_look_videos_up(
    build: DatabaseBuilder, pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_videos(build, pool, ["video-1"])
    serve(monkeypatch, Platform.TIKTOK)
    with pytest.raises(ConfigurationError, match="Messages stay in high_priority_queue"):
        refresh_statistics.function()
    assert build.rows("select attempts, done_at from high_priority_queue") == [(0, None)]


def test_store_thumbnails_returns_the_counts_with_the_parked_messages(
    build: DatabaseBuilder, pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store = ObjectThumbnailStore(ObjectStoragePath(f"file://{tmp_path}"))
    monkeypatch.setattr(thumbnail_store, "thumbnail_store", lambda: store)
    queue_thumbnails(build, pool, ["https://127.0.0.1/private.jpg"])
    assert store_thumbnails.function() == {"stored": 0, "skipped": 0, "failed": 1, "parked": 1}
    assert list(tmp_path.iterdir()) == []
