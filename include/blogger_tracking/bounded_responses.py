"""Connections whose responses are limited as a whole: status line, headers and body share the request's timeout.

The timeout of a socket is no limit: it starts again with every byte received, of a header as of a body.
"""

from __future__ import annotations

import time
from http.client import HTTPResponse
from io import BufferedReader, RawIOBase
from typing import TYPE_CHECKING

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

if TYPE_CHECKING:
    import socket

    from _typeshed import WriteableBuffer
    from urllib3 import PoolManager, ProxyManager


class _BoundedReader(RawIOBase):
    """Reader of a socket that raises TimeoutError once the time which the socket's timeout was at first is over."""

    def __init__(self, sock: socket.socket, raw: RawIOBase) -> None:
        self._sock = sock
        self._raw = raw
        # Each request of the clients has a timeout.
        self._deadline = time.monotonic() + (sock.gettimeout() or 0)

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        """Read into `buffer` what arrives first. Raises TimeoutError at the deadline."""
        seconds_left = self._deadline - time.monotonic()
        if seconds_left <= 0:
            raise TimeoutError("response incomplete at the timeout")
        self._sock.settimeout(seconds_left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Release the socket."""
        self._raw.close()
        super().close()


class _BoundedResponse(HTTPResponse):
    def __init__(
        self, sock: socket.socket, debuglevel: int = 0, method: str | None = None, url: str | None = None
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        self.fp = BufferedReader(_BoundedReader(sock, self.fp.detach()))


class _Connection(HTTPConnection):
    response_class = _BoundedResponse


class _TLSConnection(HTTPSConnection):
    response_class = _BoundedResponse


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


def bound_responses(manager: PoolManager) -> None:
    """Let the timeout of each request of the manager limit the response as a whole. The manager is unused as yet."""
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}


class BoundedAdapter(HTTPAdapter):
    """Adapter of requests whose timeout limits each response as a whole, through a proxy, too."""

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: object) -> None:  # noqa: FBT001, FBT002 - the signature of requests
        """Create the pools of direct connections."""
        super().init_poolmanager(connections, maxsize, block, **kwargs)
        bound_responses(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: object) -> ProxyManager:
        """Return the pools of connections through a proxy."""
        manager: ProxyManager = super().proxy_manager_for(proxy, **kwargs)
        bound_responses(manager)
        return manager
