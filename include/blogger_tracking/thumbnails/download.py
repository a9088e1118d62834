"""A download that trusts nothing: neither the address, nor where it leads, nor how much comes, nor its name."""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import urljoin

from blogger_tracking.domain.errors import ThumbnailError
from blogger_tracking.thumbnails.addresses import Resolve, Target, resolve_host, resolve_target

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_PASSING = frozenset({408, 425, 429})
_CHUNK_BYTES = 64 * 1024
_HEADERS = {"Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "blogger-tracking"}


# Sources: ISO/IEC 10918-1 (JPEG), PNG specification 5.2, GIF89a, RFC 9649 (WebP), AV1 Image File Format 1.1 (AVIF).
SIGNATURES: dict[str, re.Pattern[bytes]] = {
    "jpg": re.compile(rb"\xff\xd8\xff"),
    "png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "gif": re.compile(rb"GIF8[79]a"),
    "webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    "avif": re.compile(rb".{4}ftypavi[fs]", re.DOTALL),
}
"""File extension of each kind that is accepted, and how its content begins."""


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """The bytes of a picture, and the file extension that they deserve."""

    content: bytes
    extension: str


@dataclass(frozen=True)
class ThumbnailDownloader:
    """Downloads pictures. Thread-safe.

    `seconds` bounds one picture, its redirects included; a server that sends a byte now and then gains nothing.
    """

    bytes_limit: int
    seconds: float
    allow_loopback: bool = False
    resolve: Resolve = resolve_host
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    def download(self, url: str) -> Thumbnail:
        """The picture at an address. No key is sent, to nobody. Raises PictureError."""
        deadline = time.monotonic() + self.seconds
        for _ in range(1 + _MOST_REDIRECTS):
            target = resolve_target(url, self.resolve, allow_loopback=self.allow_loopback)
            with self._asked(target, deadline) as response:
                if response.status not in _REDIRECTS:
                    return self._read(response, deadline)
                url = urljoin(url, response.headers.get("Location", ""))
        raise ThumbnailError(f"redirected more than {_MOST_REDIRECTS} times", final=True)

    @contextmanager
    def _asked(self, target: Target, deadline: float) -> Generator[HTTPResponse]:
        """The answer to a request over a connection to exactly the IP address that was checked."""
        try:
            with self._connected(target, deadline) as connected, _ask(target, connected) as response:
                yield response
        except ssl.SSLCertVerificationError as error:
            raise ThumbnailError(
                f"{target.host} has no valid certificate ({error.verify_message})", final=True
            ) from None
        except (OSError, HTTPException) as error:
            if time.monotonic() >= deadline:
                raise self._too_late() from None
            raise ThumbnailError(f"{type(error).__name__} from {target.host}", final=False) from None

    @contextmanager
    def _connected(self, target: Target, deadline: float) -> Generator[socket.socket]:
        """A connection that is cut at the deadline: a socket's own timeout starts anew with every byte."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise self._too_late()
        connected = socket.create_connection((target.ip, target.port), timeout=left)
        if target.scheme == "https":
            connected = self.tls.wrap_socket(connected, server_hostname=target.host, do_handshake_on_connect=False)
        watchdog = threading.Timer(max(0, deadline - time.monotonic()), _cut, [connected])
        watchdog.daemon = True
        with connected:
            watchdog.start()
            try:
                yield connected
            finally:
                watchdog.cancel()

    def _read(self, response: HTTPResponse, deadline: float) -> Thumbnail:
        if response.status != HTTPStatus.OK:
            passing = response.status >= HTTPStatus.INTERNAL_SERVER_ERROR or response.status in _PASSING
            raise ThumbnailError(f"HTTP {response.status}", final=not passing)
        if (response.length or 0) > self.bytes_limit:
            raise self._too_large()
        received = bytearray()
        while chunk := response.read1(_CHUNK_BYTES):
            received += chunk
            if len(received) > self.bytes_limit:
                raise self._too_large()
        if time.monotonic() >= deadline:
            raise self._too_late()
        if response.length:
            raise ThumbnailError("the answer ended early", final=False)
        content = bytes(received)
        extension = image_extension(content)
        if extension is None:
            raise ThumbnailError(
                f"no picture of a known kind, but {len(content)} bytes that begin otherwise", final=True
            )
        return Thumbnail(content, extension)

    def _too_late(self) -> ThumbnailError:
        return ThumbnailError(f"took longer than {self.seconds:g} s", final=False)

    def _too_large(self) -> ThumbnailError:
        return ThumbnailError(f"larger than {self.bytes_limit} bytes", final=True)


@contextmanager
def _ask(target: Target, connected: socket.socket) -> Generator[HTTPResponse]:
    connection: HTTPConnection
    if isinstance(connected, ssl.SSLSocket):
        connected.do_handshake()
        connection = HTTPSConnection(target.host, target.port)
    else:
        connection = HTTPConnection(target.host, target.port)
    connection.sock = connected
    connection.request("GET", target.path, headers=_HEADERS)
    with connection.getresponse() as response:
        yield response


def _cut(connected: socket.socket) -> None:
    # Already closed is as good. Not SSLSocket's own method, which would go on reading without TLS.
    with suppress(OSError):
        socket.socket.shutdown(connected, socket.SHUT_RDWR)


def image_extension(content: bytes) -> str | None:
    """The file extension of a picture, or None for anything else."""
    return next((extension for extension, begins in SIGNATURES.items() if begins.match(content)), None)
