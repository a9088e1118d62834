from __future__ import annotations

from datetime import timedelta

import pytest
import requests

from devtools.platform_sandbox import Fault, FaultKind, PlatformName
from devtools.platform_sandbox.generated_thumbnails import jpeg
from tests.support.sandbox_client import SandboxClient


def address(client: SandboxClient, platform: str, thumbnail_id: str) -> str:
    return f"{client.server.base_url}/thumbnails/{platform}/{thumbnail_id}.jpg"


def tiktok_cover(client: SandboxClient) -> str:
    page = next(client.tiktok_pages(client.server.world.creator("TikTok", 0)))
    return str(page["itemList"][0]["video"]["cover"])


def segments(thumbnail: bytes) -> list[int]:
    """Codes of the segments up to the coded data; fails where a length does not lead to the next segment."""
    codes, place = [], 2
    while True:
        assert thumbnail[place] == 0xFF
        codes.append(thumbnail[place + 1])
        if codes[-1] == 0xDA:
            return codes
        place += 2 + int.from_bytes(thumbnail[place + 2 : place + 4])


def test_a_cover_is_a_small_jpeg(shared: SandboxClient) -> None:
    answer = shared.get(tiktok_cover(shared))
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/jpeg")
    assert len(answer.content) < 1_000


def test_a_jpeg_is_complete(shared: SandboxClient) -> None:
    thumbnail = shared.get(address(shared, "youtube", "abc")).content
    assert thumbnail[:2] == b"\xff\xd8"
    assert thumbnail[-2:] == b"\xff\xd9"
    assert segments(thumbnail) == [0xE0, 0xFE, 0xDB, 0xDB, 0xDB, 0xC0, 0xC4, 0xC4, 0xDA]


def test_each_video_has_a_picture_of_its_own() -> None:
    thumbnails = {jpeg(str(number)) for number in range(500)}
    assert len(thumbnails) == 500


@pytest.mark.parametrize("platform", ["tiktok", "instagram"])
def test_a_signed_address_without_expiry_is_refused(shared: SandboxClient, platform: str) -> None:
    assert shared.get(address(shared, platform, "1")).status_code == 403


def test_a_signed_address_expires_in_simulated_time(own: SandboxClient) -> None:
    cover = tiktok_cover(own)
    own.server.clock.advance(timedelta(hours=23).total_seconds())
    assert own.get(cover).status_code == 200
    own.server.clock.advance(timedelta(hours=2).total_seconds())
    assert own.get(cover).status_code == 403


def test_a_missing_picture_is_404_on_every_platform(shared: SandboxClient) -> None:
    assert {shared.get(address(shared, platform.slug, "missing")).status_code for platform in PlatformName} == {404}


def test_a_redirect_leads_to_the_configured_target(shared: SandboxClient) -> None:
    answer = shared.get(address(shared, "youtube", "redirect"))
    assert (answer.status_code, answer.headers["Location"]) == (302, shared.server.options.redirect_target)


def test_a_redirect_loop_has_no_end(shared: SandboxClient) -> None:
    with pytest.raises(requests.TooManyRedirects):
        requests.get(address(shared, "tiktok", "redirect-loop"), timeout=10)


def test_html_can_be_found_instead_of_a_picture(shared: SandboxClient) -> None:
    answer = shared.get(address(shared, "youtube", "html"))
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html")


def test_a_huge_picture_begins_like_a_picture_and_has_50_megabytes(shared: SandboxClient) -> None:
    with requests.get(address(shared, "youtube", "huge"), timeout=10, stream=True) as answer:
        assert answer.headers["Content-Length"] == "50000000"
        assert answer.raw.read(2) == b"\xff\xd8"


def test_a_fault_strikes_one_picture_by_its_path(own: SandboxClient) -> None:
    own.server.add_fault(Fault(FaultKind.NOT_FOUND, path="/thumbnails/youtube/abc"))
    assert own.get(address(own, "youtube", "abc")).status_code == 404
    assert own.get(address(own, "youtube", "other")).status_code == 200
