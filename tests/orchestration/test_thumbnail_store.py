"""Thumbnails in a local folder; test_object_storage.py has the storage of clouds."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk import ObjectStoragePath

from blogger_tracking.domain.errors import StorageError
from blogger_tracking.orchestration.thumbnail_store import ObjectThumbnailStore

THUMBNAIL = b"\xff\xd8\xff thumbnail"


@pytest.fixture
def root(tmp_path: Path) -> ObjectStoragePath:
    return ObjectStoragePath(f"file://{tmp_path}/thumbnails")


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
