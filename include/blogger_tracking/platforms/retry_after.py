"""The Retry-After header."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

LONGEST = timedelta(days=366)
"""A longer wish is taken for this one, so that no header can overflow a date."""


def retry_moment(header: str | None, now: datetime) -> datetime | None:
    """The moment (UTC) a Retry-After header names, in seconds or as an HTTP date; None if there is none to come."""
    moment = _moment(header.strip(), now) if header else None
    return min(moment, now + LONGEST) if moment and moment > now else None


def _moment(value: str, now: datetime) -> datetime | None:
    try:
        if value.isascii() and value.isdigit():
            return now + min(timedelta(seconds=int(value[:10])), LONGEST)
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
