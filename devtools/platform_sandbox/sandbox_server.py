"""HTTP server of the sandbox on a socket: in a thread for tests, in the main thread for the command."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from devtools.platform_sandbox.faults import Fault
from devtools.platform_sandbox.sandbox_app import RESET_EXTENSION, SandboxApp
from devtools.platform_sandbox.sandbox_options import SandboxOptions
from devtools.platform_sandbox.sandbox_state import SandboxState

_START_SECONDS = 20
_LINGER_ZERO_SECONDS = struct.pack("ii", 1, 0)


class SandboxError(Exception):
    """Failure to start the sandbox; the message states the reason."""


class SandboxServer:
    """A sandbox on a loopback port, served by a thread inside the `with` block.

    `base_url` has no trailing slash. The world, clock, log and faults may be used from the test's thread.
    """

    def __init__(self, options: SandboxOptions | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        self.options = options or SandboxOptions()
        self._state = SandboxState(self.options)
        self.world = self._state.world
        self.clock = self._state.clock
        self.log = self._state.log
        self._socket = bind_socket(host, port)
        self.base_url = base_url_of(self._socket)
        ready = threading.Event()
        self._server = create_server(self._state, ready.set)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="sandbox", daemon=True)
        self._ready = ready

    @property
    def youtube_url(self) -> str:
        """Base URL of the YouTube Data API, with a trailing slash as the real API's."""
        return f"{self.base_url}/youtube/v3/"

    @property
    def tiktok_url(self) -> str:
        """Base URL of the TikTok gateway."""
        return f"{self.base_url}/tiktok"

    @property
    def instagram_url(self) -> str:
        """Base URL of the Instagram gateway."""
        return f"{self.base_url}/instagram"

    @property
    def youtube_units(self) -> int:
        """Units that all YouTube keys used on the current Pacific day."""
        return self._state.youtube.units.used(self.clock.now())

    def add_fault(self, fault: Fault) -> None:
        """Inject a fault, behind those already injected."""
        self._state.faults.add(fault)

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._state.faults.clear()

    def reset(self) -> None:
        """Reset faults, counts, used units and the clock, so that tests can share a server."""
        self._state.reset()

    def request_count(self, platform: str | None = None, call: str | None = None) -> int:
        """Return the number of requests, optionally only those of one platform or one call."""
        return self.log.count(platform, call)

    def __enter__(self) -> Self:
        """Start serving. Raises SandboxError if the server does not start within 20 seconds."""
        self._thread.start()
        if not self._ready.wait(_START_SECONDS):
            raise SandboxError(f"the sandbox did not start within {_START_SECONDS} seconds")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop serving and close open connections."""
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
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO_SECONDS)
        self.transport.abort()


def create_server(state: SandboxState, on_ready: Callable[[], None]) -> uvicorn.Server:
    """Return a server for the state, to be run on a socket of `bind_socket`."""
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


def bind_socket(host: str, port: int) -> socket.socket:
    """Return a socket bound to this address; port 0 means any free port.

    Raises SandboxError if the address is invalid or in use.
    """
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise SandboxError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    return bound


def base_url_of(bound: socket.socket) -> str:
    """Return the base URL of a bound socket."""
    host, port = bound.getsockname()
    return f"http://{host}:{port}"
