"""The two queues: contracts section 6. Every rule holds for both."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from psycopg_pool import ConnectionPool

from blogger_tracking.database.message_queues import (
    Delivery,
    FailedMessage,
    count_messages,
    fail,
    finish,
    give_back,
    list_parked,
    requeue_parked,
    take,
)
from blogger_tracking.domain.queues import Queue
from tests.support.database_builder import DatabaseBuilder
from tests.support.queue_steps import queue_pictures, queue_videos

MINUTE = timedelta(minutes=1)
VISIBILITY = 10 * MINUTE


class Line:
    """One of the queues with three messages in it, and one consumer's view of it at a time that the test moves."""

    def __init__(self, queue: Queue, pool: ConnectionPool) -> None:
        self.queue = queue
        self.pool = pool
        self.now = datetime.now(UTC)

    def take(self, limit: int = 10) -> Delivery:
        with self.pool.connection() as connection:
            return take(connection, self.queue, self.now, limit=limit, visibility=VISIBILITY)

    def finish(self, delivery: Delivery) -> None:
        with self.pool.connection() as connection:
            finish(connection, self.queue, delivery.receipt, ids(delivery), self.now)

    def fail(self, delivery: Delivery, reason: str = "503", *, final: bool = False) -> None:
        failures = [FailedMessage(message_id, reason, final) for message_id in ids(delivery)]
        with self.pool.connection() as connection:
            fail(connection, self.queue, delivery.receipt, failures, self.now)

    def give_back(self, delivery: Delivery, visible_at: datetime) -> int:
        with self.pool.connection() as connection:
            return give_back(connection, self.queue, delivery, visible_at, "quota gone")

    def requeue(self, message_ids: list[int] | None = None) -> list[int]:
        with self.pool.connection() as connection:
            return requeue_parked(connection, self.queue, self.now, message_ids)

    def counts(self) -> tuple[int, int, int]:
        with self.pool.connection() as connection:
            counts = count_messages(connection, self.queue)
        return counts.waiting, counts.done, counts.parked

    def parked(self) -> list[tuple[int, str]]:
        with self.pool.connection() as connection:
            return [(message.id, message.last_error) for message in list_parked(connection, self.queue, 10)]


def ids(delivery: Delivery) -> list[int]:
    return [message.id for message in delivery.messages]


@pytest.fixture(params=list(Queue))
def line(request: pytest.FixtureRequest, build: DatabaseBuilder, pool: ConnectionPool) -> Line:
    if request.param is Queue.VIDEO_BATCHES:
        queue_videos(build, pool, [f"video-{number}" for number in range(120)])
    else:
        queue_pictures(build, pool, [f"https://example.org/{number}.jpg" for number in range(3)])
    return Line(request.param, pool)


def test_what_one_consumer_took_no_other_sees(line: Line) -> None:
    first, second, third = line.take(2), line.take(2), line.take(2)
    assert (len(first.messages), len(second.messages), len(third.messages)) == (2, 1, 0)
    assert not set(ids(first)) & set(ids(second))


def test_consumers_that_take_at_the_same_moment_get_different_messages(line: Line) -> None:
    with line.pool.connection() as one, one.transaction():
        first = take(one, line.queue, line.now, limit=2, visibility=VISIBILITY)
        assert set(ids(line.take())).isdisjoint(ids(first))


def test_a_message_that_nobody_answered_for_comes_back_after_the_visibility_timeout(line: Line) -> None:
    lost = line.take()
    line.now += VISIBILITY - timedelta(seconds=1)
    assert not line.take().messages
    line.now += timedelta(seconds=1)
    assert ids(line.take()) == ids(lost)


def test_a_finished_message_is_never_seen_again_and_stays_as_a_row(line: Line) -> None:
    line.finish(line.take())
    line.now += timedelta(days=1)
    assert not line.take().messages
    assert line.counts() == (0, 3, 0)


def test_a_failed_message_rests_1_5_15_and_60_minutes_and_is_parked_at_its_fifth_failure(line: Line) -> None:
    for pause in (1, 5, 15, 60):
        line.fail(line.take())
        line.now += pause * MINUTE - timedelta(seconds=1)
        assert not line.take().messages
        line.now += timedelta(seconds=1)
    line.fail(line.take(), "still 503")
    assert line.counts() == (0, 0, 3)
    assert {reason for _, reason in line.parked()} == {"still 503"}


def test_a_final_error_parks_at_once(line: Line) -> None:
    line.fail(line.take(1), "gone", final=True)
    assert line.counts() == (2, 0, 1)
    assert [reason for _, reason in line.parked()] == ["gone"]


def test_a_message_that_ended_five_consumers_is_parked_instead_of_taken(line: Line) -> None:
    for _ in range(5):
        assert len(line.take().messages) == 3
        line.now += VISIBILITY
    assert not line.take().messages
    assert {reason for _, reason in line.parked()} == {"no consumer that took it ever answered"}


def test_giving_back_counts_as_no_attempt_and_hides_until_the_moment_named(line: Line) -> None:
    for _ in range(7):
        assert line.give_back(line.take(), line.now + MINUTE) == 3
        assert not line.take().messages
        line.now += MINUTE
    assert {message.attempts for message in line.take().messages} == {1}


def test_only_the_newest_receipt_counts(line: Line) -> None:
    older = line.take()
    line.now += VISIBILITY
    newer = line.take()
    line.finish(older)
    line.fail(older, "late", final=True)
    assert line.give_back(older, line.now) == 0
    assert line.counts() == (3, 0, 0)
    line.finish(newer)
    assert line.counts() == (0, 3, 0)


def test_a_requeued_message_starts_over(line: Line) -> None:
    line.fail(line.take(), "gone", final=True)
    chosen = line.parked()[0][0]
    assert line.requeue([chosen]) == [chosen]
    assert [(message.id, message.attempts) for message in line.take().messages] == [(chosen, 1)]
    assert len(line.requeue()) == 2


def test_of_several_parked_messages_about_one_picture_only_the_newest_comes_back(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    line = Line(Queue.THUMBNAILS, pool)
    for address in ("https://example.org/old.jpg", "https://example.org/new.jpg"):
        queue_pictures(build, pool, [address])
        line.now = datetime.now(UTC)
        line.fail(line.take(), "gone", final=True)
    line.requeue()
    assert [message.row["thumbnail_url"] for message in line.take().messages] == ["https://example.org/new.jpg"]
    assert line.requeue() == []


def test_a_parked_message_is_not_requeued_beside_one_that_waits(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    line = Line(Queue.THUMBNAILS, pool)
    queue_pictures(build, pool, ["https://example.org/old.jpg"])
    line.now = datetime.now(UTC)
    line.fail(line.take(), "gone", final=True)
    queue_pictures(build, pool, ["https://example.org/new.jpg"])
    assert line.requeue() == []
