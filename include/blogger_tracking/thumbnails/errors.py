"""Why there is no picture."""

from __future__ import annotations

from blogger_tracking.domain.errors import BloggerTrackingError


class PictureError(BloggerTrackingError):
    """An address gave no picture. `final`: asking it again makes no sense."""

    def __init__(self, reason: str, *, final: bool) -> None:
        super().__init__(reason)
        self.final = final
