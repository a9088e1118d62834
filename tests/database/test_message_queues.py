"""Rules of the message queues; each test that uses the `queue` fixture runs on both queues."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from psycopg_pool import ConnectionPool

from blogger_tracking.database.message_queues import (
    Delivery,
    FailedMessage,
    count_messages,
    fail_messages,
    finish_messages,
    list_parked_messages,
    read_backlog,
    read_queue_health,
    release_messages,
    requeue_parked_messages,
    take_messages,
)
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.queues import Backlog, Queue
from tests.support.database_builder import DatabaseBuilder
from tests.support.ledger_steps import claim
from tests.support.queue_steps import plan_one, queue_thumbnails, queue_videos

MINUTE = timedelta(minutes=1)
VISIBILITY = 10 * MINUTE


class QueueSteps:
    """Steps of a consumer of one queue, at a time (`now`) that the test moves."""

    def __init__(self, queue: Queue, pool: ConnectionPool) -> None:
        self.queue = queue
        self.pool = pool
        self.now = datetime.now(UTC)

    def take(self, limit: int = 10) -> Delivery:
        with self.pool.connection() as connection:
            return take_messages(connection, self.queue, self.now, limit=limit, visibility=VISIBILITY)

    def finish(self, delivery: Delivery) -> None:
        with self.pool.connection() as connection:
            finish_messages(connection, self.queue, delivery.receipt, ids(delivery), self.now)

    def fail(self, delivery: Delivery, reason: str = "503", *, final: bool = False) -> None:
        failures = [FailedMessage(message_id, reason, final) for message_id in ids(delivery)]
        with self.pool.connection() as connection:
            fail_messages(connection, self.queue, delivery.receipt, failures, self.now)

    def release(self, delivery: Delivery, visible_at: datetime) -> int:
        with self.pool.connection() as connection:
            return release_messages(connection, self.queue, delivery, visible_at, "quota exceeded")

    def requeue(self, message_ids: list[int] | None = None) -> list[int]:
        with self.pool.connection() as connection:
            return requeue_parked_messages(connection, self.queue, self.now, message_ids)

    def backlog(self) -> Backlog:
        with self.pool.connection() as connection:
            return read_backlog(connection, self.queue, self.now)

    def waiting_since(self) -> datetime | None:
        with self.pool.connection() as connection:
            return read_queue_health(connection, self.queue, self.now).waiting_since

    def counts(self) -> tuple[int, int, int]:
        with self.pool.connection() as connection:
            counts = count_messages(connection, self.queue)
        return counts.waiting, counts.done, counts.parked

    def parked(self) -> list[tuple[int, str]]:
        with self.pool.connection() as connection:
            return [(message.id, message.last_error) for message in list_parked_messages(connection, self.queue, 10)]


def ids(delivery: Delivery) -> list[int]:
    return [message.id for message in delivery.messages]


@pytest.fixture(params=list(Queue))
def queue(request: pytest.FixtureRequest, build: DatabaseBuilder, pool: ConnectionPool) -> QueueSteps:
    """A queue with three messages."""
    if request.param is Queue.VIDEO_BATCHES:
        queue_videos(build, pool, [f"video-{number}" for number in range(120)])
    else:
        queue_thumbnails(build, pool, [f"https://example.org/{number}.jpg" for number in range(3)])
    return QueueSteps(request.param, pool)


@pytest.fixture(params=list(Queue))
def empty_queue(request: pytest.FixtureRequest, pool: ConnectionPool) -> QueueSteps:
    return QueueSteps(request.param, pool)


def test_a_taken_message_is_invisible_to_other_consumers(queue: QueueSteps) -> None:
    first, second, third = queue.take(2), queue.take(2), queue.take(2)
    assert (len(first.messages), len(second.messages), len(third.messages)) == (2, 1, 0)
    assert not set(ids(first)) & set(ids(second))


def test_consumers_that_take_at_the_same_moment_get_different_messages(queue: QueueSteps) -> None:
    with queue.pool.connection() as one, one.transaction():
        first = take_messages(one, queue.queue, queue.now, limit=2, visibility=VISIBILITY)
        second = queue.take()
    assert (len(first.messages), len(second.messages)) == (2, 1)
    assert set(ids(second)).isdisjoint(ids(first))


def test_an_unacknowledged_message_is_visible_again_after_the_visibility_timeout(queue: QueueSteps) -> None:
    lost = queue.take()
    queue.now += VISIBILITY - timedelta(seconds=1)
    assert not queue.take().messages
    queue.now += timedelta(seconds=1)
    assert ids(queue.take()) == ids(lost)


def test_a_finished_message_is_never_visible_again_and_stays_as_a_row(queue: QueueSteps) -> None:
    queue.finish(queue.take())
    queue.now += timedelta(days=1)
    assert not queue.take().messages
    assert queue.counts() == (0, 3, 0)


def test_a_failed_message_is_hidden_1_5_15_and_60_minutes_and_parked_at_its_fifth_failure(queue: QueueSteps) -> None:
    for minutes in (1, 5, 15, 60):
        queue.fail(queue.take())
        queue.now += minutes * MINUTE - timedelta(seconds=1)
        assert not queue.take().messages
        queue.now += timedelta(seconds=1)
    queue.fail(queue.take(), "still 503")
    assert queue.counts() == (0, 0, 3)
    assert {reason for _, reason in queue.parked()} == {"still 503"}


def test_attempts_that_were_lost_with_their_consumers_are_no_failures(queue: QueueSteps) -> None:
    for _ in range(4):
        for _ in range(3):
            queue.take(1)
        queue.now += VISIBILITY
    for minutes in (1, 5, 15, 60):
        for _ in range(3):
            queue.fail(queue.take(1))
        assert queue.counts() == (3, 0, 0)
        assert not queue.take().messages
        queue.now += minutes * MINUTE
    queue.fail(queue.take())
    assert queue.counts() == (0, 0, 3)


def test_a_final_error_parks_at_once(queue: QueueSteps) -> None:
    queue.fail(queue.take(1), "gone", final=True)
    assert queue.counts() == (2, 0, 1)
    assert [reason for _, reason in queue.parked()] == ["gone"]


def test_a_message_whose_five_consumers_vanished_is_parked_instead_of_taken(queue: QueueSteps) -> None:
    taken = Counter[int]()
    while queue.counts() != (0, 0, 3):
        taken.update(ids(queue.take()))
        if not queue.backlog().items:
            queue.now += VISIBILITY
    assert [*taken.values()] == [5, 5, 5]
    assert {reason for _, reason in queue.parked()} == {
        "not finished within the visibility timeout: its consumers vanished"
    }


def test_messages_that_were_lost_twice_are_taken_one_by_one(queue: QueueSteps) -> None:
    for _ in range(2):
        assert len(queue.take().messages) == 3
        queue.now += VISIBILITY
    deliveries = [queue.take() for _ in range(4)]
    assert [len(delivery.messages) for delivery in deliveries] == [1, 1, 1, 0]


def test_a_message_that_was_lost_with_others_at_the_attempt_limit_is_taken_alone_before_it_is_parked(
    queue: QueueSteps,
) -> None:
    for minutes in (1, 5, 15, 60):
        queue.fail(queue.take())
        queue.now += minutes * MINUTE
    for _ in range(2):
        assert len(queue.take().messages) == 3
        queue.now += VISIBILITY
    for _ in range(3):
        queue.finish(queue.take())
    assert queue.counts() == (0, 3, 0)


@pytest.mark.parametrize("survived", ["failed", "released", "parked"])
def test_a_message_whose_consumer_survives_is_no_longer_suspected(queue: QueueSteps, survived: str) -> None:
    for _ in range(2):
        queue.take()
        queue.now += VISIBILITY
    alone = [queue.take() for _ in range(3)]
    for delivery in alone:
        if survived == "released":
            queue.release(delivery, queue.now)
        else:
            queue.fail(delivery, final=survived == "parked")
    queue.requeue()
    queue.now += timedelta(hours=1)
    assert len(queue.take().messages) == 3


def test_a_released_message_counts_no_attempt_and_is_hidden_until_the_given_moment(queue: QueueSteps) -> None:
    for _ in range(7):
        assert queue.release(queue.take(), queue.now + MINUTE) == 3
        assert not queue.take().messages
        queue.now += MINUTE
    assert {message.attempts for message in queue.take().messages} == {1}


def test_only_the_newest_receipt_can_finish_fail_or_release_a_message(queue: QueueSteps) -> None:
    older = queue.take()
    queue.now += VISIBILITY
    newer = queue.take()
    queue.finish(older)
    queue.fail(older, "late", final=True)
    assert queue.release(older, queue.now) == 0
    assert queue.counts() == (3, 0, 0)
    queue.finish(newer)
    assert queue.counts() == (0, 3, 0)


def test_a_requeued_message_starts_with_no_attempts(queue: QueueSteps) -> None:
    queue.fail(queue.take(), "gone", final=True)
    chosen = queue.parked()[0][0]
    assert queue.requeue([chosen]) == [chosen]
    assert [(message.id, message.attempts) for message in queue.take().messages] == [(chosen, 1)]
    assert len(queue.requeue()) == 2


def test_the_backlog_counts_visible_items_since_the_oldest_message(queue: QueueSteps, build: DatabaseBuilder) -> None:
    items = 120 if queue.queue is Queue.VIDEO_BATCHES else 3
    (oldest,) = build.rows(f"select min(created_at) from {queue.queue}")[0]  # noqa: S608 - a table of this project
    assert queue.backlog() == Backlog(items, oldest, more_to_come=False)
    queue.take()
    assert (queue.backlog().items, queue.backlog().oldest) == (0, None)


def test_more_videos_but_no_more_thumbnails_are_expected_while_another_consumer_has_messages(queue: QueueSteps) -> None:
    delivery = queue.take()
    assert queue.backlog().more_to_come is (queue.queue is Queue.VIDEO_BATCHES)
    queue.finish(delivery)
    assert queue.backlog().more_to_come is False


@pytest.mark.parametrize("claimed", [False, True], ids=["planned", "running"])
def test_more_is_expected_while_a_fetch_is_planned_or_running(
    empty_queue: QueueSteps, build: DatabaseBuilder, *, claimed: bool
) -> None:
    fetch_id = plan_one(build, empty_queue.pool, Platform.YOUTUBE, 30)
    if claimed:
        claim(empty_queue.pool, fetch_id)
    assert empty_queue.backlog().more_to_come
    # Later than the end of the run, and than the lease of the attempt.
    empty_queue.now += timedelta(hours=2)
    assert not empty_queue.backlog().more_to_come


def test_a_planned_fetch_of_a_run_that_ended_adds_no_messages(empty_queue: QueueSteps, build: DatabaseBuilder) -> None:
    plan_one(build, empty_queue.pool, Platform.YOUTUBE, 30)
    build.run("update runs set ended_at = now()")
    assert not empty_queue.backlog().more_to_come


def test_only_youtube_fetches_add_video_batches_and_fetches_of_every_platform_add_thumbnails(
    empty_queue: QueueSteps, build: DatabaseBuilder
) -> None:
    plan_one(build, empty_queue.pool, Platform.TIKTOK, 30)
    assert empty_queue.backlog().more_to_come is (empty_queue.queue is Queue.THUMBNAILS)


def test_of_several_parked_messages_about_one_thumbnail_only_the_newest_is_requeued(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    queue = QueueSteps(Queue.THUMBNAILS, pool)
    for url in ("https://example.org/old.jpg", "https://example.org/new.jpg"):
        queue_thumbnails(build, pool, [url])
        queue.now = datetime.now(UTC)
        queue.fail(queue.take(), "gone", final=True)
    queue.requeue()
    assert [message.row["thumbnail_url"] for message in queue.take().messages] == ["https://example.org/new.jpg"]
    assert queue.requeue() == []


def test_a_parked_message_is_not_requeued_if_another_message_about_the_thumbnail_waits(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    queue = QueueSteps(Queue.THUMBNAILS, pool)
    queue_thumbnails(build, pool, ["https://example.org/old.jpg"])
    queue.now = datetime.now(UTC)
    queue.fail(queue.take(), "gone", final=True)
    queue_thumbnails(build, pool, ["https://example.org/new.jpg"])
    assert queue.requeue() == []


def test_messages_that_are_released_again_and_again_wait_since_their_creation(queue: QueueSteps) -> None:
    created = queue.waiting_since()
    assert created
    for _ in range(12):
        assert queue.release(queue.take(), queue.now + 5 * MINUTE) == 3
        assert queue.waiting_since() == created
        queue.now += 5 * MINUTE
    assert queue.waiting_since() == created


def test_a_failed_message_waits_since_the_end_of_its_retry_delay(queue: QueueSteps) -> None:
    queue.fail(queue.take())
    retry_at = queue.now + MINUTE
    assert queue.waiting_since() is None
    queue.now = retry_at
    queue.release(queue.take(), queue.now + 5 * MINUTE)
    assert queue.waiting_since() == retry_at


def test_a_requeued_message_waits_since_it_was_requeued(queue: QueueSteps) -> None:
    queue.fail(queue.take(), final=True)
    queue.now += timedelta(days=1)
    queue.requeue()
    assert queue.waiting_since() == queue.now


OLD, NEW = "https://example.org/old.jpg", "https://example.org/new.jpg"


def test_a_new_url_in_flight_is_tried_although_the_old_url_fails_for_good(
    build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    queue = QueueSteps(Queue.THUMBNAILS, pool)
    queue_thumbnails(build, pool, [OLD])
    queue.now = datetime.now(UTC)
    of_old_url = queue.take()
    queue_thumbnails(build, pool, [NEW])
    queue.now = datetime.now(UTC)
    queue.fail(of_old_url, "gone", final=True)
    assert queue.counts() == (1, 0, 0)
    assert [(message.row["thumbnail_url"], message.attempts) for message in queue.take().messages] == [(NEW, 1)]


@pytest.mark.parametrize(("url", "attempts"), [(NEW, [1]), (OLD, [])])
def test_only_a_new_url_of_a_failed_message_starts_at_once_with_no_attempts(
    build: DatabaseBuilder, pool: ConnectionPool, url: str, attempts: list[int]
) -> None:
    queue = QueueSteps(Queue.THUMBNAILS, pool)
    queue_thumbnails(build, pool, [OLD])
    for _ in range(4):
        queue.now = datetime.now(UTC)
        queue.fail(queue.take())
        build.run("update thumbnail_queue set visible_at = now() where attempts < 4")
    queue_thumbnails(build, pool, [url])
    queue.now = datetime.now(UTC)
    assert [message.attempts for message in queue.take().messages] == attempts
