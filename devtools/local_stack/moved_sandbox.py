"""Waiting thumbnails of a sandbox that was started on another port, because its earlier port is taken."""

from __future__ import annotations

from psycopg import Connection

_MOVE = """
update blogger_tracking.thumbnail_queue
set
    thumbnail_url = regexp_replace(thumbnail_url, '^http://127[.]0[.]0[.]1:[0-9]+', %(sandbox_url)s),
    visible_at = now()
where done_at is null
  and parked_at is null
  and thumbnail_url like 'http://127.0.0.1:%%'
  and not starts_with(thumbnail_url, %(sandbox_url)s || '/')
"""


def move_waiting_thumbnails(connection: Connection, sandbox_url: str) -> int:
    """Let the waiting messages download from the sandbox's present address; return the number of moved messages.

    The connection owns the schema of a stack's own database, in which every loopback address is the sandbox's.
    """
    return connection.execute(_MOVE, {"sandbox_url": sandbox_url}).rowcount
