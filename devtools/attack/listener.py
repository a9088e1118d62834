"""A server on the loopback address that sends the same bytes to everyone, whole or drop by drop."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress

_SECONDS = 10.0
_DRIP_SECONDS = 0.05


@contextmanager
def listener(answer: bytes = b"", *, drips: bool = False) -> Generator[tuple[int, list[object]]]:
    """Yield the port of a listener on this machine, and the list of its connections. Without an answer it hangs."""
    connected: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, address = server.accept()
                    connected.append(address)
                    with client, suppress(OSError):
                        _answer(client, answer, drips=drips)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], connected


def _answer(client: socket.socket, answer: bytes, *, drips: bool) -> None:
    client.settimeout(_SECONDS)
    client.recv(65_536)
    if not answer:
        client.recv(1)
    if not drips:
        client.sendall(answer)
        return
    for position in range(len(answer)):
        client.sendall(answer[position : position + 1])
        time.sleep(_DRIP_SECONDS)
