"""Rules of the consumer of the thumbnail queue."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath
from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.database import message_queues
from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.database.message_queues import Delivery
from blogger_tracking.domain.errors import StorageError, ThumbnailError
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.queues import Queue
from blogger_tracking.orchestration.thumbnail_store import ObjectThumbnailStore
from blogger_tracking.settings import Settings
from blogger_tracking.thumbnails.download import Thumbnail, ThumbnailDownloader
from blogger_tracking.usecases import store_thumbnails
from blogger_tracking.usecases.store_thumbnails import ThumbnailStorer
from devtools.platform_sandbox import Fault, FaultKind, SandboxServer
from tests.support.database_builder import DatabaseBuilder
from tests.support.queue_steps import ShiftedClock, plan_one, queue_thumbnails

SPECIAL = ("missing", "redirect", "redirect-loop", "html", "huge")


class RecordingStore:
    """A ThumbnailStore that records the keys of all writes, and can be set to fail."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.removed: list[str] = []
        self.on_write: Callable[[], object] = lambda: None
        self.failing = False
        self._lock = threading.Lock()

    def write(self, key: str, content: bytes) -> str:
        if self.failing or not content:
            raise StorageError("the disk is full")
        with self._lock:
            self.written.append(key)
        self.on_write()
        return f"stored/{key}"

    def remove(self, path: str) -> None:
        self.removed.append(path)


class Consumer:
    """Runs a consumer until the queue is empty."""

    def __init__(self, pool: ConnectionPool, clock: ShiftedClock) -> None:
        self.pool = pool
        self.clock = clock
        self.store = RecordingStore()

    def run(self, **changed: object) -> Counter[str]:
        defaults = {"thumbnail_allow_private": True, "thumbnail_threads": 4, "thumbnail_messages": 5}
        settings = Settings.model_validate(defaults | changed)
        return ThumbnailStorer(self.pool, self.store, settings, self.clock.clock).run()


@pytest.fixture
def consumer(pool: ConnectionPool, clock: ShiftedClock) -> Consumer:
    return Consumer(pool, clock)


@pytest.fixture(autouse=True)
def invariants_hold(pool: ConnectionPool) -> Iterator[None]:
    yield
    with pool.connection() as connection:
        assert not any(check_invariants(connection).values())


def thumbnail_url(sandbox: SandboxServer, thumbnail: str) -> str:
    return f"{sandbox.base_url}/thumbnails/youtube/{thumbnail}.jpg"


def states(build: DatabaseBuilder) -> list[tuple[int, bool, bool, str | None]]:
    """Return attempts, done, parked and last error of each message."""
    return build.rows("""
        select attempts, done_at is not null, parked_at is not null, last_error from thumbnail_queue order by id
    """)


def test_every_thumbnail_is_stored_once_under_platform_and_video_id_and_its_path_saved(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer
) -> None:
    queue_thumbnails(build, consumer.pool, [thumbnail_url(sandbox, f"thumbnail-{number}") for number in range(12)])
    assert consumer.run() == {"stored": 12, "skipped": 0, "failed": 0}
    assert sorted(consumer.store.written) == sorted(f"tiktok/{number}.jpg" for number in range(1, 13))
    saved = build.rows("select external_video_id, thumbnail_path from videos")
    assert set(saved) == {(str(number), f"stored/tiktok/{number}.jpg") for number in range(1, 13)}
    assert consumer.run() == {}


def test_the_thumbnail_of_a_video_that_is_removed_meanwhile_does_not_stay_in_the_storage(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer
) -> None:
    queue_thumbnails(build, consumer.pool, [thumbnail_url(sandbox, "one"), thumbnail_url(sandbox, "two")])
    consumer.store.on_write = lambda: build.run("delete from videos where external_video_id = '2'")
    consumer.run()
    assert consumer.store.removed == ["stored/tiktok/2.jpg"]
    assert build.rows("select thumbnail_path from videos") == [("stored/tiktok/1.jpg",)]


def test_a_video_that_is_removed_before_its_download_is_passed_over(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_thumbnails(build, consumer.pool, [thumbnail_url(sandbox, "one"), thumbnail_url(sandbox, "two")])
    take_messages = message_queues.take_messages

    def take_and_remove(connection: Connection, queue: Queue, moment: datetime, **options: Any) -> Delivery:  # noqa: ANN401
        taken = take_messages(connection, queue, moment, **options)
        build.run("delete from videos where external_video_id = '2'")
        return taken

    monkeypatch.setattr(store_thumbnails, "take_messages", take_and_remove)
    assert consumer.run() == {"stored": 1, "skipped": 0, "failed": 0}
    assert consumer.store.written == ["tiktok/1.jpg"]


def test_a_stored_thumbnail_is_not_downloaded_again(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer
) -> None:
    queue_thumbnails(build, consumer.pool, [thumbnail_url(sandbox, "one")])
    build.run("update videos set thumbnail_path = 'stored/tiktok/1.jpg'")
    assert consumer.run() == {"stored": 0, "skipped": 1, "failed": 0}
    assert sandbox.request_count("YouTube", "thumbnail") == 0


@pytest.mark.parametrize(
    ("thumbnail", "reason"),
    [
        ("missing", "HTTP 404"),
        ("redirect", "169.254.169.254"),
        ("redirect-loop", "redirected more than"),
        ("html", "not an image"),
        ("huge", "larger than"),
    ],
)
def test_a_url_without_an_image_is_parked_with_its_reason_after_five_attempts(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer, thumbnail: str, reason: str
) -> None:
    queue_thumbnails(build, consumer.pool, [thumbnail_url(sandbox, thumbnail)])
    for attempt in range(1, 6):
        assert consumer.run() == {"stored": 0, "skipped": 0, "failed": 1}
        ((attempts, done, parked, last_error),) = states(build)
        # The huge response is a JPEG above the limit: no later attempt could store it.
        final = thumbnail == "huge"
        assert (attempts, done, parked) == (attempt, False, final or attempt == 5)
        assert last_error
        assert reason in last_error
        consumer.clock.wait(hours=1)
        if final:
            break
    consumer.clock.wait(days=1)
    assert consumer.run() == {}


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.EMPTY_BODY,
        FaultKind.HTML_BODY,
        FaultKind.NOT_FOUND,
        FaultKind.REDIRECT,
        FaultKind.REDIRECT_LOOP,
        FaultKind.AUTOMATED_QUERIES,
        FaultKind.SORRY_REDIRECT,
        FaultKind.SERVER_ERROR,
        FaultKind.RESET,
    ],
)
def test_half_a_minute_of_faults_of_a_picture_server_parks_nothing(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer, kind: FaultKind
) -> None:
    queue_thumbnails(build, consumer.pool, [thumbnail_url(sandbox, f"thumbnail-{number}") for number in range(60)])
    sandbox.add_fault(Fault(kind, path="thumbnails"))
    assert consumer.run() == {"stored": 0, "skipped": 0, "failed": 60}
    consumer.clock.wait(seconds=30)
    sandbox.clear_faults()
    consumer.clock.wait(seconds=30)
    assert consumer.run() == {"stored": 60, "skipped": 0, "failed": 0}
    assert {state[:3] for state in states(build)} == {(2, True, False)}


def test_a_message_that_makes_a_parser_raise_is_tried_again_alone_and_parked_after_five_attempts(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = [thumbnail_url(sandbox, name) for name in ("one", "hostile", "two")]
    queue_thumbnails(build, consumer.pool, urls)
    download = ThumbnailDownloader.download

    def raising(downloader: ThumbnailDownloader, url: str) -> Thumbnail:
        if "hostile" in url:
            raise LookupError(url)
        return download(downloader, url)

    monkeypatch.setattr(ThumbnailDownloader, "download", raising)
    assert consumer.run() == {"stored": 2, "skipped": 0, "failed": 1}
    error = "the URL or the response cannot be read (LookupError)"
    assert states(build) == [(1, True, False, None), (1, False, False, error), (1, True, False, None)]
    for _ in range(4):
        consumer.clock.wait(hours=1)
        consumer.run()
    assert states(build)[1] == (5, False, True, error)


def test_a_reason_with_a_nul_is_stored_without_it(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_thumbnails(build, consumer.pool, [thumbnail_url(sandbox, "one")])

    def raising(_downloader: ThumbnailDownloader, _url: str) -> Thumbnail:
        raise ThumbnailError("the host a\x00b was not found", final=True)

    monkeypatch.setattr(ThumbnailDownloader, "download", raising)
    consumer.run()
    assert [error for *_, error in states(build)] == ["the host ab was not found"]


def test_loopback_addresses_are_refused_without_the_setting_for_the_sandbox(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer
) -> None:
    queue_thumbnails(build, consumer.pool, [thumbnail_url(sandbox, "one")])
    consumer.run(thumbnail_allow_private=False)
    assert states(build)[0][2]
    assert sandbox.request_count("YouTube", "thumbnail") == 0


def test_an_unavailable_server_is_tried_again_after_the_retry_delay(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer
) -> None:
    queue_thumbnails(build, consumer.pool, [thumbnail_url(sandbox, "one")])
    sandbox.add_fault(Fault(FaultKind.UNAVAILABLE, path="thumbnails", times=1))
    assert consumer.run() == {"stored": 0, "skipped": 0, "failed": 1}
    assert consumer.run() == {}
    consumer.clock.wait(minutes=1)
    assert consumer.run() == {"stored": 1, "skipped": 0, "failed": 0}


def test_a_storage_that_refuses_everything_ends_the_run_with_an_error_and_costs_no_attempt(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer
) -> None:
    queue_thumbnails(build, consumer.pool, [thumbnail_url(sandbox, name) for name in ("one", "two")])
    consumer.store.failing = True
    for _ in range(7):
        with pytest.raises(StorageError, match=r"2 thumbnails were not stored.*the disk is full"):
            consumer.run()
        assert states(build) == [(0, False, False, "the disk is full")] * 2
        assert consumer.run() == {}
        consumer.clock.wait(minutes=5)
    consumer.store.failing = False
    assert consumer.run() == {"stored": 2, "skipped": 0, "failed": 0}


def test_a_storage_that_refuses_everything_is_one_error_for_sentry_until_new_messages_come(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer, caplog: pytest.LogCaptureFixture
) -> None:
    queue_thumbnails(build, consumer.pool, [thumbnail_url(sandbox, name) for name in ("one", "two")])
    consumer.store.failing = True
    errors = []
    for _ in range(3):
        with pytest.raises(StorageError):
            consumer.run()
        errors.append([
            getattr(record, "fingerprint", None) for record in caplog.records if record.levelname == "ERROR"
        ])
        caplog.clear()
        consumer.clock.wait(minutes=5)
    assert errors == [[("thumbnail_queue", "storage_refused")], [], []]
    queue_thumbnails(build, consumer.pool, [thumbnail_url(sandbox, "three")], first=3)
    with pytest.raises(StorageError):
        consumer.run()
    assert [record.levelname for record in caplog.records].count("ERROR") == 1


def test_a_storage_that_refuses_one_thumbnail_costs_no_attempt_and_the_others_are_stored(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_thumbnails(build, consumer.pool, [thumbnail_url(sandbox, name) for name in ("one", "two")])
    write = consumer.store.write

    def refuse_the_first(key: str, content: bytes) -> str:
        if key == "tiktok/1.jpg":
            raise StorageError("too many requests")
        return write(key, content)

    monkeypatch.setattr(consumer.store, "write", refuse_the_first)
    assert consumer.run() == {"stored": 1, "skipped": 0, "failed": 0}
    assert states(build) == [(0, False, False, "too many requests"), (1, True, False, None)]


@pytest.mark.parametrize("video_id", ["9" * 300, "../../etc/passwd", "nächste/Folge", "a" * 64 + "b", ".."])
def test_a_thumbnail_of_any_video_id_is_stored_under_a_short_name_of_its_own(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer, tmp_path: Path, video_id: str
) -> None:
    queue_thumbnails(build, consumer.pool, [thumbnail_url(sandbox, name) for name in ("one", "two")])
    build.run("update videos set external_video_id = %(id)s where external_video_id = '1'", id=video_id)
    build.run("update videos set external_video_id = %(id)s where external_video_id = '2'", id=video_id + "x")
    settings = Settings(thumbnail_allow_private=True)
    store = ObjectThumbnailStore(ObjectStoragePath(f"file://{tmp_path}"))
    assert ThumbnailStorer(consumer.pool, store, settings, consumer.clock.clock).run()["stored"] == 2
    files = list(tmp_path.rglob("*.jpg"))
    assert {file.parent for file in files} == {tmp_path / "tiktok"}
    assert len(files) == 2
    assert set(build.rows("select thumbnail_path from videos")) == {(f"file://{file}",) for file in files}


def test_bad_urls_do_not_stop_the_other_thumbnails(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer
) -> None:
    queue_thumbnails(
        build, consumer.pool, [thumbnail_url(sandbox, thumbnail) for thumbnail in (*SPECIAL, "a", "b", "c")]
    )
    assert consumer.run() == {"stored": 3, "skipped": 0, "failed": 5}


def test_a_consumer_that_starts_before_the_fetches_waits_for_their_thumbnails(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch_id = plan_one(build, consumer.pool, Platform.TIKTOK, 10)

    def settle_fetch_meanwhile(_: float) -> None:
        queue_thumbnails(build, consumer.pool, [thumbnail_url(sandbox, "one")])
        build.run("update fetches set state = 'released' where id = %(id)s", id=fetch_id)
        build.run("update fetch_allocations set reserved = 0")
        build.run("update subscription_usage set reserved = 0")

    monkeypatch.setattr(consumer.clock, "sleep", settle_fetch_meanwhile)
    assert consumer.run() == {"stored": 1, "skipped": 0, "failed": 0}


def test_three_consumers_at_once_store_each_thumbnail_once(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer
) -> None:
    queue_thumbnails(build, consumer.pool, [thumbnail_url(sandbox, f"thumbnail-{number}") for number in range(40)])
    threads = [threading.Thread(target=consumer.run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(consumer.store.written) == sorted(f"tiktok/{number}.jpg" for number in range(1, 41))
    assert {state[:3] for state in states(build)} == {(1, True, False)}
