"""What kind of picture bytes are, by their first bytes and never by what a server calls them.

Sources of the signatures: ISO/IEC 10918-1 (JPEG), PNG specification 5.2, GIF89a, RFC 9649 (WebP), AV1 Image File
Format 1.1 (AVIF).
"""

from __future__ import annotations

import re

SIGNATURES: dict[str, re.Pattern[bytes]] = {
    "jpg": re.compile(rb"\xff\xd8\xff"),
    "png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "gif": re.compile(rb"GIF8[79]a"),
    "webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    "avif": re.compile(rb".{4}ftypavi[fs]", re.DOTALL),
}
"""File extension of each kind that is accepted, and how its content begins."""


def picture_extension(content: bytes) -> str | None:
    """The file extension of a picture, or None for anything else."""
    return next((extension for extension, begins in SIGNATURES.items() if begins.match(content)), None)
