"""Download of thumbnails from untrusted servers."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator

import pytest

from blogger_tracking.domain.errors import ThumbnailError
from blogger_tracking.thumbnails.download import ThumbnailDownloader
from tests.support.loopback_tls import TlsServer
from tests.support.scripted_server import Scripted, ScriptedServer

JPEG = b"\xff\xd8\xff\xe0" + b"\x00" * 500
LIMIT = 100_000


@pytest.fixture
def host() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


def downloader(seconds: float = 10) -> ThumbnailDownloader:
    return ThumbnailDownloader(bytes_limit=LIMIT, seconds=seconds, allow_private=True)


def refused(host: ScriptedServer, *answers: Scripted, seconds: float = 10) -> ThumbnailError:
    host.play(*answers)
    with pytest.raises(ThumbnailError) as caught:
        downloader(seconds).download(f"{host.url}/image")
    return caught.value


def redirect(target: str, status: int = 302) -> Scripted:
    return Scripted(b"", status, {"Location": target})


@pytest.mark.parametrize(
    ("content", "extension"),
    [
        (JPEG, "jpg"),
        (b"\x89PNG\r\n\x1a\n" + b"\x00" * 20, "png"),
        (b"GIF89a" + b"\x00" * 20, "gif"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "webp"),
        (b"\x00\x00\x00\x1cftypavif\x00\x00", "avif"),
    ],
)
def test_the_image_format_is_recognized_by_the_content(host: ScriptedServer, content: bytes, extension: str) -> None:
    host.play(Scripted(content, headers={"Content-Type": "text/html"}))
    thumbnail = downloader().download(f"{host.url}/image")
    assert (thumbnail.content, thumbnail.extension) == (content, extension)


@pytest.mark.parametrize(
    "content", [b"", b"<!DOCTYPE html><html>", b"<svg xmlns=''/>", b"%PDF-1.7", b"RIFF....WAVEfmt "]
)
def test_content_that_is_no_image_is_refused_whatever_its_content_type_and_may_be_tried_again(
    host: ScriptedServer, content: bytes
) -> None:
    error = refused(host, Scripted(content, headers={"Content-Type": "image/jpeg"}))
    assert "not an image" in str(error)
    assert not error.final


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data/",
        "https://100.64.0.1/",
        "http://[::ffff:169.254.169.254]/",
        "file:///x",
    ],
)
def test_a_redirect_to_an_address_that_is_not_public_is_not_followed_and_may_be_tried_again(
    host: ScriptedServer, target: str
) -> None:
    error = refused(host, redirect(target))
    assert str(error).startswith("redirected, and ")
    assert not error.final
    assert len(host.asked) == 1


def test_a_private_address_is_permanently_refused_without_a_request(host: ScriptedServer) -> None:
    with pytest.raises(ThumbnailError) as caught:
        ThumbnailDownloader(LIMIT, 10).download(host.url.replace("http", "https"))
    assert caught.value.final
    assert host.asked == []


def test_a_few_redirects_are_followed(host: ScriptedServer) -> None:
    host.play(redirect("/elsewhere?x=1"), redirect(f"{host.url}/there", 308), Scripted(JPEG))
    assert downloader().download(f"{host.url}/image").content == JPEG
    assert [asked.path for asked in host.asked] == ["/image", "/elsewhere", "/there"]


def test_a_redirect_loop_is_left_and_may_be_tried_again(host: ScriptedServer) -> None:
    assert not refused(host, redirect("/image")).final
    assert len(host.asked) == 6


@pytest.mark.parametrize("announced", [50_000_000, None])
def test_an_image_above_the_size_limit_is_permanently_refused(host: ScriptedServer, announced: int | None) -> None:
    error = refused(host, Scripted(JPEG + bytes(LIMIT), announced=announced))
    assert error.final
    assert "larger" in str(error)


@pytest.mark.parametrize("announced", [50_000_000, None])
def test_a_page_above_the_size_limit_may_be_tried_again(host: ScriptedServer, announced: int | None) -> None:
    error = refused(host, Scripted(b"<!DOCTYPE html>" + bytes(LIMIT), announced=announced))
    assert not error.final
    assert "larger" in str(error)


def test_a_truncated_response_may_be_tried_again(host: ScriptedServer) -> None:
    assert not refused(host, Scripted(JPEG, announced=len(JPEG) + 1)).final


@pytest.mark.parametrize("status", [204, 206, 304, 400, 403, 404, 410, 429, 500, 503])
def test_a_status_other_than_ok_may_be_tried_again(host: ScriptedServer, status: int) -> None:
    error = refused(host, Scripted(b"", status))
    assert str(error) == f"HTTP {status}"
    assert not error.final


def test_a_server_that_trickles_bytes_is_disconnected_at_the_deadline(host: ScriptedServer) -> None:
    error = refused(host, Scripted(JPEG * 20, drip=True), seconds=0.3)
    assert not error.final
    assert "longer than" in str(error)


def test_a_server_that_never_responds_is_disconnected_at_the_deadline(host: ScriptedServer) -> None:
    assert "longer than" in str(refused(host, Scripted(hang=True), seconds=0.2))


def test_no_credentials_and_no_other_headers_than_the_listed_are_sent(host: ScriptedServer) -> None:
    host.play(Scripted(JPEG))
    downloader().download(host.url.replace("http://", "http://me:secret@") + "/image")
    assert set(host.asked[0].headers) == {"Host", "Accept", "Accept-Encoding", "User-Agent"}


def test_the_connection_goes_to_the_checked_address_with_the_host_name_in_tls_and_http() -> None:
    with TlsServer("images.example", JPEG) as server:
        resolved: list[str] = []

        def resolve(name: str) -> list[str]:
            resolved.append(name)
            return ["127.0.0.1"]

        trusting = ThumbnailDownloader(LIMIT, 10, allow_private=True, resolve=resolve, tls=server.trust)
        assert trusting.download(f"https://images.example:{server.port}/a").content == JPEG
        assert resolved == ["images.example"]
        assert server.names == ["images.example"]
        assert server.hosts == [f"images.example:{server.port}"]


def test_a_certificate_of_another_host_is_refused() -> None:
    with TlsServer("other.example", JPEG) as server:
        trusting = ThumbnailDownloader(LIMIT, 10, allow_private=True, resolve=lambda _: ["127.0.0.1"], tls=server.trust)
        with pytest.raises(ThumbnailError, match="certificate") as caught:
            trusting.download(f"https://images.example:{server.port}/a")
        assert not caught.value.final


def test_a_certificate_of_an_untrusted_authority_is_refused() -> None:
    with TlsServer("images.example", JPEG) as server:
        default = ThumbnailDownloader(LIMIT, 10, allow_private=True, resolve=lambda _: ["127.0.0.1"])
        assert default.tls.verify_mode is ssl.CERT_REQUIRED
        with pytest.raises(ThumbnailError, match="certificate"):
            default.download(f"https://images.example:{server.port}/a")


def test_a_resolver_that_does_not_answer_is_given_up_at_the_timeout() -> None:
    answer = threading.Event()

    def resolve(_host: str) -> list[str]:
        answer.wait()
        return ["93.184.215.14"]

    begin = time.monotonic()
    with pytest.raises(ThumbnailError, match="took longer than") as error:
        ThumbnailDownloader(bytes_limit=1, seconds=0.2, resolve=resolve).download("https://silent.example/1.jpg")
    answer.set()
    assert time.monotonic() - begin < 5
    assert not error.value.final
