"""Poison messages: a message that no consumer can finish is parked alone, and its companions are served."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg_pool import ConnectionPool

from blogger_tracking.domain.models import Platform, YouTubeVideo
from blogger_tracking.domain.platform_errors import ErrorKind, PlatformError
from blogger_tracking.domain.queues import Queue
from blogger_tracking.platforms import PlatformConfig
from blogger_tracking.platforms.youtube import YouTubeService
from blogger_tracking.settings import Settings
from blogger_tracking.usecases.refresh_statistics import StatisticsRefresher, VideoLookup
from devtools.platform_sandbox import SandboxServer
from tests.support import consumer_process
from tests.support.database_builder import DatabaseBuilder
from tests.support.error_bodies import ERROR_BODIES
from tests.support.platform_accounts import KEY
from tests.support.queue_steps import ShiftedClock, queue_thumbnails, queue_videos
from tests.support.scripted_server import Scripted, ScriptedServer
from tests.support.youtube_ids import newest_ids

POISON = "poison-video"
COMPANIONS = 4
PARKED_AFTER = 5


class Spoiled:
    """A client of YouTube that fails or returns nonsense as soon as it is asked for one video."""

    def __init__(self, youtube: YouTubeService, spoil: Callable[[dict[str, YouTubeVideo]], None]) -> None:
        self._youtube = youtube
        self._spoil = spoil

    def get_videos(self, ids: Sequence[str]) -> Mapping[str, YouTubeVideo]:
        found = self._youtube.get_videos(ids)
        if POISON in ids:
            self._spoil(found)
        return found


class Failing:
    """A client of YouTube whose every request fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def get_videos(self, ids: Sequence[str]) -> Mapping[str, YouTubeVideo]:
        del ids
        raise self._error


def raising(error: Exception) -> Callable[[dict[str, YouTubeVideo]], None]:
    def spoil(_: dict[str, YouTubeVideo]) -> None:
        raise error

    return spoil


def return_a_count_that_no_column_holds(found: dict[str, YouTubeVideo]) -> None:
    video = YouTubeVideo(
        external_video_id=POISON,
        platform=Platform.YOUTUBE,
        video_url="https://example.org/",
        title="Poison",
        thumbnail_url=None,
        published_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    found[POISON] = video.model_copy(update={"duration_seconds": 10**30})


def return_something_else(found: dict[str, YouTubeVideo]) -> None:
    found[POISON] = "no video"  # type: ignore[assignment] # the answer of a parser with a fault


@dataclass(frozen=True)
class Consumer:
    """Queues videos, and runs a consumer of the high priority queue until the queue is empty."""

    build: DatabaseBuilder
    pool: ConnectionPool
    sandbox: SandboxServer
    youtube: YouTubeService
    clock: ShiftedClock

    def queue_companions(self, messages: int) -> None:
        for creator in range(messages):
            queue_videos(self.build, self.pool, newest_ids(self.sandbox, 5, creator))

    def queue(self, *video_ids: str) -> None:
        queue_videos(self.build, self.pool, video_ids)

    def run(self, youtube: VideoLookup) -> None:
        settings = Settings(statistics_threads=2, queue_seconds_per_run=30)
        StatisticsRefresher(self.pool, youtube, settings, self.clock.clock).run()


@pytest.fixture
def consumer(
    build: DatabaseBuilder, pool: ConnectionPool, sandbox: SandboxServer, youtube: YouTubeService, clock: ShiftedClock
) -> Consumer:
    return Consumer(build, pool, sandbox, youtube, clock)


def finished_and_parked(build: DatabaseBuilder, queue: Queue) -> tuple[int, list[tuple[int, str]]]:
    done = build.value(f"select count(*) from {queue} where done_at is not null")  # noqa: S608 - a table of this project
    parked = build.rows(f"select attempts, last_error from {queue} where parked_at is not null")  # noqa: S608 - a table of this project
    return done, parked


NO_IDS = ["a,b", "a b", "a&key=b", "ü", "a\nb", "x" * 65, "../a", "\x7f"]


@pytest.mark.parametrize("video_id", NO_IDS)
def test_a_message_of_ids_that_no_video_has_is_parked_alone_and_not_sent(
    build: DatabaseBuilder, consumer: Consumer, video_id: str
) -> None:
    consumer.queue_companions(1)
    consumer.queue(video_id, "x" * 300)
    consumer.run(consumer.youtube)
    done, ((attempts, reason),) = finished_and_parked(build, Queue.VIDEO_BATCHES)
    assert (done, attempts) == (1, 1)
    assert reason.endswith("is no id of a YouTube video")
    assert build.value("select count(*) from platform_suspensions") == 0


@pytest.mark.parametrize("video_id", NO_IDS)
def test_an_id_that_no_video_has_is_left_out_and_the_other_videos_of_its_message_get_statistics(
    build: DatabaseBuilder, consumer: Consumer, video_id: str
) -> None:
    companions = newest_ids(consumer.sandbox, 49)
    consumer.queue(*companions, video_id)
    consumer.run(consumer.youtube)
    assert finished_and_parked(build, Queue.VIDEO_BATCHES) == (1, [])
    assert build.value("select acknowledged @> videos from high_priority_queue")
    with_statistics = build.rows("""
        select external_video_id from videos join video_statistics on video_statistics.video_id = videos.id
    """)
    assert {video_id for (video_id,) in with_statistics} == set(companions)


def test_an_id_that_no_video_has_does_not_finish_a_message_whose_other_videos_wait(
    build: DatabaseBuilder, consumer: Consumer
) -> None:
    consumer.queue(*newest_ids(consumer.sandbox, 2), "a,b")
    unavailable = PlatformError(ErrorKind.UNAVAILABLE, Platform.YOUTUBE, "HTTP 503")
    consumer.run(Failing(unavailable))
    assert build.rows("select acknowledged, done_at, parked_at from high_priority_queue") == [(["a,b"], None, None)]
    consumer.clock.wait(minutes=1)
    consumer.run(consumer.youtube)
    assert finished_and_parked(build, Queue.VIDEO_BATCHES) == (1, [])


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (raising(ValueError("secret text")), "cannot be read (ValueError)"),
        (raising(RecursionError()), "cannot be read (RecursionError)"),
        (raising(MemoryError()), "cannot be read (MemoryError)"),
        (raising(UnicodeDecodeError("utf-8", b"", 0, 1, "")), "cannot be read (UnicodeDecodeError)"),
        (raising(PlatformError(ErrorKind.BAD_REQUEST, Platform.YOUTUBE, "invalidFilters")), "invalidFilters"),
        (return_a_count_that_no_column_holds, "cannot be read (NumericValueOutOfRange)"),
        (return_something_else, "cannot be read (AttributeError)"),
    ],
)
def test_a_message_whose_answer_raises_anything_is_parked_alone_with_the_reason(
    build: DatabaseBuilder, consumer: Consumer, spoil: Callable[[dict[str, YouTubeVideo]], None], reason: str
) -> None:
    consumer.queue_companions(COMPANIONS)
    consumer.queue(POISON)
    consumer.run(Spoiled(consumer.youtube, spoil))
    done, ((attempts, last_error),) = finished_and_parked(build, Queue.VIDEO_BATCHES)
    assert (done, attempts) == (COMPANIONS, 1)
    assert reason in last_error
    assert "secret text" not in last_error


def test_a_malformed_response_that_does_not_pass_is_parked_alone_in_the_end(
    build: DatabaseBuilder, consumer: Consumer
) -> None:
    consumer.queue_companions(1)
    consumer.queue(POISON)
    malformed = PlatformError(ErrorKind.MALFORMED_RESPONSE, Platform.YOUTUBE, "no JSON")
    for _ in range(PARKED_AFTER):
        consumer.run(Spoiled(consumer.youtube, raising(malformed)))
        consumer.clock.wait(hours=1)
    done, ((attempts, reason),) = finished_and_parked(build, Queue.VIDEO_BATCHES)
    assert (done, attempts) == (1, PARKED_AFTER)
    assert "no JSON" in reason


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=10)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["id", "items", "snippet", "statistics", "viewCount", "error", "x"]), inner, max_size=4
        ),
    ),
    max_leaves=12,
)
BODIES = st.one_of(
    st.binary(max_size=200),
    JSON,
    st.builds(lambda items: {"items": items}, st.lists(JSON, max_size=3)),
    ERROR_BODIES,
)


def test_any_answer_ends_every_attempt_with_a_result(build: DatabaseBuilder, consumer: Consumer) -> None:
    consumer.queue("one")
    consumer.queue("two")
    with ScriptedServer() as server:
        config = PlatformConfig.model_validate({"base_url": server.url, "api_key": KEY, "requests_per_second": 10_000})
        youtube = YouTubeService(config, settings=Settings(request_retries=0))

        @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
        @given(body=BODIES, status=st.sampled_from([200, 200, 204, 302, 400, 403, 404, 500]))
        def check(body: bytes | object, status: int) -> None:
            build.run("delete from platform_suspensions")
            build.run("""
                update high_priority_queue
                set attempts = 0, acknowledged = '{}', done_at = null, parked_at = null, receipt = null,
                    visible_at = now() - interval '1 minute'
            """)
            server.play(Scripted(body, status=status))
            consumer.run(youtube)
            assert (
                build.value("select count(*) from high_priority_queue where receipt is not null and done_at is null")
                == 0
            )

        check()


@pytest.mark.parametrize("reason", ["forbidden\x00", "quotaExceeded\ud800"])
def test_a_refusal_with_a_text_that_postgres_cannot_store_suspends_youtube(
    build: DatabaseBuilder, consumer: Consumer, reason: str
) -> None:
    consumer.queue("one")
    with ScriptedServer() as server:
        config = PlatformConfig.model_validate({"base_url": server.url, "api_key": KEY, "requests_per_second": 10_000})
        server.play(Scripted({"error": {"errors": [{"reason": reason}]}}, status=403))
        consumer.run(YouTubeService(config, settings=Settings(request_retries=0)))
    assert build.value("select count(*) from platform_suspensions") == 1
    assert build.value("select receipt is null and attempts = 0 from high_priority_queue")


@pytest.mark.timeout(180)
@pytest.mark.parametrize("queue", list(Queue))
def test_a_message_that_kills_its_consumers_is_parked_alone_and_the_others_are_finished(
    build: DatabaseBuilder, pool: ConnectionPool, pipeline_conninfo: str, sandbox: SandboxServer, queue: Queue
) -> None:
    if queue is Queue.VIDEO_BATCHES:
        for creator in range(COMPANIONS):
            queue_videos(build, pool, newest_ids(sandbox, 5, creator))
        queue_videos(build, pool, [POISON])
        deadly = POISON
    else:
        urls = [f"{sandbox.base_url}/thumbnails/youtube/{number}.jpg" for number in range(COMPANIONS + 1)]
        queue_thumbnails(build, pool, urls)
        deadly = "3"
    deaths = 0
    while run_process(queue, pipeline_conninfo, sandbox, deadly) != 0:
        deaths += 1
        assert deaths <= PARKED_AFTER
        # The visibility timeout of the messages of the dead process.
        build.run(
            f"update {queue} set visible_at = now() "  # noqa: S608 - a table of this project
            "where receipt is not null and done_at is null and parked_at is null"
        )
    assert deaths == PARKED_AFTER
    reason = "not finished within the visibility timeout: its consumers vanished"
    assert finished_and_parked(build, queue) == (COMPANIONS, [(PARKED_AFTER, reason)])


def run_process(queue: Queue, conninfo: str, sandbox: SandboxServer, deadly: str) -> int:
    changed = json.dumps({"thumbnail_allow_private": True, "statistics_threads": 2, "thumbnail_threads": 2})
    return subprocess.run(
        [sys.executable, consumer_process.__file__, queue, conninfo, sandbox.youtube_url, changed, deadly],
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
        cwd=Path(__file__).parent,
        check=False,
        timeout=60,
    ).returncode
