"""A storage of thumbnails in memory."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StoredThumbnails:
    """Thumbnails by path."""

    contents: dict[str, bytes]

    def read(self, path: str) -> bytes | None:
        return self.contents.get(path)
