"""Redaction of secrets in texts that leave the process: log lines, errors, reasons in the ledger, events of Sentry."""

from __future__ import annotations

import re
import string
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from urllib.parse import parse_qsl, quote, unquote, urlsplit

SHORTEST_PIECE = 8
"""Characters of a secret in a row that are removed from a text, wherever in the secret they stand."""

MASK = "***"

_SHORTEST_TOKEN = 16
_URL = re.compile(r"(https?|postgres(ql)?)://", re.IGNORECASE)
_FIELD = re.compile(r"(?:^|;)([A-Za-z]+)=([^;]+)(?=;|$)")
_SECRET_FIELDS = re.compile(r"key|secret|signature|password|token", re.IGNORECASE)

# Unlike `str.lower`, keeps the number of characters.
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)

_secrets: set[str] = set()


def remember_secret(secret: str | None) -> None:
    """Remove a secret from all texts that `redact` gets from now on in this process.

    A secret of fewer than SHORTEST_PIECE characters is not remembered: such a text occurs without being the secret.
    """
    if secret and len(secret) >= SHORTEST_PIECE:
        _secrets.add(secret)


def remember_secrets_in(value: str) -> None:
    """Remember the secret parts of a password, a URL or a connection string of the form `Name=value;Name=value`.

    Of a URL these are the login, the password, the values of the query, and the parts of the path that are as long as
    tokens: its scheme and its host are in many texts.
    """
    if _URL.match(value):
        _remember_secrets_in_url(value)
        return
    fields = _FIELD.findall(value)
    for secret in [field for name, field in fields if _SECRET_FIELDS.search(name)] if fields else [value]:
        remember_secret(secret)


def _remember_secrets_in_url(url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError:
        remember_secret(url.partition("://")[2])
        return
    path = [part for part in parts.path.split("/") if len(part) >= _SHORTEST_TOKEN]
    for secret in (parts.username, parts.password, *path, *(value for _, value in parse_qsl(parts.query))):
        remember_secret(unquote(secret) if secret else None)


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
