"""Errors of platforms, classified once: the kinds, and the handling of each kind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from blogger_tracking.domain.errors import BloggerTrackingError
from blogger_tracking.domain.models import Platform
from blogger_tracking.settings import Settings


class ErrorKind(StrEnum):
    """Meaning of a platform's response, the same for every platform."""

    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    MALFORMED_RESPONSE = "malformed_response"
    BLOCKED = "blocked"
    STALE_CURSOR = "stale_cursor"
    NO_ENTRIES = "no_entries"
    INCOMPLETE_LIST = "incomplete_list"
    QUOTA_EXCEEDED = "quota_exceeded"
    INVALID_CREDENTIALS = "invalid_credentials"
    REFUSED = "refused"
    BAD_REQUEST = "bad_request"
    NOT_FOUND = "not_found"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True)
class ErrorHandling:
    """Handling of one kind of error.

    `advice` is one sentence for the person on call. `explanation` is one for the members of an organization, who are
    told neither the platform's words nor the state of this system's key. `retry_request`: the same request is sent
    again after a backoff. `retry_fetch`: a later attempt at the fetch may succeed. `suspends`: the error concerns this
    system as a caller and not the blogger, so the platform is suspended: every further request would fail until the
    cause is removed.
    """

    advice: str
    explanation: str
    retry_request: bool = False
    retry_fetch: bool = False
    suspends: bool = False


HANDLING: dict[ErrorKind, ErrorHandling] = {
    ErrorKind.RATE_LIMITED: ErrorHandling(
        "Wait for the automatic retries; if the error persists, lower the platform's requests per second in the "
        "settings or buy a higher rate limit.",
        explanation="{platform} accepted no more requests for a while.",
        retry_request=True,
        retry_fetch=True,
    ),
    ErrorKind.UNAVAILABLE: ErrorHandling(
        "Wait for the automatic retries; if every fetch fails, check the platform's status page and the network of "
        "the workers.",
        explanation="{platform} did not respond.",
        retry_request=True,
        retry_fetch=True,
    ),
    ErrorKind.MALFORMED_RESPONSE: ErrorHandling(
        "Wait for the automatic retries; if every fetch fails, check whether the platform's response format has "
        "changed and adapt the platform's client.",
        explanation="{platform} sent a response that cannot be read.",
        retry_request=True,
        retry_fetch=True,
    ),
    ErrorKind.BLOCKED: ErrorHandling(
        "Wait for the automatic retries; if most fetches of the platform are blocked, ask the API's provider for the "
        "reason.",
        explanation="{platform} did not show the list of videos.",
        retry_fetch=True,
    ),
    ErrorKind.STALE_CURSOR: ErrorHandling(
        "Do nothing: the next attempt lists the videos from the first page again.",
        explanation="The list of videos changed while it was read.",
        retry_fetch=True,
    ),
    ErrorKind.NO_ENTRIES: ErrorHandling(
        "Do nothing unless the blogger's page shows videos; in that case check the platform's client.",
        explanation="{platform} sent an empty list of videos.",
    ),
    ErrorKind.INCOMPLETE_LIST: ErrorHandling(
        "Wait for the next attempt; if the list of one blogger stays incomplete, compare the saved videos with the "
        "blogger's page, and ask the API's provider for the missing ones.",
        explanation="{platform} sent only a part of the list of videos.",
        retry_fetch=True,
    ),
    ErrorKind.QUOTA_EXCEEDED: ErrorHandling(
        "Wait for the quota's reset or buy more quota for the API key; requests resume when the suspension ends.",
        explanation="{platform} accepts no more requests at the moment.",
        suspends=True,
    ),
    ErrorKind.INVALID_CREDENTIALS: ErrorHandling(
        "Check the API key in the Airflow Connection of the platform; requests resume when the suspension ends.",
        explanation="{platform} accepts no requests at the moment.",
        suspends=True,
    ),
    ErrorKind.REFUSED: ErrorHandling(
        "Read the platform's message, and check the host, the API key and the subscription in the Airflow Connection "
        "of the platform; requests resume when the suspension ends.",
        explanation="{platform} accepts no requests at the moment.",
        retry_fetch=True,
        suspends=True,
    ),
    ErrorKind.BAD_REQUEST: ErrorHandling(
        "Check the blogger's ids, and whether the platform's API has changed; a retry alone does not help.",
        explanation="{platform} did not accept the request for this account.",
    ),
    ErrorKind.NOT_FOUND: ErrorHandling(
        "Do nothing, or pause the tracked account if the blogger's account is permanently deleted.",
        explanation="{platform} has no such account.",
    ),
    ErrorKind.PRIVATE: ErrorHandling(
        "Do nothing, or pause the tracked account if the blogger's account stays private.",
        explanation="This account is private on {platform}.",
    ),
}

SUSPENDING_KINDS = frozenset(kind for kind, handling in HANDLING.items() if handling.suspends)
"""Kinds of errors that suspend the platform, with or without a Retry-After."""


class PlatformError(BloggerTrackingError):
    """A failed request to a platform, classified by `kind`.

    `detail` is the platform's own message, shortened and without secrets. `retry_at` is the earliest moment (UTC) at
    which a new request may succeed, if the platform named a moment or its rules imply one.
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
        """The handling of the error's kind."""
        return HANDLING[self.kind]

    @property
    def advice(self) -> str:
        """One sentence with the action for the person on call."""
        return self.handling.advice

    @property
    def explanation(self) -> str:
        """One sentence for the members of an organization, without any text of the platform."""
        return self.handling.explanation.format(platform=self.platform)


def suspended_until(error: PlatformError, now: datetime, settings: Settings) -> datetime | None:
    """Return the end of the suspension that an error causes; None if the error concerns a single fetch.

    An error with a `retry_at` in the future suspends the platform until then. A rejected key, or an exceeded quota
    without a known reset, suspends the platform for `suspension_minutes`: long enough that a run does not repeat the
    same failure for every blogger, and short enough that requests resume soon after the cause is removed.
    """
    if error.retry_at is not None and error.retry_at > now:
        return error.retry_at
    if error.handling.suspends:
        return now + timedelta(minutes=settings.suspension_minutes)
    return None
