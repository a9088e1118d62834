"""One tolerant reader for what all platforms write differently: numbers, ids, dates, texts, addresses.

A value that cannot be read is None: unknown, never zero and never an exception. A bad item loses at most itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter

from blogger_tracking.domain.models import MAX_COUNT

Json = Any
"""A decoded JSON value of unknown shape: what the readers below exist for."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_DURATION = TypeAdapter(timedelta)
_LONGEST_SECONDS = 2**31 - 1
_SECONDS_BELOW = 10**11
"""Larger timestamps are milliseconds: 10^11 seconds lie in the year 5138."""


class MalformedResponseError(Exception):
    """A body is not what its call promises. Raised by page and profile readers; the client makes a PlatformError."""


def as_count(value: Json) -> int | None:
    """A counter, from a number or a string of digits. Negative (overflown) or beyond bigint is unknown."""
    number = _as_integer(value)
    return number if number is not None and 0 <= number <= MAX_COUNT else None


def as_id(value: Json) -> str | None:
    """An id as text. A float is refused: beyond 2^53 it has lost digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if value >= 0 else None
    return as_text(value).strip() or None


def as_datetime(value: Json) -> datetime | None:
    """A moment in UTC, from unix seconds or milliseconds (number or digits) or ISO 8601; zero is unknown."""
    number = _as_integer(value)
    try:
        if number is None:
            return _from_iso(value)
        seconds = number if number < _SECONDS_BELOW else number / 1000
        return datetime.fromtimestamp(seconds, UTC) if number > 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def as_seconds(value: Json) -> int | None:
    """The whole seconds of an ISO 8601 duration such as `PT4M13S`; zero, as of a broadcast on air, is unknown."""
    try:
        seconds = int(_DURATION.validate_python(as_text(value)).total_seconds())
    except ValueError:
        return None
    return seconds if 0 < seconds <= _LONGEST_SECONDS else None


def as_text(value: Json) -> str:
    """A text that Postgres can hold: without NUL and without halves of surrogate pairs; "" for anything else."""
    if not isinstance(value, str):
        return ""
    return value.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def as_url(value: Json) -> str | None:
    """A web address, or None."""
    text = as_text(value).strip()
    return text if text.startswith(("https://", "http://")) else None


def as_flag(value: Json) -> bool:
    """True, 1, "1" and "true" are yes; everything else is no."""
    return isinstance(value, bool | int | str) and value in {1, "1", "true", "True"}


def get_path(value: Json, *path: str | int) -> Json:
    """What lies at a path of keys and positions, or None where the path breaks."""
    for step in path:
        if isinstance(step, str) and isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def first_of(mapping: Json, keys: Sequence[str]) -> Json:
    """The first value under these keys that is neither None nor empty text."""
    values = (get_path(mapping, key) for key in keys)
    return next((value for value in values if value is not None and value != ""), None)


def first_known(values: Iterable[int | None]) -> int | None:
    """The first of these numbers that is known, also if it is zero."""
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


def _from_iso(value: Json) -> datetime | None:
    moment = datetime.fromisoformat(as_text(value).strip())
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
