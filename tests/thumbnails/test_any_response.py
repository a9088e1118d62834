"""Any address and any bytes of a server give a thumbnail or a ThumbnailError, and never end the consumer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Self

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blogger_tracking.domain.errors import ThumbnailError
from blogger_tracking.thumbnails.download import Thumbnail, ThumbnailDownloader

ONE_SERVER_FOR_ALL_EXAMPLES = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class RawServer:
    """A server that answers every connection with the same bytes."""

    def __init__(self) -> None:
        self.answer = b""
        self._listener = socket.create_server(("127.0.0.1", 0))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                client.recv(65_536)
                client.sendall(self.answer)


@pytest.fixture
def raw_server() -> Iterator[RawServer]:
    with RawServer() as server:
        yield server


def download(url: str) -> Thumbnail | ThumbnailError:
    downloader = ThumbnailDownloader(
        bytes_limit=10_000, seconds=5, allow_private=True, resolve=lambda _host: ["127.0.0.1"]
    )
    try:
        return downloader.download(url)
    except ThumbnailError as error:
        return error


HEADER_NAMES = st.sampled_from(["Location", "Content-Length", "Transfer-Encoding", "Content-Encoding", "X"])
LATIN = st.text(st.characters(max_codepoint=255), max_size=30)
ADDRESSES = st.builds("{}://{}:{}/{}".format, st.sampled_from(["http", "https", "ftp", "HTTP"]), LATIN, LATIN, LATIN)
HEADERS = st.lists(st.one_of(st.tuples(HEADER_NAMES, LATIN), st.tuples(st.just("Location"), ADDRESSES)), max_size=4)
STATUS_LINES = st.one_of(
    st.sampled_from(["HTTP/1.1 200 OK", "HTTP/1.1 302 Found", "HTTP/1.0 301", "HTTP/9.9 200 OK", "ICY 200"]), LATIN
)


@pytest.mark.long
@ONE_SERVER_FOR_ALL_EXAMPLES
@given(status_line=STATUS_LINES, headers=HEADERS, body=st.binary(max_size=300))
def test_any_response_gives_a_thumbnail_or_an_error_that_may_pass(
    raw_server: RawServer, status_line: str, headers: list[tuple[str, str]], body: bytes
) -> None:
    lines = [status_line, *(f"{name}: {value}" for name, value in headers), "", ""]
    raw_server.answer = "\r\n".join(lines).encode("latin-1") + body
    result = download(f"{raw_server.url}/image")
    assert isinstance(result, Thumbnail) or not result.final


@ONE_SERVER_FOR_ALL_EXAMPLES
@given(address=st.one_of(st.text(max_size=60), st.builds("http://{}/{}".format, st.text(max_size=30), st.text())))
def test_any_address_gives_a_thumbnail_error(address: str) -> None:
    assert isinstance(download(address), ThumbnailError)


@pytest.mark.parametrize("host", ["\x00", "a" * 300, "a..b", "\ud7ff.example"])
def test_a_host_name_that_the_resolver_refuses_is_a_permanent_error(host: str) -> None:
    with pytest.raises(ThumbnailError) as refused:
        ThumbnailDownloader(bytes_limit=1, seconds=5).download(f"https://{host}/image")
    assert refused.value.final


@pytest.mark.parametrize("target", ["http://[", "http://[::1", "//[x]/", "http://a:b/", "\xff"])
def test_a_redirect_that_cannot_be_parsed_may_be_tried_again(raw_server: RawServer, target: str) -> None:
    raw_server.answer = f"HTTP/1.1 302 Found\r\nLocation: {target}\r\n\r\n".encode("latin-1")
    error = download(f"{raw_server.url}/image")
    assert isinstance(error, ThumbnailError)
    assert not error.final
