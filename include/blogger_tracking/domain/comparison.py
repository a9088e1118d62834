"""Vocabulary of the comparison with the earlier system: kinds of differences, and reasons for a missing video."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from blogger_tracking.domain.errors import BloggerTrackingError

DATE_TOLERANCE = timedelta(seconds=1)
"""Largest difference of two equal publication dates: a tracker may cut off fractions of a second."""

SMALLEST_COUNT_DIFFERENCE = 5
"""Smallest deviation of a count that is reported: a few likes or comments are withdrawn at any time."""


class WindowError(BloggerTrackingError):
    """A window of time that cannot be compared."""


@dataclass(frozen=True, slots=True)
class Window:
    """A window of time: `since` is inclusive, `until` exclusive.

    Raises WindowError unless `since` is before `until`.
    """

    since: datetime
    until: datetime

    def __post_init__(self) -> None:
        if self.since >= self.until:
            raise WindowError(
                f"The window begins at {self.since.isoformat()} and ends at {self.until.isoformat()}, so it contains "
                "no time. Nothing was compared. Give --since a time before --until."
            )


class DifferenceKind(StrEnum):
    """Kind of a difference between the systems, about one video."""

    ONLY_OLD = "only_old"
    ONLY_NEW = "only_new"
    ADDRESS = "address"
    DATE = "date"
    COUNT = "count"


class MissingReason(StrEnum):
    """Reason for a missing video that follows from the comparison; further reasons are the ledger's own words."""

    FOUND_LATER = "found_later"
    NOT_TRACKED = "not_tracked"
    NEVER_PLANNED = "never_planned"
    NOT_FETCHED_SINCE = "not_fetched_since"
    UNFINISHED = "unfinished"
    BEYOND_COUNT = "beyond_count"
    MISSED = "missed"


REASON_SENTENCES = {
    "found_later": "The system found the video after the window.",
    "not_tracked": "No organization tracks the blogger in the system, or the system does not know the blogger.",
    "inactive": "Every tracked account of the blogger is paused.",
    "never_planned": "No run of the window considered the blogger.",
    "not_fetched_since": "The system did not fetch the blogger between the publication of the video and the end of the "
    "window.",
    "unfinished": "The fetch is still planned or running.",
    "beyond_count": "The video is older than every video that the system fetched for the blogger in the window.",
    "subscription_limit": "The subscription had no room for the video.",
    "no_active_subscription": "The organization had no subscription.",
    "pending_initial_fetch": "The batch leaves the blogger to the pending initial fetch.",
    "already_running": "Another run had planned or was fetching the blogger.",
    "platform_suspended": "The platform was suspended.",
    "daily_units": "YouTube's units of the day were used up.",
    "invalid": "The tracked account cannot be fetched.",
    "removed": "The tracked account or its organization was deleted before the fetch.",
    "partial": "A later page of the listing failed.",
    "empty": "The platform's listing contained no video.",
    "private": "The account was private.",
    "not_found": "The platform did not find the account.",
    "failed": "The fetch failed.",
    "released": "The fetch was given up with its run.",
    "missed": "The system fetched the blogger after the publication, and the video is missing. To be looked into.",
}
"""A sentence for each reason; a video is missing from "the system"."""
