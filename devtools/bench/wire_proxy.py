"""A distant Postgres: a proxy that counts round trips and holds each of them up."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_CHUNK_BYTES = 65_536


class WireProxy:
    """Forwards one Postgres socket to another and counts round trips.

    A round trip is a turn of the conversation: the client says something after the server has answered. `delay` holds
    each turn up by that many seconds, as a distant database would. Clients find its socket in `folder`.
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
            turn = _Turn()
            threading.Thread(target=self._to_server, args=(client, server, turn), daemon=True).start()
            threading.Thread(target=self._to_client, args=(server, client, turn), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket, turn: _Turn) -> None:
        while data := client.recv(_CHUNK_BYTES):
            if turn.client_begins():
                self.round_trips += 1
                time.sleep(self._delay)
            server.sendall(data)
        server.close()
        client.close()

    def _to_client(self, server: socket.socket, client: socket.socket, turn: _Turn) -> None:
        try:
            while data := server.recv(_CHUNK_BYTES):
                turn.server_answers()
                client.sendall(data)
        except OSError:
            return


class _Turn:
    def __init__(self) -> None:
        self._client_speaks = False

    def client_begins(self) -> bool:
        begins, self._client_speaks = not self._client_speaks, True
        return begins

    def server_answers(self) -> None:
        self._client_speaks = False
