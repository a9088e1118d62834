"""Proxy in front of Postgres that stops forwarding at a chosen moment, like a network that loses every packet."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

_CHUNK_BYTES = 65_536


class SilentProxy:
    """Forwards a Postgres socket until `is_cut` returns True for data of the client.

    From then on the connection stays open in both directions and nothing arrives: neither side learns that the other
    is gone. Connections opened afterwards are forwarded. The proxy's socket is in `folder`.
    """

    def __init__(self, folder: Path, server_socket: Path) -> None:
        self.is_cut: Callable[[bytes], bool] = lambda _data: False
        self._server_socket = server_socket
        self._held: list[socket.socket] = []
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
        for each in self._held:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self._server_socket))
            self._held += [client, server]
            cut = threading.Event()
            threading.Thread(target=self._to_server, args=(client, server, cut), daemon=True).start()
            threading.Thread(target=self._to_client, args=(server, client, cut), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket, cut: threading.Event) -> None:
        try:
            while data := client.recv(_CHUNK_BYTES):
                if not cut.is_set() and self.is_cut(data):
                    cut.set()
                if not cut.is_set():
                    server.sendall(data)
        except OSError:
            return
        # The end of a connection that is cut is lost, too: the server keeps its session.
        if not cut.is_set():
            server.close()

    def _to_client(self, server: socket.socket, client: socket.socket, cut: threading.Event) -> None:
        try:
            while data := server.recv(_CHUNK_BYTES):
                if not cut.is_set():
                    client.sendall(data)
        except OSError:
            return
