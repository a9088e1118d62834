"""Plain HTTP client of the sandbox: one method for each call, without retries or error handling."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import requests

from devtools.platform_sandbox import Creator, SandboxServer, uploads_playlist

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
KEY = "a-key"
KEYS = {"X-Goog-Api-Key": KEY, "x-rapidapi-key": KEY, "x-access-key": KEY}
_PARTS = "snippet,contentDetails,statistics,liveStreamingDetails,status"
_TIMEOUT_SECONDS = 10


class SandboxClient:
    """HTTP client of one sandbox, with valid keys."""

    def __init__(self, server: SandboxServer) -> None:
        self.server = server
        self.session = requests.Session()
        self.session.headers.update(KEYS)

    def get(self, url: str, headers: dict[str, str | None] | None = None, /, **query: object) -> requests.Response:
        """Send a GET request without following redirects; a header of None is omitted."""
        params = {name: str(value) for name, value in query.items() if value is not None}
        return self.session.get(url, params=params, headers=headers, timeout=_TIMEOUT_SECONDS, allow_redirects=False)

    def tiktok(self, call: str, **query: object) -> requests.Response:
        """Call `info` or `posts`."""
        return self.get(f"{self.server.tiktok_url}/api/user/{call}", **query)

    def instagram(self, call: str, **query: object) -> requests.Response:
        """Call `by/username`, `clips` or `medias`."""
        return self.get(f"{self.server.instagram_url}/v2/user/{call}", **query)

    def youtube(self, call: str, **query: object) -> requests.Response:
        """Call `channels`, `playlistItems` or `videos`, with all parts."""
        return self.get(f"{self.server.youtube_url}{call}", part=_PARTS, **query)

    def tiktok_pages(self, creator: Creator) -> Iterator[dict[str, Any]]:
        """Yield the `data` of every page of posts, until a page has no `hasMore`."""
        data: dict[str, Any] = {"hasMore": True, "cursor": "0"}
        while data["hasMore"]:
            data = self.tiktok("posts", secUid=creator.sec_id, count=35, cursor=data["cursor"]).json()["data"]
            yield data

    def instagram_pages(self, call: str, creator: Creator) -> Iterator[dict[str, Any]]:
        """Yield every page of clips or medias."""
        yield from _pages(
            lambda page_id: self.instagram(call, user_id=creator.external_id, page_id=page_id), "next_page_id"
        )

    def youtube_pages(self, creator: Creator, size: int = 50) -> Iterator[dict[str, Any]]:
        """Yield every page of the channel's uploads."""
        playlist = uploads_playlist(creator)
        yield from _pages(
            lambda token: self.youtube("playlistItems", playlistId=playlist, maxResults=size, pageToken=token),
            "nextPageToken",
        )

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.session.close()


def _pages(request_page: Callable[[str | None], requests.Response], cursor_key: str) -> Iterator[dict[str, Any]]:
    cursor: str | None = None
    while True:
        body = request_page(cursor).json()
        yield body
        cursor = body.get(cursor_key)
        if not cursor:
            return
