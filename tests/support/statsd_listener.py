"""A StatsD server on the loopback interface."""

from __future__ import annotations

import socket
import threading


class StatsdListener:
    """A UDP socket that keeps the lines which it receives."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.2)
        self._lines: list[str] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port

    def stop(self) -> list[str]:
        """Stop after a fifth of a second without a datagram; return the received lines."""
        self._ended.set()
        self._thread.join()
        self._socket.close()
        return self._lines

    def _receive(self) -> None:
        while True:
            try:
                datagram = self._socket.recv(65536)
            except TimeoutError:
                if self._ended.is_set():
                    return
            else:
                self._lines.extend(datagram.decode().splitlines())
