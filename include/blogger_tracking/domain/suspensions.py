"""How long a platform is left alone after an error. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from blogger_tracking.domain.errors import PlatformError
from blogger_tracking.settings import Settings


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
