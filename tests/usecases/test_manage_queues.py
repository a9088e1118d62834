"""Counts, parked messages and requeueing of the queues, and the summary of a consumer's run."""

from __future__ import annotations

import logging
import re
from collections import Counter

import pytest
from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.domain.queues import Queue
from blogger_tracking.usecases import manage_queues
from blogger_tracking.usecases.manage_queues import consume, read_queues, requeue
from tests.support.database_builder import DatabaseBuilder
from tests.support.queue_steps import queue_thumbnails


def park_one(build: DatabaseBuilder) -> int:
    parked: int = build.value("""
        update thumbnail_queue set parked_at = clock_timestamp(), last_error = 'HTTP 404'
        where id = (select min(id) from thumbnail_queue) returning id
    """)
    return parked


@pytest.fixture
def parked(build: DatabaseBuilder, pool: ConnectionPool) -> int:
    """Park one of three messages in the thumbnail queue; return the id of the parked message."""
    queue_thumbnails(build, pool, [f"https://example.org/{number}.jpg" for number in range(3)])
    return park_one(build)


def test_the_state_of_a_queue_has_its_counts_and_its_parked_messages_with_reasons(
    admin: Connection, parked: int
) -> None:
    states = {state.queue: state for state in read_queues(admin)}
    assert set(states) == set(Queue)
    counts = states[Queue.THUMBNAILS].counts
    assert (counts.waiting, counts.done, counts.parked) == (2, 0, 1)
    assert [(message.id, message.last_error) for message in states[Queue.THUMBNAILS].parked] == [(parked, "HTTP 404")]


def test_a_requeued_message_is_no_longer_parked(admin: Connection, parked: int) -> None:
    assert requeue(admin, Queue.THUMBNAILS) == [parked]
    assert {state.counts.parked for state in read_queues(admin)} == {0}


def test_the_summary_of_a_run_counts_and_logs_messages_parked_meanwhile_and_no_older_ones(
    build: DatabaseBuilder, pool: ConnectionPool, parked: int, caplog: pytest.LogCaptureFixture
) -> None:
    def run() -> Counter[str]:
        build.run("update thumbnail_queue set parked_at = parked_at - interval '1 hour' where id = %(id)s", id=parked)
        build.run("""
            update thumbnail_queue set parked_at = clock_timestamp(), last_error = 'larger than 10 bytes'
            where id = (select max(id) from thumbnail_queue)
        """)
        return Counter(stored=1, failed=1)

    with caplog.at_level(logging.WARNING):
        assert consume(pool, Queue.THUMBNAILS, run) == {"stored": 1, "failed": 1, "parked": 1}
    assert "larger than 10 bytes" in caplog.text
    assert "HTTP 404" not in caplog.text


def test_the_summary_counts_all_parked_messages_and_the_log_names_the_newest(
    build: DatabaseBuilder, pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(manage_queues, "MAX_LISTED_PARKED", 2)
    queue_thumbnails(build, pool, [f"https://example.org/{number}.jpg" for number in range(5)])

    def run() -> Counter[str]:
        for _ in range(5):
            build.run("""
                update thumbnail_queue set parked_at = clock_timestamp(), last_error = 'HTTP 404'
                where id = (select min(id) from thumbnail_queue where parked_at is null)
            """)
        return Counter(failed=5)

    with caplog.at_level(logging.WARNING):
        assert consume(pool, Queue.THUMBNAILS, run) == {"failed": 5, "parked": 5}
    newest = build.rows("select id from thumbnail_queue order by id desc limit 2")
    # Pools of connections may log as well.
    warnings = [each for each in caplog.records if (each.name, each.levelname) == (manage_queues.__name__, "WARNING")]
    *parked, others = [warning.getMessage() for warning in warnings]
    named = [re.findall(r"^Message (\d+) of", message) for message in parked]
    assert named == [[str(message_id)] for (message_id,) in newest]
    assert others.startswith("And 3 more messages of thumbnail_queue are parked")


def test_the_summary_of_a_run_without_work_is_empty(pool: ConnectionPool) -> None:
    assert consume(pool, Queue.THUMBNAILS, Counter) == {}
