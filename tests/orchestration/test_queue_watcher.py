"""The watcher of a queue: events while messages are due, one query a look, and no end."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from airflow.triggers.base import TriggerEvent

from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.queues import Queue
from blogger_tracking.orchestration.connected_services import database_pool
from blogger_tracking.orchestration.process_cache import clear_process_cache
from blogger_tracking.orchestration.queue_watcher import QueueWatcher
from blogger_tracking.settings import get_settings
from tests.support.database_builder import DatabaseBuilder
from tests.support.queue_steps import queue_thumbnails, queue_videos

pytestmark = pytest.mark.usefixtures("connections")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    set_seconds(monkeypatch, look=0.01, event=0.05)


def set_seconds(monkeypatch: pytest.MonkeyPatch, *, look: float, event: float) -> None:
    monkeypatch.setenv("BLOGGER_TRACKING_QUEUE_LOOK_SECONDS", str(look))
    monkeypatch.setenv("BLOGGER_TRACKING_QUEUE_EVENT_SECONDS", str(event))
    get_settings.cache_clear()


def watch(queue: Queue, seconds: float = 0.5) -> list[TriggerEvent]:
    """Return the events of a watcher within some seconds."""
    events: list[TriggerEvent] = []

    async def collect() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                async for event in QueueWatcher(queue.value).run():
                    events.append(event)  # noqa: PERF401 - a comprehension would be lost at the time-out

    asyncio.run(collect())
    return events


@pytest.mark.parametrize("queue", list(Queue))
def test_an_empty_queue_has_no_event(build: DatabaseBuilder, queue: Queue) -> None:
    del build
    assert watch(queue) == []


def test_due_messages_have_an_event_again_and_again(build: DatabaseBuilder) -> None:
    queue_thumbnails(build, database_pool(), ["https://example.org/1.jpg"])
    queue_videos(build, database_pool(), ["video-1"])
    for queue in Queue:
        events = watch(queue)
        assert 2 <= len(events) <= 10
        assert events[0].payload == {"queue": queue.value}


def test_messages_that_become_due_after_an_empty_look_have_an_event_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As those do that a killed consumer had taken: they are invisible for a while, soon after an event."""
    looks = iter([True, True, False, True, *[False] * 1000])
    set_seconds(monkeypatch, look=0.01, event=1000)
    monkeypatch.setattr(QueueWatcher, "_is_due", lambda _: next(looks))
    assert len(watch(Queue.THUMBNAILS)) == 2


@pytest.mark.parametrize(
    "change",
    [
        "set visible_at = now() + interval '1 minute'",
        "set done_at = now()",
        "set parked_at = now(), last_error = 'dead'",
    ],
    ids=["delayed", "done", "parked"],
)
def test_messages_that_no_consumer_could_take_have_no_event(build: DatabaseBuilder, change: str) -> None:
    queue_thumbnails(build, database_pool(), ["https://example.org/1.jpg"])
    build.run(f"update thumbnail_queue {change}")
    assert watch(Queue.THUMBNAILS) == []


def test_a_suspension_of_youtube_holds_the_events_of_its_queue_alone(build: DatabaseBuilder) -> None:
    queue_thumbnails(build, database_pool(), ["https://example.org/1.jpg"])
    queue_videos(build, database_pool(), ["video-1"])
    build.run(
        "insert into platform_suspensions values (%(platform)s, %(until)s, 'test', now())",
        platform=Platform.YOUTUBE.value,
        until=datetime.now(UTC) + timedelta(hours=1),
    )
    assert watch(Queue.VIDEO_BATCHES) == []
    assert watch(Queue.THUMBNAILS) != []


def test_a_database_that_fails_is_looked_at_again(
    build: DatabaseBuilder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    queue_thumbnails(build, database_pool(), ["https://example.org/1.jpg"])
    monkeypatch.setattr("blogger_tracking.orchestration.process_cache.REMEMBER_FAILURE_SECONDS", 0)
    working = database_pool()
    attempts = 0

    def fail_twice() -> object:
        nonlocal attempts
        attempts += 1
        if attempts <= 2:
            raise OSError("the network is gone")
        return working

    monkeypatch.setattr("blogger_tracking.orchestration.connected_services.database_pool", fail_twice)
    assert watch(Queue.THUMBNAILS) != []
    assert [record.levelname for record in caplog.records if "the network is gone" in record.getMessage()] == [
        "WARNING",
        "WARNING",
    ]
    clear_process_cache()
