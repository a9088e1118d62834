"""Server of a FastAPI app over real HTTP, mounted as Airflow mounts it."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from typing import Self

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Receive, Scope, Send

_START_SECONDS = 20
_TICK_SECONDS = 0.01


class AppServer:
    """A loopback server with the app at `mount`, and with the routes of the app that it is mounted in.

    `app` may be replaced while the server runs: starting and stopping takes longer than most tests.
    """

    def __init__(
        self, app: ASGIApp | None = None, host_routes: Sequence[BaseRoute] = (), mount: str = "/blogger"
    ) -> None:
        self.app = app
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._ready = threading.Event()
        config = uvicorn.Config(
            Starlette(routes=[*host_routes, Mount(mount, self._serve)]),
            log_config=None,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        self._server = _Server(config, self._ready)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(_START_SECONDS):
            raise TimeoutError("the server did not start")
        return self

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        await self.app(scope, receive, send)

    def __exit__(self, *_: object) -> None:
        # Without waiting for clients that keep their connections open.
        self._server.force_exit = True
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: threading.Event) -> None:
        super().__init__(config)
        self._ready = ready

    async def main_loop(self) -> None:
        """Serve until the server is to exit; uvicorn's own loop looks ten times less often."""
        counter = 0
        while not await self.on_tick(counter):
            counter += 1
            await asyncio.sleep(_TICK_SECONDS)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._ready.set()
