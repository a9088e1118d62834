"""Storage of thumbnails through Airflow's ObjectStoragePath: a local folder, S3 and others by configuration."""

from __future__ import annotations

from airflow.configuration import AIRFLOW_HOME
from airflow.sdk import ObjectStoragePath

from blogger_tracking.domain.errors import StorageError
from blogger_tracking.settings import get_settings


class ObjectThumbnailStore:
    """A ThumbnailStore below one path, such as `file:///var/thumbnails` or `s3://connection_id@bucket/thumbnails`."""

    def __init__(self, root: ObjectStoragePath) -> None:
        self._root = root
        self._folders: set[ObjectStoragePath] = set()

    def write(self, key: str, content: bytes) -> str:
        """Write an object: see `ThumbnailStore`."""
        path = self._root / key
        try:
            self._make_folder(path.parent)
            path.write_bytes(content)
        except Exception as error:
            # Each storage raises the errors of its own library; the message is tried again after any of these errors.
            # The text of the error is left out, because it may contain secrets.
            raise StorageError(f"{key} was not written to {self._root}: {type(error).__name__}") from error
        return str(path)

    def _make_folder(self, folder: ObjectStoragePath) -> None:
        if folder not in self._folders:
            folder.mkdir(parents=True, exist_ok=True)
            self._folders.add(folder)


def thumbnail_store() -> ObjectThumbnailStore:
    """Return the store at the configured path, or in a folder below AIRFLOW_HOME without one."""
    return ObjectThumbnailStore(
        ObjectStoragePath(get_settings().thumbnail_storage or f"file://{AIRFLOW_HOME}/thumbnails")
    )
