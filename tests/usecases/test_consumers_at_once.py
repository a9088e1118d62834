"""Several consumers at once, one of which is killed: every message is done once, and no statistics are lost."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from psycopg_pool import ConnectionPool

from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.domain.queues import Queue
from blogger_tracking.platforms.youtube import YouTubeService
from blogger_tracking.settings import Settings
from blogger_tracking.usecases.refresh_statistics import StatisticsRefresher
from devtools.platform_sandbox import Fault, FaultKind, LoggedRequest, SandboxServer
from tests.support import consumer_process
from tests.support.database_builder import DatabaseBuilder
from tests.support.queue_steps import ShiftedClock, queue_videos
from tests.support.youtube_ids import newest_ids

MESSAGES = 20
VIDEOS = 30
TAKEN_BY_THE_VICTIM = 4


def start_victim(conninfo: str, sandbox: SandboxServer) -> subprocess.Popen[bytes]:
    """Return a consumer process that has taken messages and hangs in its first call."""
    arrived = threading.Event()
    add = sandbox.log.add

    def add_and_notify(entry: LoggedRequest, video_ids: int = 0) -> None:
        add(entry, video_ids)
        arrived.set()

    sandbox.log.add = add_and_notify  # type: ignore[method-assign] # the log has no other notification
    sandbox.add_fault(Fault(FaultKind.HANG, path="videos", times=1, seconds=3600))
    settings = {"statistics_messages": TAKEN_BY_THE_VICTIM, "statistics_threads": 1}
    victim = subprocess.Popen(
        [
            *(sys.executable, consumer_process.__file__, Queue.VIDEO_BATCHES, conninfo, sandbox.youtube_url),
            *(json.dumps(settings), "no video"),
        ],
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
        cwd=Path(__file__).parent,
    )
    assert arrived.wait(60)
    return victim


@pytest.mark.timeout(120)
def test_three_consumers_of_which_one_is_killed_finish_every_message_once(
    build: DatabaseBuilder,
    pool: ConnectionPool,
    pipeline_conninfo: str,
    sandbox: SandboxServer,
    youtube: YouTubeService,
    clock: ShiftedClock,
) -> None:
    for creator in range(MESSAGES):
        queue_videos(build, pool, newest_ids(sandbox, VIDEOS, creator))
    victim = start_victim(pipeline_conninfo, sandbox)
    settings = Settings(statistics_messages=3, statistics_threads=2)
    done: list[Counter[str]] = []
    others = [
        threading.Thread(target=lambda: done.append(StatisticsRefresher(pool, youtube, settings, clock.clock).run()))
        for _ in range(2)
    ]
    for other in others:
        other.start()
    victim.kill()
    victim.wait()
    for other in others:
        other.join()
    saved = sum(counts["videos"] for counts in done)
    assert saved == MESSAGES * VIDEOS
    assert build.rows("select count(*), count(done_at), sum(attempts) from high_priority_queue") == [
        (MESSAGES, MESSAGES, MESSAGES + TAKEN_BY_THE_VICTIM)
    ]
    assert build.value("select count(*) from video_statistics where views is not null") == MESSAGES * VIDEOS
    with pool.connection() as connection:
        assert not any(check_invariants(connection).values())
