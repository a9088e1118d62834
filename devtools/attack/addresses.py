"""Addresses of thumbnails that lead inside (SSRF), and servers that answer with anything but an image."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator

from blogger_tracking.domain.errors import ThumbnailError
from blogger_tracking.thumbnails.addresses import Resolve, resolve_host
from blogger_tracking.thumbnails.download import ThumbnailDownloader
from devtools.attack.listener import listener
from devtools.attack.target import Target
from devtools.attack.tries import Try

_BYTES = 100_000
_SECONDS = 3.0
_GRACE_SECONDS = 3.0
_DRIPS = 200

_HOSTS = (
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "0.0.0.0",  # noqa: S104 - requested, not bound to
    "0",
    "localhost",
    "localhost.",
    "LOCALHOST",
    "127。0。0。1",
    "１２７.0.0.1",  # noqa: RUF001 - digits that look like others, as an attacker writes them
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[fe80::1%25lo]",
    "user@127.0.0.1",
    "images.example:x@127.0.0.1",
    "images.example%2F@127.0.0.1",
    "images.example\\@127.0.0.1",
    "127.0.0.1#@images.example",
    "169.254.169.254",
    "[::ffff:a9fe:a9fe]",
    "10.0.0.1",
    "192.168.0.1",
    "172.31.255.255",
    "100.64.0.1",
    "metadata.google.internal",
)
_SCHEMES = ("http", "ftp", "file", "gopher", "dict", "data", "javascript", "HTTPS ", "")


def addresses(target: Target) -> Iterator[Try]:
    """Download thumbnails from addresses that lead to a listener on this machine, which nothing may connect to."""
    del target
    with listener() as (port, connected):
        for host in _HOSTS:
            yield _refused(f"host {host}", f"https://{_with_port(host, port)}/a.jpg", resolve_host)
        for scheme in _SCHEMES:
            yield _refused(f"scheme {scheme!r}", f"{scheme}://127.0.0.1:{port}/a.jpg", resolve_host)
        yield _refused("file:///etc/passwd", "file:///etc/passwd", resolve_host)
        for inside in ("127.0.0.1", "::1", "169.254.169.254", "10.0.0.1", "::ffff:10.0.0.1"):
            url = f"https://images.example:{port}/a.jpg"
            yield _refused(f"a name that resolves to {inside}", url, _resolves_to(inside))
            yield _refused(f"a name with a public address and {inside}", url, _resolves_to("93.184.216.34", inside))
        time.sleep(0.1)
        yield Try("nothing connected to the listener", not connected, f"{len(connected)} connections")
    for name, answer in _REDIRECTS.items():
        yield _answered(f"a redirect to {name}", b"HTTP/1.1 302 Found\r\nLocation: " + answer + b"\r\n\r\n")


_REDIRECTS = {
    "the metadata of a cloud": b"http://169.254.169.254/latest/meta-data",
    "a file": b"file:///etc/passwd",
    "a link-local address": b"http://[fe80::1]/",
    "itself": b"/again",
    "another scheme": b"gopher://127.0.0.1:6379/_FLUSHALL",
    "an address that embeds the metadata": b"http://[::ffff:169.254.169.254]/",
}


def images(target: Target) -> Iterator[Try]:
    """Download thumbnails from a server that answers with anything but an image."""
    del target
    for name, body in {
        "a page": b"<html><script>alert(1)</script>",
        "a drawing with a script": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        "nothing": b"",
        "a program": b"\x7fELF" + b"\0" * 1_000,
        "an archive": b"PK\x03\x04" + b"\0" * 1_000,
        "a document": b"%PDF-1.7",
        "more than the limit": b"\xff\xd8\xff" + b"\0" * (2 * _BYTES),
        "zeros": b"\0" * 1_000,
    }.items():
        head = f"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        yield _answered(name, head + body)
    bomb = gzip.compress(b"\xff\xd8\xff" + b"\0" * 50_000_000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    yield _answered("a compressed bomb", head + bomb)
    yield _answered("no HTTP", b"SSH-2.0-OpenSSH\r\n")
    yield _answered("a header that does not end", b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000)
    yield _answered("an image that drips", b"HTTP/1.1 200 OK\r\n\r\n" + b"\xff\xd8\xff" * _DRIPS, drips=True)


def _resolves_to(*ips: str) -> Resolve:
    return lambda _host: ips


def _refused(name: str, url: str, resolve: Resolve) -> Try:
    return _downloaded(name, url, ThumbnailDownloader(bytes_limit=_BYTES, seconds=_SECONDS, resolve=resolve))


def _answered(name: str, answer: bytes, *, drips: bool = False) -> Try:
    with listener(answer, drips=drips) as (port, _):
        downloader = ThumbnailDownloader(bytes_limit=_BYTES, seconds=_SECONDS, allow_private=True)
        return _downloaded(name, f"http://127.0.0.1:{port}/a.jpg", downloader)


def _downloaded(name: str, url: str, downloader: ThumbnailDownloader) -> Try:
    begin = time.monotonic()
    try:
        image = downloader.download(url)
    except ThumbnailError as error:
        seconds = time.monotonic() - begin
        return Try(name, seconds < _SECONDS + _GRACE_SECONDS, f"{error} after {seconds:.1f} s")
    return Try(name, held=False, found=f"a thumbnail of {len(image.content)} bytes")


def _with_port(host: str, port: int) -> str:
    address, mark, rest = host.partition("#")
    return f"{address}:{port}{mark}{rest}"
