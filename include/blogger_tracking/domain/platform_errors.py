"""Errors of platforms, classified once: what each kind means and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from blogger_tracking.domain.errors import BloggerTrackingError
from blogger_tracking.domain.models import Platform
from blogger_tracking.settings import Settings


class ErrorKind(StrEnum):
    """What a platform's answer means, whatever the platform."""

    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    MALFORMED_RESPONSE = "malformed_response"
    BLOCKED = "blocked"
    STALE_CURSOR = "stale_cursor"
    NO_ENTRIES = "no_entries"
    QUOTA_EXCEEDED = "quota_exceeded"
    INVALID_CREDENTIALS = "invalid_credentials"
    BAD_REQUEST = "bad_request"
    NOT_FOUND = "not_found"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True)
class ErrorHandling:
    """What follows from a kind of error.

    `retried`: the same request may be sent again at once. `retryable`: a later fetch may succeed.
    `suspends`: no request to the platform makes sense until somebody acts or a quota is reset.
    """

    retry_request: bool = False
    retry_fetch: bool = False
    suspends: bool = False
    advice: str = ""


HANDLING: dict[ErrorKind, ErrorHandling] = {
    ErrorKind.RATE_LIMITED: ErrorHandling(retry_request=True, retry_fetch=True),
    ErrorKind.UNAVAILABLE: ErrorHandling(retry_request=True, retry_fetch=True),
    ErrorKind.MALFORMED_RESPONSE: ErrorHandling(retry_request=True, retry_fetch=True),
    ErrorKind.BLOCKED: ErrorHandling(retry_fetch=True),
    ErrorKind.STALE_CURSOR: ErrorHandling(retry_fetch=True),
    ErrorKind.NO_ENTRIES: ErrorHandling(),
    ErrorKind.QUOTA_EXCEEDED: ErrorHandling(suspends=True),
    ErrorKind.INVALID_CREDENTIALS: ErrorHandling(suspends=True),
    ErrorKind.BAD_REQUEST: ErrorHandling(),
    ErrorKind.NOT_FOUND: ErrorHandling(),
    ErrorKind.PRIVATE: ErrorHandling(),
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
    def handling(self) -> ErrorHandling:
        """What follows from this error."""
        return HANDLING[self.kind]

    @property
    def advice(self) -> str:
        """The sentence for the person on call; empty if nothing has to be done."""
        return self.handling.advice


def suspended_until(error: PlatformError, now: datetime, settings: Settings) -> datetime | None:
    """Until when no fetch should ask the platform again; None when the error concerns one fetch only.

    A platform that names a moment is left alone until then. A refused key or used-up credit without one pauses the
    platform just long enough to spare a run the same answer a thousand times: nobody tells us when it is mended.
    """
    if error.retry_at is not None:
        return error.retry_at if error.retry_at > now else None
    if error.handling.suspends:
        return now + timedelta(minutes=settings.suspension_minutes)
    return None
