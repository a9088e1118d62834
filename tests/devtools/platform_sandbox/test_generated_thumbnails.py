from __future__ import annotations

from datetime import timedelta

import pytest
import requests

from devtools.platform_sandbox import Fault, FaultKind, PlatformName
from devtools.platform_sandbox.generated_thumbnails import jpeg
from tests.support.sandbox_client import SandboxClient


def thumbnail_url(client: SandboxClient, platform: str, thumbnail_id: str) -> str:
    return f"{client.server.base_url}/thumbnails/{platform}/{thumbnail_id}.jpg"


def tiktok_cover(client: SandboxClient) -> str:
    page = next(client.tiktok_pages(client.server.world.creator("TikTok", 0)))
    return str(page["itemList"][0]["video"]["cover"])


def segments(thumbnail: bytes) -> list[int]:
    """Return the codes of the segments up to the coded data; fail if a length does not lead to the next segment."""
    codes, place = [], 2
    while True:
        assert thumbnail[place] == 0xFF
        codes.append(thumbnail[place + 1])
        if codes[-1] == 0xDA:
            return codes
        place += 2 + int.from_bytes(thumbnail[place + 2 : place + 4])


def test_a_cover_is_a_small_jpeg(sandbox: SandboxClient) -> None:
    response = sandbox.get(tiktok_cover(sandbox))
    assert (response.status_code, response.headers["Content-Type"]) == (200, "image/jpeg")
    assert len(response.content) < 1_000


def test_a_jpeg_is_complete(sandbox: SandboxClient) -> None:
    thumbnail = sandbox.get(thumbnail_url(sandbox, "youtube", "abc")).content
    assert thumbnail[:2] == b"\xff\xd8"
    assert thumbnail[-2:] == b"\xff\xd9"
    assert segments(thumbnail) == [0xE0, 0xFE, 0xDB, 0xDB, 0xDB, 0xC0, 0xC4, 0xC4, 0xDA]


def test_each_video_has_a_different_thumbnail() -> None:
    thumbnails = {jpeg(str(number)) for number in range(500)}
    assert len(thumbnails) == 500


@pytest.mark.parametrize("platform", ["tiktok", "instagram"])
def test_a_signed_url_without_an_expiry_is_rejected(sandbox: SandboxClient, platform: str) -> None:
    assert sandbox.get(thumbnail_url(sandbox, platform, "1")).status_code == 403


def test_a_signed_url_expires_in_simulated_time(fresh_sandbox: SandboxClient) -> None:
    cover = tiktok_cover(fresh_sandbox)
    fresh_sandbox.server.clock.advance(timedelta(hours=23).total_seconds())
    assert fresh_sandbox.get(cover).status_code == 200
    fresh_sandbox.server.clock.advance(timedelta(hours=2).total_seconds())
    assert fresh_sandbox.get(cover).status_code == 403


def test_a_missing_thumbnail_is_404_on_every_platform(sandbox: SandboxClient) -> None:
    assert {sandbox.get(thumbnail_url(sandbox, platform.slug, "missing")).status_code for platform in PlatformName} == {
        404
    }


def test_a_redirect_leads_to_the_configured_target(sandbox: SandboxClient) -> None:
    response = sandbox.get(thumbnail_url(sandbox, "youtube", "redirect"))
    assert (response.status_code, response.headers["Location"]) == (302, sandbox.server.options.redirect_target)


def test_a_redirect_loop_never_ends(sandbox: SandboxClient) -> None:
    with pytest.raises(requests.TooManyRedirects):
        requests.get(thumbnail_url(sandbox, "tiktok", "redirect-loop"), timeout=10)


def test_the_id_html_gives_an_html_page_instead_of_a_thumbnail(sandbox: SandboxClient) -> None:
    response = sandbox.get(thumbnail_url(sandbox, "youtube", "html"))
    assert (response.status_code, response.headers["Content-Type"]) == (200, "text/html")


def test_a_huge_thumbnail_begins_as_a_jpeg_and_has_50_megabytes(sandbox: SandboxClient) -> None:
    with requests.get(thumbnail_url(sandbox, "youtube", "huge"), timeout=10, stream=True) as response:
        assert response.headers["Content-Length"] == "50000000"
        assert response.raw.read(2) == b"\xff\xd8"


def test_a_fault_affects_one_thumbnail_by_its_path(fresh_sandbox: SandboxClient) -> None:
    fresh_sandbox.server.add_fault(Fault(FaultKind.NOT_FOUND, path="/thumbnails/youtube/abc"))
    assert fresh_sandbox.get(thumbnail_url(fresh_sandbox, "youtube", "abc")).status_code == 404
    assert fresh_sandbox.get(thumbnail_url(fresh_sandbox, "youtube", "other")).status_code == 200
