"""Vocabulary of the fetch ledger: states of a fetch, reasons for skipping an account, purposes of requests."""

from __future__ import annotations

from enum import StrEnum


class FetchState(StrEnum):
    """State of one blogger's fetch in one run."""

    PLANNED = "planned"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    EMPTY = "empty"
    PRIVATE = "private"
    NOT_FOUND = "not_found"
    SKIPPED = "skipped"
    FAILED = "failed"
    RELEASED = "released"

    @property
    def conclusive(self) -> bool:
        """True if the platform answered the fetch."""
        return self in CONCLUSIVE_STATES


CONCLUSIVE_STATES = frozenset({
    FetchState.SUCCEEDED,
    FetchState.PARTIAL,
    FetchState.EMPTY,
    FetchState.PRIVATE,
    FetchState.NOT_FOUND,
})


class SkipReason(StrEnum):
    """Reason for which a tracked account is left out of a run or of an attempt."""

    INACTIVE = "inactive"
    REMOVED = "removed"
    INVALID = "invalid"
    PENDING_INITIAL_FETCH = "pending_initial_fetch"
    ALREADY_RUNNING = "already_running"
    NO_ACTIVE_SUBSCRIPTION = "no_active_subscription"
    SUBSCRIPTION_LIMIT = "subscription_limit"
    PLATFORM_SUSPENDED = "platform_suspended"
    DAILY_UNITS = "daily_units"


class RequestUse(StrEnum):
    """Purpose of a request to a platform. A retry is a request that is sent again, whatever its first purpose was."""

    LISTING = "listing"
    STATISTICS = "statistics"
    PROFILE = "profile"
    RETRY = "retry"
