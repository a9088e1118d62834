"""Waiting thumbnails follow a sandbox that was started on another port."""

from __future__ import annotations

import psycopg
from psycopg_pool import ConnectionPool

from devtools.local_stack.moved_sandbox import move_waiting_thumbnails
from tests.support.database_builder import DatabaseBuilder
from tests.support.queue_steps import queue_thumbnails

_OLD = "http://127.0.0.1:4001"
_NEW = "http://127.0.0.1:4002"


def test_waiting_messages_get_the_present_address_and_are_due(
    admin: psycopg.Connection, build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    queue_thumbnails(build, pool, [f"{_OLD}/a.png?x=1", "https://example.org/b.png", f"{_NEW}/c.png", f"{_OLD}/d.png"])
    build.run("update thumbnail_queue set visible_at = now() + interval '1 hour'")
    build.run("update thumbnail_queue set done_at = now() where right(thumbnail_url, 5) = 'd.png'")

    assert move_waiting_thumbnails(admin, _NEW) == 1
    assert build.rows("select thumbnail_url, visible_at <= clock_timestamp() from thumbnail_queue order by id") == [
        (f"{_NEW}/a.png?x=1", True),
        ("https://example.org/b.png", False),
        (f"{_NEW}/c.png", False),
        (f"{_OLD}/d.png", False),
    ]
    assert move_waiting_thumbnails(admin, _NEW) == 0
