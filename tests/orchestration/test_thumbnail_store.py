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


def test_a_removed_thumbnail_is_gone_and_may_be_removed_again(root: ObjectStoragePath) -> None:
    store = ObjectThumbnailStore(root)
    path, other = (store.write(f"youtube/{name}.jpg", THUMBNAIL) for name in ("abc", "other"))
    for _ in range(2):
        store.remove(path)
    assert not ObjectStoragePath(path).exists()
    assert ObjectStoragePath(other).exists()


def test_a_thumbnail_from_before_another_root_is_removed(root: ObjectStoragePath, tmp_path: Path) -> None:
    path = ObjectThumbnailStore(root).write("youtube/abc.jpg", THUMBNAIL)
    ObjectThumbnailStore(ObjectStoragePath(f"file://{tmp_path}/newer")).remove(path)
    assert not ObjectStoragePath(path).exists()


def test_a_stored_thumbnail_is_read_and_a_missing_one_is_none(root: ObjectStoragePath) -> None:
    store = ObjectThumbnailStore(root)
    path = store.write("youtube/abc.jpg", THUMBNAIL)
    assert store.read(path) == THUMBNAIL
    assert store.read(f"{root}/youtube/missing.jpg") is None


def test_no_file_outside_of_the_root_is_read(root: ObjectStoragePath, tmp_path: Path) -> None:
    store = ObjectThumbnailStore(root)
    store.write("youtube/abc.jpg", THUMBNAIL)
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "thumbnails-older").mkdir()
    (tmp_path / "thumbnails-older" / "secret").write_text("secret")
    for path in (f"file://{tmp_path}/secret", f"{root}/../secret", f"{root}-older/secret"):
        assert store.read(path) is None


def test_a_failed_removal_raises_storage_error_with_the_path_and_the_kind_of_error_only(
    root: ObjectStoragePath,
) -> None:
    store = ObjectThumbnailStore(root)
    store.write("youtube/abc.jpg", THUMBNAIL)
    with pytest.raises(StorageError, match=r"^file://\S+/youtube was not removed: \w+\. "):
        store.remove(f"{root}/youtube")


def test_a_failed_write_raises_storage_error_with_the_key_and_the_kind_of_error_only(tmp_path: Path) -> None:
    (tmp_path / "thumbnails").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match=r"^youtube/abc\.jpg was not written to file://\S+: \w+$"):
        ObjectThumbnailStore(ObjectStoragePath(f"file://{tmp_path}/thumbnails")).write("youtube/abc.jpg", THUMBNAIL)
