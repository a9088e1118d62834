"""The consumer of the thumbnail queue: contracts section 6."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator

import pytest
from psycopg_pool import ConnectionPool

from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.domain.errors import StorageError
from blogger_tracking.domain.models import Platform
from blogger_tracking.settings import Settings
from blogger_tracking.usecases.store_thumbnails import ThumbnailStorer
from devtools.platform_sandbox import Fault, FaultKind, SandboxServer
from tests.support.database_builder import DatabaseBuilder
from tests.support.queue_steps import ShiftedClock, plan_one, queue_pictures

SPECIAL = ("missing", "redirect", "redirect-loop", "html", "huge")


class Shelf:
    """A PictureStore that keeps everything it was ever given, and may be out of order."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.out_of_order = False
        self._lock = threading.Lock()

    def write(self, key: str, content: bytes) -> str:
        if self.out_of_order or not content:
            raise StorageError("the disk is full")
        with self._lock:
            self.written.append(key)
        return f"shelf/{key}"


class Consumer:
    """Runs a consumer to its end."""

    def __init__(self, pool: ConnectionPool, clock: ShiftedClock) -> None:
        self.pool = pool
        self.clock = clock
        self.shelf = Shelf()

    def run(self, **changed: object) -> Counter[str]:
        usual = {"thumbnail_allow_loopback": True, "thumbnail_threads": 4, "thumbnail_messages": 5}
        settings = Settings.model_validate(usual | changed)
        return ThumbnailStorer(self.pool, self.shelf, settings, self.clock.clock).run()


@pytest.fixture
def consumer(pool: ConnectionPool, clock: ShiftedClock) -> Consumer:
    return Consumer(pool, clock)


@pytest.fixture(autouse=True)
def invariants_hold(pool: ConnectionPool) -> Iterator[None]:
    yield
    with pool.connection() as connection:
        assert not any(check_invariants(connection).values())


def address(sandbox: SandboxServer, thumbnail: str) -> str:
    return f"{sandbox.base_url}/thumbnails/youtube/{thumbnail}.jpg"


def states(build: DatabaseBuilder) -> list[tuple[int, bool, bool, str | None]]:
    """Attempts, done, parked and last error of each message."""
    return build.rows("""
        select attempts, done_at is not null, parked_at is not null, last_error from thumbnail_queue order by id
    """)


def test_every_picture_is_stored_once_under_platform_and_id_and_its_place_recorded(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer
) -> None:
    queue_pictures(build, consumer.pool, [address(sandbox, f"picture-{number}") for number in range(12)])
    assert consumer.run() == {"stored": 12, "skipped": 0, "failed": 0}
    assert sorted(consumer.shelf.written) == sorted(f"tiktok/{number}.jpg" for number in range(1, 13))
    recorded = build.rows("select external_video_id, thumbnail_path from videos")
    assert set(recorded) == {(str(number), f"shelf/tiktok/{number}.jpg") for number in range(1, 13)}
    assert consumer.run() == {}


def test_a_picture_that_is_stored_already_is_not_downloaded_again(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer
) -> None:
    queue_pictures(build, consumer.pool, [address(sandbox, "one")])
    build.run("update videos set thumbnail_path = 'shelf/tiktok/1.jpg'")
    assert consumer.run() == {"stored": 0, "skipped": 1, "failed": 0}
    assert sandbox.request_count("YouTube", "thumbnail") == 0


@pytest.mark.parametrize(
    ("thumbnail", "reason"),
    [
        ("missing", "HTTP 404"),
        ("redirect", "169.254.169.254"),
        ("redirect-loop", "redirected more than"),
        ("html", "no picture"),
        ("huge", "larger than"),
    ],
)
def test_an_address_without_a_picture_is_parked_at_once_with_its_reason(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer, thumbnail: str, reason: str
) -> None:
    queue_pictures(build, consumer.pool, [address(sandbox, thumbnail)])
    assert consumer.run() == {"stored": 0, "skipped": 0, "failed": 1}
    ((attempts, done, parked, last_error),) = states(build)
    assert (attempts, done, parked) == (1, False, True)
    assert last_error
    assert reason in last_error
    consumer.clock.wait(days=1)
    assert consumer.run() == {}


def test_without_the_sandboxs_setting_loopback_is_refused(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer
) -> None:
    queue_pictures(build, consumer.pool, [address(sandbox, "one")])
    consumer.run(thumbnail_allow_loopback=False)
    assert states(build)[0][2]
    assert sandbox.request_count("YouTube", "thumbnail") == 0


def test_a_server_in_trouble_is_asked_again_after_a_pause(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer
) -> None:
    queue_pictures(build, consumer.pool, [address(sandbox, "one")])
    sandbox.add_fault(Fault(FaultKind.UNAVAILABLE, path="thumbnails", times=1))
    assert consumer.run() == {"stored": 0, "skipped": 0, "failed": 1}
    assert consumer.run() == {}
    consumer.clock.wait(minutes=1)
    assert consumer.run() == {"stored": 1, "skipped": 0, "failed": 0}


def test_a_storage_out_of_order_costs_an_attempt_and_loses_nothing(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer
) -> None:
    queue_pictures(build, consumer.pool, [address(sandbox, "one")])
    consumer.shelf.out_of_order = True
    consumer.run()
    assert states(build) == [(1, False, False, "the disk is full")]
    consumer.shelf.out_of_order = False
    consumer.clock.wait(minutes=1)
    assert consumer.run()["stored"] == 1


def test_one_bad_address_holds_up_no_other(build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer) -> None:
    queue_pictures(build, consumer.pool, [address(sandbox, thumbnail) for thumbnail in (*SPECIAL, "a", "b", "c")])
    assert consumer.run() == {"stored": 3, "skipped": 0, "failed": 5}


def test_a_consumer_that_starts_before_the_fetches_waits_for_their_pictures(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch_id = plan_one(build, consumer.pool, Platform.TIKTOK, 10)

    def fetch_meanwhile(_: float) -> None:
        queue_pictures(build, consumer.pool, [address(sandbox, "one")])
        build.run("update fetches set state = 'released' where id = %(id)s", id=fetch_id)
        build.run("update fetch_allocations set reserved = 0")
        build.run("update subscription_usage set reserved = 0")

    monkeypatch.setattr(consumer.clock, "sleep", fetch_meanwhile)
    assert consumer.run() == {"stored": 1, "skipped": 0, "failed": 0}


def test_three_consumers_at_once_store_each_picture_once(
    build: DatabaseBuilder, sandbox: SandboxServer, consumer: Consumer
) -> None:
    queue_pictures(build, consumer.pool, [address(sandbox, f"picture-{number}") for number in range(40)])
    threads = [threading.Thread(target=consumer.run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(consumer.shelf.written) == sorted(f"tiktok/{number}.jpg" for number in range(1, 41))
    assert {state[:3] for state in states(build)} == {(1, True, False)}
