"""The sandbox as an ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import parse_qsl
from zlib import crc32

from starlette.types import ASGIApp, Receive, Scope, Send

from devtools.platform_sandbox import admin, thumbnails
from devtools.platform_sandbox.answers import Outcome, platform_outcome, thumbnail_outcome
from devtools.platform_sandbox.messages import Request, Response, json_response
from devtools.platform_sandbox.options import SandboxOptions
from devtools.platform_sandbox.state import SandboxState

RESET_EXTENSION = "blogger_tracking.reset"
"""The scope's extension with which the server lends a function that resets the connection."""

_CHUNK = bytes(65_536)


def create_app(options: SandboxOptions | None = None) -> ASGIApp:
    """The ASGI application of a new sandbox."""
    return SandboxApp(SandboxState(options or SandboxOptions()))


class SandboxApp:
    """Answers requests over one sandbox's state. Latency passes before an answer, not while it is computed."""

    def __init__(self, state: SandboxState) -> None:
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request; other kinds of scope end at once."""
        if scope["type"] != "http":
            return
        request = _request(scope)
        if request.path.startswith(admin.PREFIX):
            await _send(send, admin.answer(self.state, request, await _body(receive)))
            return
        outcome = self._outcome(request)
        await _wait(receive, self._latency_seconds(request) + outcome.wait_seconds, watched=outcome.wait_seconds > 0)
        if outcome.resets:
            _reset(scope)
            await _until_disconnected(receive)
        elif outcome.huge:
            await _send_huge(send, outcome.response)
        else:
            await _send(send, outcome.response)

    def _outcome(self, request: Request) -> Outcome:
        if request.path.startswith(thumbnails.PREFIX):
            return thumbnail_outcome(self.state, request)
        for api in self.state.apis:
            if request.path.startswith(api.prefix):
                return platform_outcome(self.state, api, request)
        return Outcome(json_response({"error": "no such path"}, 404))

    def _latency_seconds(self, request: Request) -> float:
        share = crc32(f"{request.path}?{request.query_string}".encode()) % 301 / 1000
        return self.state.options.latency_ms / 1000 * (0.85 + share)


def _request(scope: Scope) -> Request:
    query_string = scope["query_string"].decode("latin-1")
    return Request(
        method=scope["method"],
        path=scope["path"],
        query_string=query_string,
        query=dict(parse_qsl(query_string, keep_blank_values=True)),
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
    )


async def _body(receive: Receive) -> bytes:
    parts = []
    more = True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def _wait(receive: Receive, seconds: float, *, watched: bool) -> None:
    """Let time pass; a watched wait ends early when the client has gone."""
    if not watched:
        if seconds:
            await asyncio.sleep(seconds)
        return
    try:
        async with asyncio.timeout(seconds):
            await _until_disconnected(receive)
    except TimeoutError:
        return


async def _until_disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _reset(scope: Scope) -> None:
    reset: Callable[[], None] | None = scope.get("extensions", {}).get(RESET_EXTENSION)
    if reset is None:
        message = "this ASGI server lends no way to reset a connection"
        raise RuntimeError(message)
    reset()


async def _send(send: Send, response: Response) -> None:
    await _start(send, response, len(response.body))
    await send({"type": "http.response.body", "body": response.body})


async def _send_huge(send: Send, response: Response) -> None:
    await _start(send, response, thumbnails.HUGE_BYTES)
    await send({"type": "http.response.body", "body": response.body, "more_body": True})
    left = thumbnails.HUGE_BYTES - len(response.body)
    while left > 0:
        chunk = _CHUNK[:left]
        left -= len(chunk)
        await send({"type": "http.response.body", "body": chunk, "more_body": left > 0})


async def _start(send: Send, response: Response, length: int) -> None:
    headers = [
        (b"content-type", response.content_type.encode()),
        (b"content-length", str(length).encode()),
        *((name.encode(), value.encode()) for name, value in response.headers),
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
