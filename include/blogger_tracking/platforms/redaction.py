"""What may be repeated of a platform's words: short, on one line, without secrets."""

from __future__ import annotations

import re
from urllib.parse import quote

LONGEST_DETAIL = 200
"""Characters of a platform's message that are kept."""

_QUERY = re.compile(r"(https?://[^\s?\"'<>]*)\?[^\s\"'<>]*")


def redact(text: str, key: str) -> str:
    """`text` without the key, without the queries of addresses, on one line and shortened."""
    for secret in (key, quote(key, safe="")):
        text = text.replace(secret, "***")
    line = " ".join(_QUERY.sub(r"\1?***", text).split())
    return line if len(line) <= LONGEST_DETAIL else line[: LONGEST_DETAIL - 1] + "…"
