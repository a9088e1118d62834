"""Download of thumbnails from untrusted servers.

The target of the URL and of every redirect, the size, the time and the content of the response are checked.

No response but one is final, because a server that is out of order, or a proxy in front of it, answers with anything
for a while: an empty body, an HTML page, a redirect, any status. The exception is an image above the size limit.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import urljoin

from blogger_tracking.domain.errors import ThumbnailError
from blogger_tracking.thumbnails.addresses import Resolve, Target, resolve_host, resolve_target

_REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 5
_CHUNK_BYTES = 64 * 1024
_RESOLVERS = 64
_HEADERS = {"Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "blogger-tracking"}


# Sources: ISO/IEC 10918-1 (JPEG), PNG specification 5.2, GIF89a, RFC 9649 (WebP), AV1 Image File Format 1.1 (AVIF).
SIGNATURES: dict[str, re.Pattern[bytes]] = {
    "jpg": re.compile(rb"\xff\xd8\xff"),
    "png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "gif": re.compile(rb"GIF8[79]a"),
    "webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    "avif": re.compile(rb".{4}ftypavi[fs]", re.DOTALL),
}
"""Accepted image formats: file extension, and the signature that the content begins with."""


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """The bytes of an image, and the file extension of the format that the content has."""

    content: bytes
    extension: str


@dataclass(frozen=True)
class ThumbnailDownloader:
    """Downloader of thumbnails. Thread-safe.

    `seconds` limits one download as a whole, redirects included: a server that trickles bytes does not extend the
    limit.
    """

    bytes_limit: int
    seconds: float
    allow_private: bool = False
    resolve: Resolve = resolve_host
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    def download(self, url: str) -> Thumbnail:
        """Download an image. No credentials are sent. Raises ThumbnailError."""
        deadline = time.monotonic() + self.seconds
        target = self._target(url, deadline)
        for _ in range(1 + _MAX_REDIRECTS):
            with self._response(target, deadline) as response:
                if response.status not in _REDIRECT_STATUSES:
                    return self._read(response, deadline)
                url, target = self._redirected(url, response.headers.get("Location", ""), deadline)
        raise ThumbnailError(f"redirected more than {_MAX_REDIRECTS} times", final=False)

    def _target(self, url: str, deadline: float) -> Target:
        """Return the checked target of a URL. The system's resolver has no timeout of ours, so a thread asks it."""
        resolving = _resolvers().submit(resolve_target, url, self.resolve, allow_private=self.allow_private)
        try:
            return resolving.result(max(0, deadline - time.monotonic()))
        except TimeoutError:
            resolving.cancel()
            raise self._timed_out() from None

    def _redirected(self, url: str, location: str, deadline: float) -> tuple[str, Target]:
        """Return the URL and the checked target of a redirect. Raises ThumbnailError, which is not final."""
        try:
            redirected = urljoin(url, location)
        except ValueError:
            raise ThumbnailError("redirected to a malformed URL", final=False) from None
        try:
            return redirected, self._target(redirected, deadline)
        except ThumbnailError as error:
            raise ThumbnailError(f"redirected, and {error}", final=False) from None

    @contextmanager
    def _response(self, target: Target, deadline: float) -> Generator[HTTPResponse]:
        """Yield the response to a GET request, and translate network errors into ThumbnailError."""
        try:
            with self._connection(target, deadline) as sock, _get(target, sock) as response:
                yield response
        except ssl.SSLCertVerificationError as error:
            raise ThumbnailError(
                f"{target.host} has no valid certificate ({error.verify_message})", final=False
            ) from None
        except (OSError, HTTPException) as error:
            if time.monotonic() >= deadline:
                raise self._timed_out() from None
            raise ThumbnailError(f"{type(error).__name__} from {target.host}", final=False) from None

    @contextmanager
    def _connection(self, target: Target, deadline: float) -> Generator[socket.socket]:
        """Yield a connection to the checked IP address that is shut down at the deadline.

        A socket's own timeout is no limit: the timeout starts again with every byte received.
        """
        seconds_left = deadline - time.monotonic()
        if seconds_left <= 0:
            raise self._timed_out()
        sock = socket.create_connection((target.ip, target.port), timeout=seconds_left)
        if target.scheme == "https":
            sock = self.tls.wrap_socket(sock, server_hostname=target.host, do_handshake_on_connect=False)
        watchdog = threading.Timer(max(0, deadline - time.monotonic()), _shut_down, [sock])
        watchdog.daemon = True
        with sock:
            watchdog.start()
            try:
                yield sock
            finally:
                watchdog.cancel()

    def _read(self, response: HTTPResponse, deadline: float) -> Thumbnail:
        if response.status != HTTPStatus.OK:
            raise ThumbnailError(f"HTTP {response.status}", final=False)
        received = bytearray()
        while chunk := response.read1(_CHUNK_BYTES):
            received += chunk
            # `length` is the number of announced bytes that are still to come.
            if len(received) + (response.length or 0) > self.bytes_limit:
                is_image = image_extension(bytes(received)) is not None
                raise ThumbnailError(f"larger than {self.bytes_limit} bytes", final=is_image)
        if time.monotonic() >= deadline:
            raise self._timed_out()
        if response.length:
            raise ThumbnailError("the response ended early", final=False)
        content = bytes(received)
        extension = image_extension(content)
        if extension is None:
            raise ThumbnailError(f"not an image of an accepted format ({len(content)} bytes)", final=False)
        return Thumbnail(content, extension)

    def _timed_out(self) -> ThumbnailError:
        return ThumbnailError(f"took longer than {self.seconds:g} s", final=False)


@cache
def _resolvers() -> ThreadPoolExecutor:
    """Return the threads of this process that wait for the system's resolver, which gives up by itself in the end."""
    return ThreadPoolExecutor(_RESOLVERS, thread_name_prefix="resolver")


# The threads of a parent do not exist in a forked child.
os.register_at_fork(after_in_child=_resolvers.cache_clear)


@contextmanager
def _get(target: Target, sock: socket.socket) -> Generator[HTTPResponse]:
    connection: HTTPConnection
    if isinstance(sock, ssl.SSLSocket):
        sock.do_handshake()
        connection = HTTPSConnection(target.host, target.port)
    else:
        connection = HTTPConnection(target.host, target.port)
    connection.sock = sock
    connection.request("GET", target.path, headers=_HEADERS)
    with connection.getresponse() as response:
        yield response


def _shut_down(sock: socket.socket) -> None:
    # OSError: the socket is closed already. `socket.socket.shutdown` is called because SSLSocket's own method would
    # drop TLS and let the reading thread continue in plain text.
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def image_extension(content: bytes) -> str | None:
    """Return the file extension of an image in an accepted format, or None for anything else."""
    return next((extension for extension, signature in SIGNATURES.items() if signature.match(content)), None)
