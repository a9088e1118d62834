"""The sandbox over a real socket: in a thread for tests, in the main thread for the command."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from devtools.platform_sandbox.app import RESET_EXTENSION, SandboxApp
from devtools.platform_sandbox.faults import Fault
from devtools.platform_sandbox.options import SandboxOptions
from devtools.platform_sandbox.state import SandboxState

_START_SECONDS = 20
_LINGER_WITHOUT_WAIT = struct.pack("ii", 1, 0)


class SandboxError(Exception):
    """The sandbox cannot be started; the message says why."""


class SandboxServer:
    """A sandbox on a loopback port, served by a thread while the context lasts.

    `base_url` has no trailing slash. The world, the clock, the log and the faults may be used from the test's thread.
    """

    def __init__(self, options: SandboxOptions | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        self.options = options or SandboxOptions()
        self._state = SandboxState(self.options)
        self.world = self._state.world
        self.clock = self._state.clock
        self.log = self._state.log
        self._socket = bound_socket(host, port)
        self.base_url = address_of(self._socket)
        ready = threading.Event()
        self._server = sandbox_server(self._state, ready.set)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="sandbox", daemon=True)
        self._ready = ready

    @property
    def youtube_url(self) -> str:
        """The base address of the YouTube Data API, ending in a slash as the real one does."""
        return f"{self.base_url}/youtube/v3/"

    @property
    def tiktok_url(self) -> str:
        """The base address of the TikTok gateway."""
        return f"{self.base_url}/tiktok"

    @property
    def instagram_url(self) -> str:
        """The base address of the Instagram gateway."""
        return f"{self.base_url}/instagram"

    @property
    def youtube_units(self) -> int:
        """Units that all YouTube keys used on the current Pacific day."""
        return self._state.youtube.units.used(self.clock.now())

    def add_fault(self, fault: Fault) -> None:
        """Set a fault, after those set before."""
        self._state.faults.add(fault)

    def clear_faults(self) -> None:
        """Take all faults back."""
        self._state.faults.clear()

    def reset(self) -> None:
        """Take back faults, counts, used units and moves of the clock, so that tests can share a server."""
        self._state.reset()

    def request_count(self, platform: str | None = None, call: str | None = None) -> int:
        """How many requests there were, of a platform or a call if given."""
        return self.log.count(platform, call)

    def __enter__(self) -> Self:
        """Serve. Raises SandboxError when the server does not start."""
        self._thread.start()
        if not self._ready.wait(_START_SECONDS):
            message = f"the sandbox did not start within {_START_SECONDS} seconds"
            raise SandboxError(message)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop serving; open connections are closed."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._on_ready()


class _ResettingProtocol(HttpToolsProtocol):
    def on_message_begin(self) -> None:
        super().on_message_begin()
        extensions: dict[str, Any] = {RESET_EXTENSION: self._reset}
        self.scope["extensions"] = extensions

    def _reset(self) -> None:
        connection = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_WITHOUT_WAIT)
        self.transport.abort()


def sandbox_server(state: SandboxState, on_ready: Callable[[], None]) -> uvicorn.Server:
    """A server for the state, to be run on a socket of `bound_socket`."""
    config = uvicorn.Config(
        SandboxApp(state),
        http=_ResettingProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
    )
    return _Server(config, on_ready)


def bound_socket(host: str, port: int) -> socket.socket:
    """A socket on this address; port 0 takes a free one. Raises SandboxError when the address cannot be had."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        message = f"cannot listen on {host}:{port}: {error.strerror or error}"
        raise SandboxError(message) from error
    return bound


def address_of(bound: socket.socket) -> str:
    """The base address of a bound socket."""
    host, port = bound.getsockname()
    return f"http://{host}:{port}"
