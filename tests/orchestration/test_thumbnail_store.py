"""Thumbnails in Airflow's object storage: a local folder, and S3 on a loopback server."""

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

THUMBNAIL = b"\xff\xd8\xff thumbnail"


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """Yield the URL of a bucket on an S3 server of this test module."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = dict.fromkeys(("key", "secret"), "invented")
    files = S3FileSystem(**keys, endpoint_url=f"http://{host}:{port}")
    files.mkdir("thumbnails")
    attach("s3", alias="s3-loopback", fs=files)
    yield "s3://loopback@thumbnails"
    server.stop()


@pytest.fixture(params=["folder", "bucket"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStoragePath:
    parent = request.getfixturevalue("bucket") if request.param == "bucket" else "file://"
    return ObjectStoragePath(f"{parent}{tmp_path}/thumbnails")


def test_a_thumbnail_is_stored_at_the_returned_path(root: ObjectStoragePath) -> None:
    path = ObjectThumbnailStore(root).write("youtube/abc.jpg", THUMBNAIL)
    assert path == f"{root}/youtube/abc.jpg"
    assert ObjectStoragePath(path).read_bytes() == THUMBNAIL


def test_a_second_write_replaces_the_thumbnail(root: ObjectStoragePath) -> None:
    store = ObjectThumbnailStore(root)
    for content in (b"older", THUMBNAIL):
        path = store.write("youtube/abc.jpg", content)
        assert ObjectStoragePath(path).read_bytes() == content
    assert [file.name for file in (root / "youtube").iterdir()] == ["abc.jpg"]


def test_a_failed_write_raises_storage_error_with_the_key_and_the_kind_of_error_only(tmp_path: Path) -> None:
    (tmp_path / "thumbnails").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match=r"^youtube/abc\.jpg was not written to file://\S+: \w+$"):
        ObjectThumbnailStore(ObjectStoragePath(f"file://{tmp_path}/thumbnails")).write("youtube/abc.jpg", THUMBNAIL)
