"""Instagram's shortcode: the media number written in base 64, as it stands in the address of a post or a reel."""

from __future__ import annotations

import re
import string

ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"

_LEADING_NUMBER = re.compile(r"[0-9]+")


def media_number(media_id: str) -> int | None:
    """The number in a media id, which is `NUMBER_OWNER` or a bare number; None when it begins with neither."""
    match = _LEADING_NUMBER.match(media_id)
    return int(match.group()) if match else None


def shortcode(number: int) -> str:
    """The shortcode of a media number, most significant digit first. Raises ValueError below zero."""
    if number < 0:
        raise ValueError("A media number is not negative.")
    higher, digit = divmod(number, len(ALPHABET))
    return (shortcode(higher) if higher else "") + ALPHABET[digit]
