"""Exceptions of the project. Those of platforms and of people's requests have modules of their own."""

from __future__ import annotations


class BloggerTrackingError(Exception):
    """Anything this project raises on purpose. The message says what happened, what was kept and what to do."""


class ConfigurationError(BloggerTrackingError):
    """A connection or a setting is missing or wrong."""


class DatabaseStateError(BloggerTrackingError):
    """The database is not as the code needs it: not migrated, newer than the code, or not visible to the pipeline."""


class StaleClaimError(BloggerTrackingError):
    """A newer start of the same fetch has taken over: this one may save nothing."""


class UnplannedInstanceError(BloggerTrackingError):
    """A task instance was started that the ledger has nothing for."""


class ThumbnailError(BloggerTrackingError):
    """An address gave no thumbnail. `final`: asking the address again makes no sense."""

    def __init__(self, reason: str, *, final: bool) -> None:
        super().__init__(reason)
        self.final = final


class StorageError(BloggerTrackingError):
    """The object storage did not take an object; it may later."""
