"""Storage of thumbnails through Airflow's ObjectStoragePath: a local folder, S3, Google Cloud or Azure."""

from __future__ import annotations

from airflow.configuration import AIRFLOW_HOME
from airflow.sdk import ObjectStoragePath

from blogger_tracking.domain.errors import StorageError
from blogger_tracking.orchestration.object_storage import call_storage, open_storage_path
from blogger_tracking.settings import get_settings


class ObjectThumbnailStore:
    """A ThumbnailStore below one path, such as `file:///var/thumbnails` or `s3://connection_id@bucket/thumbnails`."""

    def __init__(self, root: ObjectStoragePath) -> None:
        self._root = root
        # Object storage has no folders. To make one there would create a missing bucket.
        self._has_folders = root.protocol in {"", "file", "local"}
        self._folders: set[ObjectStoragePath] = set()

    def write(self, key: str, content: bytes) -> str:
        """Write an object: see `ThumbnailStore`."""
        path = self._root / key
        try:
            self._make_folder(path.parent)
            call_storage(path, "pipe_file", content)
        except Exception as error:
            # Each storage raises the errors of its own library; the message is tried again after any of these errors.
            # The text of the error is left out, because it may contain secrets.
            raise StorageError(f"{key} was not written to {self._root}: {type(error).__name__}") from error
        return str(path)

    def remove(self, path: str) -> None:
        """Remove an object: see `ThumbnailStore`."""
        try:
            call_storage(ObjectStoragePath(path), "rm_file")
        except FileNotFoundError:
            return
        except Exception as error:
            # The text of the error is left out, because it may contain secrets.
            raise StorageError(
                f"{path} was not removed: {type(error).__name__}. Correct the Connection of the storage and run the "
                "command again."
            ) from error

    def read(self, path: str) -> bytes | None:
        """Return the object at a path that `write` returned, or None if the object is not there. Raises StorageError.

        None too for a path outside of the store: an older store's Connection need not exist any more, and no other
        file may be read.
        """
        if not path.startswith(f"{self._root}/") or ".." in path.split("/"):
            return None
        try:
            content: bytes = call_storage(ObjectStoragePath(path), "cat_file")
        except FileNotFoundError:
            return None
        except Exception as error:
            # The text of the error is left out, because it may contain secrets.
            raise StorageError(f"{path} was not read: {type(error).__name__}") from error
        return content

    def require_reachable(self) -> None:
        """Raise StorageError if the storage cannot be read. The storage may be empty."""
        try:
            call_storage(self._root, "exists")
        except Exception as error:
            # The libraries' errors have no common base, and their texts may contain secrets.
            raise StorageError(f"{self._root} cannot be read: {type(error).__name__}") from error

    def __str__(self) -> str:
        return str(self._root)

    def _make_folder(self, folder: ObjectStoragePath) -> None:
        if self._has_folders and folder not in self._folders:
            folder.mkdir(parents=True, exist_ok=True)
            self._folders.add(folder)


def thumbnail_store() -> ObjectThumbnailStore:
    """Return the store at the configured path, or in a folder below AIRFLOW_HOME without one.

    Raises ConfigurationError for a path of an unknown kind, or if the Connection is missing or wrong.
    """
    path = get_settings().thumbnail_storage or f"file://{AIRFLOW_HOME}/thumbnails"
    return ObjectThumbnailStore(open_storage_path(path))
