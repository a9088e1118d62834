"""Tolerant readers of JSON values: counts, ids, dates, texts and URLs, as the platforms variously write them.

A value of the wrong type or form is None (unknown): never zero and never an exception, so that one bad value never
loses a page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter

from blogger_tracking.domain.models import MAX_COUNT

Json = Any
"""A decoded JSON value of unknown shape."""

MAX_ID_LENGTH = 500
"""Characters of the longest id or username: an index of Postgres holds no text of much more than 2,700 bytes."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_DURATION = TypeAdapter(timedelta)
_MAX_DURATION_SECONDS = 2**31 - 1
_MILLISECONDS_FROM = 10**11
"""Unix timestamps from here on are milliseconds: 10^11 seconds are the year 5138."""

_MICROSECONDS_FROM = 10**14
"""Unix timestamps from here on are microseconds: 10^14 milliseconds are the year 5138."""

_TRUE = {True, "1", "true", "True"}
_FALSE = {False, "0", "false", "False"}


class MalformedResponseError(Exception):
    """A response body of an unexpected shape. HttpClient raises a PlatformError in place of this error."""


def as_count(value: Json) -> int | None:
    """Return a counter given as a number or digits; None if negative (overflown) or beyond Postgres' bigint."""
    number = _as_integer(value)
    return number if number is not None and 0 <= number <= MAX_COUNT else None


def as_id(value: Json) -> str | None:
    """Return an id of at most MAX_ID_LENGTH characters as text; None for a float, which has lost digits beyond 2^53."""
    text = as_cursor(value)
    return text if text is not None and len(text) <= MAX_ID_LENGTH else None


def as_name(value: Json) -> str | None:
    """Return a username of at most MAX_ID_LENGTH characters."""
    return as_id(value) if isinstance(value, str) else None


def as_cursor(value: Json) -> str | None:
    """Return a cursor of any length as text; None for a float, which has lost digits beyond 2^53."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if value >= 0 else None
    return as_text(value).strip() or None


def as_datetime(value: Json) -> datetime | None:
    """Return a time in UTC; None for zero.

    Accepts ISO 8601, and unix seconds, milliseconds or microseconds as a number or digits.
    """
    number = _as_integer(value)
    try:
        if number is None:
            return _from_iso(value)
        return datetime.fromtimestamp(_unix_seconds(number), UTC) if number > 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def as_seconds(value: Json) -> int | None:
    """Return the whole seconds of an ISO 8601 duration such as `PT4M13S`; None for zero, a broadcast still on air."""
    try:
        seconds = int(_DURATION.validate_python(as_text(value)).total_seconds())
    except ValueError:
        return None
    return seconds if 0 < seconds <= _MAX_DURATION_SECONDS else None


def as_text(value: Json) -> str:
    """Return a text that Postgres can store: without NUL and lone surrogates. "" for anything but a text."""
    return value.replace("\x00", "").encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else ""


def as_url(value: Json) -> str | None:
    """Return an http or https URL."""
    text = as_text(value).strip()
    return text if text.startswith(("https://", "http://")) else None


def as_flag(value: Json) -> bool:
    """Return True for True, 1, "1" and "true", and False for everything else."""
    return as_known_flag(value) is True


def as_known_flag(value: Json) -> bool | None:
    """Return the flag given as a boolean, 1 or 0, or their texts; None for everything else."""
    if not isinstance(value, bool | int | str):
        return None
    return True if value in _TRUE else False if value in _FALSE else None


def get_path(value: Json, *path: str | int) -> Json:
    """Return the value at a path of keys and list indexes, or None if a step is missing or of another type."""
    for step in path:
        if isinstance(step, str) and isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def first_of(mapping: Json, keys: Sequence[str]) -> Json:
    """Return the first value under these keys that is neither None nor an empty text."""
    values = (get_path(mapping, key) for key in keys)
    return next((value for value in values if value is not None and value != ""), None)


def first_known(values: Iterable[int | None]) -> int | None:
    """Return the first number that is not None; zero is a number."""
    return next((value for value in values if value is not None), None)


def _as_integer(value: Json) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        return int(value)
    return None


def _unix_seconds(number: int) -> float:
    if number >= _MICROSECONDS_FROM:
        return number / 1_000_000
    return number / 1000 if number >= _MILLISECONDS_FROM else number


def _from_iso(value: Json) -> datetime | None:
    moment = datetime.fromisoformat(as_text(value).strip())
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
