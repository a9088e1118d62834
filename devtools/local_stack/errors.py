"""What can go wrong with the local stack."""

from __future__ import annotations

from blogger_tracking.domain.errors import BloggerTrackingError


class StackError(BloggerTrackingError):
    """The stack could not be started, reached or stopped. The message says why and what to do."""
