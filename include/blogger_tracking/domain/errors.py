"""Errors as types: what a platform's answer means, and what may be done about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from blogger_tracking.domain.models import Platform


class BloggerTrackingError(Exception):
    """Anything this project raises on purpose. The message says what happened, what was kept and what to do."""


class ErrorKind(StrEnum):
    """What a platform's answer means, whatever the platform."""

    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    UNREADABLE = "unreadable"
    BLOCKED = "blocked"
    STALE_CURSOR = "stale_cursor"
    NO_ENTRIES = "no_entries"
    QUOTA_GONE = "quota_gone"
    BAD_KEY = "bad_key"
    BAD_REQUEST = "bad_request"
    NOT_FOUND = "not_found"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True)
class Handling:
    """What follows from a kind of error.

    `retried`: the same request may be sent again at once. `retryable`: a later fetch may succeed.
    `suspends`: no request to the platform makes sense until somebody acts or a quota is reset.
    """

    retried: bool = False
    retryable: bool = False
    suspends: bool = False


HANDLING: dict[ErrorKind, Handling] = {
    ErrorKind.RATE_LIMITED: Handling(retried=True, retryable=True),
    ErrorKind.UNAVAILABLE: Handling(retried=True, retryable=True),
    ErrorKind.UNREADABLE: Handling(retried=True, retryable=True),
    ErrorKind.BLOCKED: Handling(retryable=True),
    ErrorKind.STALE_CURSOR: Handling(retryable=True),
    ErrorKind.NO_ENTRIES: Handling(),
    ErrorKind.QUOTA_GONE: Handling(suspends=True),
    ErrorKind.BAD_KEY: Handling(suspends=True),
    ErrorKind.BAD_REQUEST: Handling(),
    ErrorKind.NOT_FOUND: Handling(),
    ErrorKind.PRIVATE: Handling(),
}


class PlatformError(BloggerTrackingError):
    """A platform did not give what was asked.

    `retry_at` is the earliest moment at which asking again makes sense, where the platform named one or its rules
    imply one (UTC). `detail` is the platform's own word, shortened, without secrets.
    """

    def __init__(
        self,
        kind: ErrorKind,
        platform: Platform,
        detail: str,
        *,
        status: int | None = None,
        retry_at: datetime | None = None,
    ) -> None:
        super().__init__(f"{platform}: {kind} ({detail})")
        self.kind = kind
        self.platform = platform
        self.detail = detail
        self.status = status
        self.retry_at = retry_at

    @property
    def handling(self) -> Handling:
        """What follows from this error."""
        return HANDLING[self.kind]


class ConfigurationError(BloggerTrackingError):
    """A connection or a setting is missing or wrong."""


class DatabaseStateError(BloggerTrackingError):
    """The database is not as the code needs it: not migrated, newer than the code, or not visible to the pipeline."""


class StaleClaimError(BloggerTrackingError):
    """A newer start of the same fetch has taken over: this one may save nothing."""


class UnplannedInstanceError(BloggerTrackingError):
    """A task instance was started that the ledger has nothing for."""
