"""ASGI application of the sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import parse_qsl
from zlib import crc32

from starlette.types import ASGIApp, Receive, Scope, Send

from devtools.platform_sandbox import admin_api
from devtools.platform_sandbox import generated_thumbnails as thumbnails
from devtools.platform_sandbox.http_messages import HttpRequest, HttpResponse, json_response
from devtools.platform_sandbox.request_handling import PlannedResponse, plan_platform_response, plan_thumbnail_response
from devtools.platform_sandbox.sandbox_options import SandboxOptions
from devtools.platform_sandbox.sandbox_state import SandboxState

RESET_EXTENSION = "platform_sandbox.reset"
"""Extension of the ASGI scope: the server's function that resets the connection."""

_CHUNK = bytes(65_536)


def create_app(options: SandboxOptions | None = None) -> ASGIApp:
    """Return the ASGI application of a new sandbox."""
    return SandboxApp(SandboxState(options or SandboxOptions()))


class SandboxApp:
    """ASGI application over the state of one sandbox.

    The configured latency is a wait before a response is sent; rendering the response comes on top.
    """

    def __init__(self, state: SandboxState) -> None:
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request; ignore other kinds of ASGI scope."""
        if scope["type"] != "http":
            return
        request = _request(scope)
        if request.path.startswith(admin_api.PREFIX):
            await _send(send, admin_api.admin_response(self.state, request, await _body(receive)))
            return
        planned = self._plan(request)
        await _wait(receive, self._latency_seconds(request) + planned.wait_seconds, watched=planned.wait_seconds > 0)
        if planned.resets:
            _reset(scope)
            await _until_disconnected(receive)
        elif planned.huge:
            await _send_huge(send, planned.response)
        else:
            await _send(send, planned.response)

    def _plan(self, request: HttpRequest) -> PlannedResponse:
        if request.path.startswith(thumbnails.PREFIX):
            return plan_thumbnail_response(self.state, request)
        for api in self.state.apis:
            if request.path.startswith(api.prefix):
                return plan_platform_response(self.state, api, request)
        return PlannedResponse(json_response({"error": "no such path"}, 404))

    def _latency_seconds(self, request: HttpRequest) -> float:
        jitter = crc32(f"{request.path}?{request.query_string}".encode()) % 301 / 1000
        return self.state.options.latency_ms / 1000 * (0.85 + jitter)


def _request(scope: Scope) -> HttpRequest:
    query_string = scope["query_string"].decode("latin-1")
    return HttpRequest(
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
    """Wait; a watched wait ends early if the client disconnects."""
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
        raise RuntimeError(f"this ASGI server has no extension {RESET_EXTENSION} to reset a connection")
    reset()


async def _send(send: Send, response: HttpResponse) -> None:
    await _start(send, response, len(response.body))
    await send({"type": "http.response.body", "body": response.body})


async def _send_huge(send: Send, response: HttpResponse) -> None:
    await _start(send, response, thumbnails.HUGE_BYTES)
    await send({"type": "http.response.body", "body": response.body, "more_body": True})
    left = thumbnails.HUGE_BYTES - len(response.body)
    while left > 0:
        chunk = _CHUNK[:left]
        left -= len(chunk)
        await send({"type": "http.response.body", "body": chunk, "more_body": left > 0})


async def _start(send: Send, response: HttpResponse, length: int) -> None:
    headers = [
        (b"content-type", response.content_type.encode()),
        (b"content-length", str(length).encode()),
        *((name.encode(), value.encode()) for name, value in response.headers),
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
