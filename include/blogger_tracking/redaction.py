"""Redaction of secrets in texts that leave the process: log lines, errors, reasons in the ledger, events of Sentry."""

from __future__ import annotations

import string
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from urllib.parse import quote

SHORTEST_PIECE = 8
"""Characters of a secret in a row that are removed from a text, wherever in the secret they stand."""

MASK = "***"

# Unlike `str.lower`, keeps the number of characters.
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)

_secrets: set[str] = set()


def remember_secret(secret: str | None) -> None:
    """Remove a secret from all texts that `redact` gets from now on in this process.

    A secret of fewer than SHORTEST_PIECE characters is not remembered: such a text occurs without being the secret.
    """
    if secret and len(secret) >= SHORTEST_PIECE:
        _secrets.add(secret)


def forget_secrets() -> None:
    """Forget the remembered secrets."""
    _secrets.clear()
    _pieces.cache_clear()


def redact(text: str, *secrets: str) -> str:
    """Return the text without these and the remembered secrets.

    A secret is found in upper and lower case, percent-encoded, in base64 at any offset, and cut: every piece of
    SHORTEST_PIECE characters is replaced. A shorter secret is only found as a whole.
    """
    pieces = _pieces(frozenset(filter(None, (*secrets, *_secrets))))
    return "".join(_masked(text, sorted(_spans(text.translate(_LOWER), pieces)))) if pieces else text


@lru_cache(maxsize=32)
def _pieces(secrets: frozenset[str]) -> Mapping[int, frozenset[str]]:
    """Return the pieces of all variants of the secrets, by their length. Log lines ask for the same secrets."""
    pieces: dict[int, set[str]] = {}
    for variant in {variant for secret in secrets for variant in _variants(secret)}:
        length = min(SHORTEST_PIECE, len(variant))
        pieces.setdefault(length, set()).update(
            variant[start : start + length] for start in range(len(variant) - length + 1)
        )
    return {length: frozenset(known) for length, known in pieces.items()}


def _variants(secret: str) -> Iterator[str]:
    encoded = secret.encode()
    yield secret.translate(_LOWER)
    yield quote(secret, safe="").translate(_LOWER)
    for offset in range(3):
        # The first and the last character depend on what surrounds the secret.
        inner = b64encode(bytes(offset) + encoded).decode().rstrip("=")[offset + (offset > 0) : -1].translate(_LOWER)
        if len(inner) >= SHORTEST_PIECE:
            yield inner
            yield inner.translate(str.maketrans("+/", "-_"))


def _spans(text: str, pieces: Mapping[int, frozenset[str]]) -> Iterator[tuple[int, int]]:
    for length, known in pieces.items():
        for start in range(len(text) - length + 1):
            if text[start : start + length] in known:
                yield start, start + length


def _masked(text: str, spans: Iterable[tuple[int, int]]) -> Iterator[str]:
    kept_from = 0
    masked_to = -1
    for start, end in spans:
        # A span that overlaps or adjoins the one before is covered by the same mask.
        if start > masked_to:
            yield text[kept_from:start]
            yield MASK
        kept_from = masked_to = max(masked_to, end)
    yield text[kept_from:]
