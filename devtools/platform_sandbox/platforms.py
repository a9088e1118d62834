"""The three platforms, as the sandbox names them."""

from enum import StrEnum


class Platform(StrEnum):
    """A platform; its slug is the lower-case value, used in paths."""

    TIKTOK = "TikTok"
    INSTAGRAM = "Instagram"
    YOUTUBE = "YouTube"

    @property
    def slug(self) -> str:
        """The platform's part of a path."""
        return self.value.lower()
