"""Where pictures are kept, whatever keeps them."""

from __future__ import annotations

from typing import Protocol


class PictureStore(Protocol):
    """An object storage. Safe to use from several threads."""

    def write(self, key: str, content: bytes) -> str:
        """Store an object under a key such as `youtube/id.jpg`, in place of an older one; return where it is.

        Raises OSError when the storage cannot take it now.
        """
