"""Proxy in front of Postgres that counts round trips and delays each of them."""

from __future__ import annotations

import socket
import tempfile
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo

_CHUNK_BYTES = 65_536


class WireProxy:
    """Forwards one Postgres socket to another and counts round trips.

    A round trip begins when the client sends data after the server has answered. `delay` is the number of seconds that
    is added to each round trip, like the latency of a distant database. The proxy's socket is in `folder`.
    """

    def __init__(self, folder: Path, server_socket: Path, delay: float = 0) -> None:
        self.round_trips = 0
        self._server_socket = server_socket
        self._delay = delay
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / server_socket.name))
        self._listener.listen()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self._server_socket))
            direction = Direction()
            threading.Thread(target=self._to_server, args=(client, server, direction), daemon=True).start()
            threading.Thread(target=self._to_client, args=(server, client, direction), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket, direction: Direction) -> None:
        # A side that hangs up ends the line: the server may do so before it has read the client's farewell.
        with suppress(OSError):
            while data := client.recv(_CHUNK_BYTES):
                if direction.client_begins():
                    self.round_trips += 1
                    time.sleep(self._delay)
                server.sendall(data)
        server.close()
        client.close()

    def _to_client(self, server: socket.socket, client: socket.socket, direction: Direction) -> None:
        with suppress(OSError):
            while data := server.recv(_CHUNK_BYTES):
                direction.server_answers()
                client.sendall(data)


@contextmanager
def proxied(dsn: str, delay_ms: float) -> Generator[tuple[WireProxy, str]]:
    """Yield a proxy in front of a local server, and the connection string that leads through the proxy."""
    server_socket = Path(str(conninfo_to_dict(dsn)["host"])) / ".s.PGSQL.5432"
    # A short path, because the path of a Unix socket is limited to 107 bytes.
    with (
        tempfile.TemporaryDirectory(prefix="bt-") as folder,
        WireProxy(Path(folder), server_socket, delay_ms / 1000) as proxy,
    ):
        yield proxy, make_conninfo(dsn, host=folder)


class Direction:
    """Direction of the data between one client and the server."""

    def __init__(self) -> None:
        self._client_sends = False

    def client_begins(self) -> bool:
        """Record data of the client; return True if the server sent the data before."""
        begins, self._client_sends = not self._client_sends, True
        return begins

    def server_answers(self) -> None:
        """Record data of the server."""
        self._client_sends = False
