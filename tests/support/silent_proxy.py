"""Proxy in front of Postgres that stops forwarding at a chosen moment, like a network that loses every packet."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from devtools.bench.wire_proxy import Direction, WireProxy

_CHUNK_BYTES = 65_536


class SilentProxy(WireProxy):
    """Forwards a Postgres socket until `is_cut` returns True for data of a client.

    From then on that client's connection stays open in both directions and nothing arrives: neither side learns that
    the other is gone. Other connections are forwarded. The proxy's socket is in `folder`.
    """

    def __init__(self, folder: Path, server_socket: Path) -> None:
        super().__init__(folder, server_socket)
        self.is_cut: Callable[[bytes], bool] = lambda _data: False
        self._silent: set[socket.socket] = set()
        self._held: list[socket.socket] = []

    def cut_at(self, statement: bytes) -> threading.Event:
        """Cut the first connection whose client sends a statement, in lower case; return an event of the cut.

        The server does not get the statement.
        """
        reached = threading.Event()

        def is_cut(data: bytes) -> bool:
            if statement not in data.lower() or reached.is_set():
                return False
            reached.set()
            return True

        self.is_cut = is_cut
        return reached

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        for each in self._held:
            each.close()

    def _to_server(self, client: socket.socket, server: socket.socket, direction: Direction) -> None:
        del direction
        self._held += [client, server]
        try:
            while data := client.recv(_CHUNK_BYTES):
                if client not in self._silent and self.is_cut(data):
                    self._silent.add(client)
                if client not in self._silent:
                    server.sendall(data)
        except OSError:
            return
        # The end of a connection that is cut is lost, too: the server keeps its session.
        if client not in self._silent:
            server.close()

    def _to_client(self, server: socket.socket, client: socket.socket, direction: Direction) -> None:
        del direction
        try:
            while data := server.recv(_CHUNK_BYTES):
                if client not in self._silent:
                    client.sendall(data)
        except OSError:
            return
