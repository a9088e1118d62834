"""What a platform client gives for an account: videos, and how they were got."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from blogger_tracking.domain.errors import PlatformError
from blogger_tracking.domain.models import CommonVideo


class VideoBatch(list[CommonVideo]):  # noqa: FURB189 - the contract promises a list
    """Videos of one account, newest first, unique by id, and how they were got.

    `interrupted_by` is the error that ended the paging early: what was read before is here all the same.
    `skipped` counts entries that are no videos, by reason.
    """

    def __init__(
        self,
        videos: Iterable[CommonVideo] = (),
        *,
        pages: int = 0,
        skipped: Mapping[str, int] | None = None,
        interrupted_by: PlatformError | None = None,
        sec_id: str | None = None,
    ) -> None:
        super().__init__(videos)
        self.pages = pages
        self.skipped = dict(skipped or {})
        self.interrupted_by = interrupted_by
        self.sec_id = sec_id
