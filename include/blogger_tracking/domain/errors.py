"""Exceptions of the project, except those of platforms (`platform_errors`) and of API requests (`request_errors`)."""

from __future__ import annotations


class BloggerTrackingError(Exception):
    """Base of every exception that the project raises on purpose.

    Its message says what happened, what was kept and what to do.
    """


class ConfigurationError(BloggerTrackingError):
    """A missing or wrong Airflow Connection or setting."""


class DatabaseStateError(BloggerTrackingError):
    """A database that cannot be reached or gives no answer, refuses the login, or lacks what this code needs of it."""


class StaleClaimError(BloggerTrackingError):
    """An attempt that may save nothing any more: a newer attempt has replaced it, or its fetch was released."""


class FetchRemovedError(BloggerTrackingError):
    """A fetch that left the ledger, because its blogger was removed."""


class UnplannedInstanceError(BloggerTrackingError):
    """A task instance of a run that is not in the ledger."""


class ThumbnailError(BloggerTrackingError):
    """A failed download of a thumbnail.

    `final` is True if no later request of the same URL can succeed: the URL itself is unusable, or its image is too
    large. Every other refusal may pass by itself.
    """

    def __init__(self, reason: str, *, final: bool) -> None:
        super().__init__(reason)
        self.final = final


class StorageError(BloggerTrackingError):
    """A failed call of object storage: a matter of the storage, which concerns every thumbnail."""
