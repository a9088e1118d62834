"""Instagram's shortcode: the media number in base 64, as used in the URL of a post or a reel."""

from __future__ import annotations

import re
import string

ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"

_LEADING_NUMBER = re.compile(r"[0-9]+")


def media_number(media_id: str) -> int | None:
    """Return the number in a media id (`NUMBER_OWNER` or a bare number); None if the id begins with no digit."""
    match = _LEADING_NUMBER.match(media_id)
    return int(match.group()) if match else None


def shortcode(number: int) -> str:
    """Return the shortcode of a media number, most significant digit first. Raises ValueError below zero."""
    if number < 0:
        raise ValueError("A media number is not negative.")
    higher, digit = divmod(number, len(ALPHABET))
    return (shortcode(higher) if higher else "") + ALPHABET[digit]
