"""Videos of a blogger: their statistics, and their thumbnails as bytes of an image and nothing else."""

from __future__ import annotations

import pytest

from tests.page.test_bloggers import capture, video
from tests.support.database_builder import DatabaseBuilder
from tests.support.page_people import PagePerson
from tests.support.stored_thumbnails import StoredThumbnails

PATH = "file:///thumbnails/tiktok/1.jpg"


@pytest.fixture
def stored(build: DatabaseBuilder) -> int:
    """The id of a video with a stored thumbnail."""
    number = video(build, build.blogger())
    build.run("update videos set thumbnail_path = %(path)s where id = %(id)s", path=PATH, id=number)
    return number


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBP", "image/webp"),
        (b"\x00\x00\x00\x20ftypavif", "image/avif"),
    ],
)
def test_a_thumbnail_is_served_with_the_type_of_its_content_and_may_load_nothing(
    person: PagePerson, stored: int, thumbnails: StoredThumbnails, content: bytes, media_type: str
) -> None:
    thumbnails.contents[PATH] = content
    answer = person.get(f"/api/videos/{stored}/thumbnail")
    assert (answer.status_code, answer.content) == (200, content)
    assert answer.headers["Content-Type"] == media_type
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["Cache-Control"].startswith("private, ")


@pytest.mark.parametrize("content", [b"<svg onload='alert(1)'/>", b"<html>", b"", None])
def test_what_is_no_image_of_a_known_type_is_404(
    person: PagePerson, stored: int, thumbnails: StoredThumbnails, content: bytes | None
) -> None:
    if content is not None:
        thumbnails.contents[PATH] = content
    answer = person.get(f"/api/videos/{stored}/thumbnail")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(("number", "status"), [("1", 404), ("0", 400), (str(2**63), 400), ("x", 400)])
def test_a_video_without_a_thumbnail_is_404_and_a_number_out_of_range_400(
    person: PagePerson, number: str, status: int
) -> None:
    assert person.get(f"/api/videos/{number}/thumbnail").status_code == status


def test_videos_have_their_newest_statistics_and_the_newest_video_comes_first(
    build: DatabaseBuilder, person: PagePerson
) -> None:
    blogger = build.blogger()
    older, newer = video(build, blogger, age_days=9), video(build, blogger, age_days=2)
    capture(build, older, 40, 5)
    capture(build, older, 3, 7, likes=1)
    listing = person.read(f"bloggers/{blogger}/videos")
    assert listing["total"] == 2
    assert [item["id"] for item in listing["items"]] == [str(newer), str(older)]
    assert [(item["views"], item["likes"], item["hasThumbnail"]) for item in listing["items"]] == [
        (None, None, False),
        (7, 1, False),
    ]
    captures = person.read(f"videos/{older}/statistics")
    assert [(each["views"], each["likes"]) for each in captures] == [(5, None), (7, 1)]
    assert captures[0]["capturedAt"].endswith("Z")


def test_a_video_without_a_date_comes_after_all_others(build: DatabaseBuilder, person: PagePerson) -> None:
    blogger = build.blogger()
    undated, older, newer = video(build, blogger), video(build, blogger, age_days=9), video(build, blogger, age_days=2)
    build.run("update videos set published_at = null where id = %(id)s", id=undated)
    listing = person.read(f"bloggers/{blogger}/videos")
    assert [item["id"] for item in listing["items"]] == [str(newer), str(older), str(undated)]
