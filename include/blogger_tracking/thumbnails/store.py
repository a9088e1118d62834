"""What the pipeline needs of an object storage, whichever it is."""

from __future__ import annotations

from typing import Protocol

from blogger_tracking.domain.errors import BloggerTrackingError


class StorageError(BloggerTrackingError):
    """The storage did not take an object; it may later."""


class PictureStore(Protocol):
    """An object storage. Safe to use from several threads."""

    def write(self, key: str, content: bytes) -> str:
        """Store an object under a key such as `youtube/id.jpg`, in place of an older one; return where it is.

        Raises StorageError.
        """
