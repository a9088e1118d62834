"""Pictures in Airflow's object storage: a local folder, and S3 as a server on loopback speaks it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import attach
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem

from blogger_tracking.domain.errors import StorageError
from blogger_tracking.orchestration.thumbnail_store import ObjectThumbnailStore

PICTURE = b"\xff\xd8\xff picture"


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The address of a bucket on a server of its own."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = dict.fromkeys(("key", "secret"), "invented")
    files = S3FileSystem(**keys, endpoint_url=f"http://{host}:{port}")
    files.mkdir("pictures")
    attach("s3", alias="s3-loopback", fs=files)
    yield "s3://loopback@pictures"
    server.stop()


@pytest.fixture(params=["folder", "bucket"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStoragePath:
    parent = request.getfixturevalue("bucket") if request.param == "bucket" else "file://"
    return ObjectStoragePath(f"{parent}{tmp_path}/thumbnails")


def test_a_picture_is_found_again_where_the_store_says_it_is(root: ObjectStoragePath) -> None:
    place = ObjectThumbnailStore(root).write("youtube/abc.jpg", PICTURE)
    assert place == f"{root}/youtube/abc.jpg"
    assert ObjectStoragePath(place).read_bytes() == PICTURE


def test_a_picture_that_is_written_again_takes_the_place_of_the_older_one(root: ObjectStoragePath) -> None:
    store = ObjectThumbnailStore(root)
    for content in (b"older", PICTURE):
        place = store.write("youtube/abc.jpg", content)
        assert ObjectStoragePath(place).read_bytes() == content
    assert [path.name for path in (root / "youtube").iterdir()] == ["abc.jpg"]


def test_a_storage_that_cannot_be_written_to_says_so_without_naming_secrets(tmp_path: Path) -> None:
    (tmp_path / "thumbnails").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match=r"did not take youtube/abc\.jpg"):
        ObjectThumbnailStore(ObjectStoragePath(f"file://{tmp_path}/thumbnails")).write("youtube/abc.jpg", PICTURE)
