"""Secrets in what leaves the system: the answers of all other areas, and the log files."""

from __future__ import annotations

from collections.abc import Iterator

from blogger_tracking.redaction import redact
from devtools.attack.target import Target
from devtools.attack.tries import Try

_LONGEST_FILE = 50_000_000
_DETAILS = ("Traceback", "psycopg", "blogger_tracking.", "site-packages", "postgresql://", 'File "')
"""Words of the implementation, which no answer may have."""


def secrets(target: Target) -> Iterator[Try]:
    """Search every answer and every log file for the secrets, and every answer for details of the implementation.

    A secret is found in every form that `redact` knows: in another case, cut, percent-encoded and in base64.
    """
    everything = "\n".join(target.answers)
    for number, secret in enumerate(target.secrets, start=1):
        yield Try(f"secret {number} in {len(target.answers)} answers", not _has(everything, secret), "searched")
    for word in _DETAILS:
        yield Try(f"{word!r} in {len(target.answers)} answers", word not in everything, "searched")
    for folder in target.log_folders:
        for file in sorted(each for each in folder.rglob("*") if each.is_file()):
            text = file.read_bytes()[:_LONGEST_FILE].decode(errors="replace")
            leaked = [number for number, secret in enumerate(target.secrets, start=1) if _has(text, secret)]
            yield Try(f"secrets in {file.relative_to(folder)}", not leaked, f"secrets {leaked}")


def _has(text: str, secret: str) -> bool:
    return redact(text, secret) != text
