"""Messages of the queues that no consumer can process: each waits or is parked alone, and the others are finished."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from uuid import uuid4

from psycopg import sql

from blogger_tracking.database.rows import fetch_value
from blogger_tracking.domain.models import YouTubeVideo
from blogger_tracking.domain.queues import Queue
from blogger_tracking.settings import Settings
from blogger_tracking.usecases.refresh_statistics import StatisticsRefresher
from blogger_tracking.usecases.store_thumbnails import ThumbnailStorer
from devtools.attack.ledger_rows import insert_fetch
from devtools.attack.listener import listener
from devtools.attack.target import Target
from devtools.attack.tries import Try

_SECONDS = 60.0
_DOWNLOAD_SECONDS = 5.0
_ORDINARY = 3
"""Messages of each queue that nothing is wrong with."""

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n"
_IMAGE = _HEAD + b"\xff\xd8\xff\xe0" + b"\0" * 1_000

_ADDRESSES = {
    "an address without a host": "https:///a.jpg",
    "a host in open brackets": "https://[::1/a.jpg",
    "a port beyond all ports": "https://thumbnail.example:99999999/a.jpg",
    "a port that is no number": "https://thumbnail.example:a/a.jpg",
    "a host of 60,000 characters": "https://" + "a" * 60_000 + "/a.jpg",
    "a label of 64 characters": "https://" + "a" * 64 + ".example/a.jpg",
    "a host of dots": "https://..../a.jpg",
    "a host that IDNA refuses": "https://\u202e\u0300.example/a.jpg",
    "a control character": "https://thumbnail.example/\x01\x7f",
    "a line break and a header": "https://thumbnail.example/a\r\nX-Injected: 1",
    "a percent sign alone": "https://%/%",
    "no address": "\ufffd",
    "a file": "file:///etc/passwd",
    "a user and no host": "https://user:password@",
}
_ANSWERS = {
    "a server that speaks no HTTP": b"SSH-2.0-OpenSSH\r\n",
    "a redirect to nonsense": b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\n\r\n",
    "a redirect to itself": b"HTTP/1.1 302 Found\r\nLocation: /a.jpg\r\n\r\n",
    "a length that is no number": b"HTTP/1.1 200 OK\r\nContent-Length: a\r\n\r\n",
    "an encoding that nobody knows": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nno gzip",
    "a page": _HEAD + b"<html>",
    "an empty answer": _HEAD,
}
_VIDEO_IDS = ("a,b", "a b", "a&key=b", "../a", "\u00fc", "a\nb", "x" * 65, "' or true --")

_QUEUE_THUMBNAIL = """
insert into blogger_tracking.thumbnail_queue (fetch_id, video_id, thumbnail_url)
values (%(fetch_id)s, %(video_id)s, %(thumbnail_url)s)
returning id
"""
_QUEUE_VIDEOS = """
insert into blogger_tracking.high_priority_queue (fetch_id, videos, created_at)
values (%(fetch_id)s, array[%(video_id)s], now() - interval '1 hour')
returning id
"""
_STATE = """
select
    case
        when done_at is not null then 'finished'
        when parked_at is not null then 'parked'
        when last_error is not null then 'waits after an error'
        else 'untouched'
    end
from {queue}
where id = %s
"""
_FINISHED, _UNTOUCHED = "finished", "untouched"
_REFUSED = {"parked", "waits after an error"}


@dataclass(frozen=True, slots=True)
class _Message:
    """A message of a queue, and the states in which its consumer may leave the message."""

    name: str
    queue: Queue
    id: int
    expected: Collection[str]


class _Memory:
    """An object storage that keeps nothing."""

    def write(self, key: str, content: bytes) -> str:
        """Return the path of an object."""
        del content
        return key

    def remove(self, path: str) -> None:
        """Do nothing."""


class _NoVideos:
    """A client of YouTube that finds no video."""

    def get_videos(self, ids: Sequence[str]) -> Mapping[str, YouTubeVideo]:
        """Return no video."""
        del ids
        return {}


def poison_messages(target: Target) -> Iterator[Try]:
    """Queue hostile addresses and ids between ordinary ones, and let consumers process both queues."""
    with ExitStack() as servers:
        messages = [*_thumbnails(target, servers), *_videos(target)]
        yield from _consume(target, messages)


def _consume(target: Target, messages: Sequence[_Message]) -> Iterator[Try]:
    settings = Settings(thumbnail_allow_private=True, thumbnail_timeout_seconds=_DOWNLOAD_SECONDS)
    consumers = (
        StatisticsRefresher(target.pool, _NoVideos(), settings),
        ThumbnailStorer(target.pool, _Memory(), settings),
    )
    for consumer in consumers:
        try:
            consumer.run()
        except Exception as error:  # noqa: BLE001 - whatever a message makes its consumer raise
            yield Try(f"{type(consumer).__name__} processes every message", held=False, found=repr(error))
    deadline = time.monotonic() + _SECONDS
    for message in messages:
        # A consumer of the stack under attack may have taken the message.
        while (state := _state(target, message)) == _UNTOUCHED and time.monotonic() < deadline:
            time.sleep(0.1)
        yield Try(message.name, state in message.expected, state)


def _thumbnails(target: Target, servers: ExitStack) -> list[_Message]:
    def serve(answer: bytes) -> str:
        port, _ = servers.enter_context(listener(answer))
        return f"http://127.0.0.1:{port}/a.jpg"

    named = {**_ADDRESSES, **{name: serve(answer) for name, answer in _ANSWERS.items()}}
    urls = [*named.values(), *(serve(_IMAGE) for _ in range(_ORDINARY))]
    names = [*named, *("a thumbnail" for _ in range(_ORDINARY))]
    return [
        _Message(
            f"{name} in {Queue.THUMBNAILS}",
            Queue.THUMBNAILS,
            fetch_value(target.connection, _QUEUE_THUMBNAIL, asdict(video)),
            _REFUSED if name in named else {_FINISHED},
        )
        for name, video in zip(names, insert_fetch(target, target.tenant(), urls), strict=True)
    ]


def _videos(target: Target) -> list[_Message]:
    (fetched,) = insert_fetch(target, target.tenant(), [""])
    ordinary = [uuid4().hex for _ in range(_ORDINARY)]
    return [
        _Message(
            f"the id {video_id[:20]!r} in {Queue.VIDEO_BATCHES}",
            Queue.VIDEO_BATCHES,
            fetch_value(target.connection, _QUEUE_VIDEOS, {"fetch_id": fetched.fetch_id, "video_id": video_id}),
            {_FINISHED} if video_id in ordinary else _REFUSED,
        )
        for video_id in (*_VIDEO_IDS, *ordinary)
    ]


def _state(target: Target, message: _Message) -> str:
    query = sql.SQL(_STATE).format(queue=sql.Identifier("blogger_tracking", message.queue))
    return str(fetch_value(target.connection, query, (message.id,)))
