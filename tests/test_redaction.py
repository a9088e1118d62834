"""Redaction: a secret is found whole, cut, in another case, and encoded; other text stays."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blogger_tracking.redaction import (
    MASK,
    SHORTEST_PIECE,
    forget_secrets,
    redact,
    remember_secret,
    remember_secrets_in,
)

SECRET = "Xk3y/0f+an-1nvented?pr0ject"  # noqa: S105 - invented

VARIANTS = {
    "itself": SECRET,
    "upper case": SECRET.upper(),
    "lower case": SECRET.lower(),
    "a cut end": SECRET[:SHORTEST_PIECE],
    "a cut beginning": SECRET[-SHORTEST_PIECE:],
    "percent-encoded": quote(SECRET, safe=""),
    "percent-encoded in lower case": quote(SECRET, safe="").lower(),
    "twice": SECRET * 2,
}


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    yield
    forget_secrets()


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_is_replaced_and_the_rest_stays(variant: str) -> None:
    assert redact(f"key <{VARIANTS[variant]}> is wrong", SECRET) == f"key <{MASK}> is wrong"


@pytest.mark.parametrize("before", ["", "a", "ab"])
@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
def test_in_base64_the_secret_cannot_be_decoded_at_any_offset(before: str, encode: type[bytes]) -> None:
    encoded = encode(f"{before}{SECRET}z".encode()).decode()
    redacted = redact(encoded, SECRET)
    assert MASK in redacted
    assert not [
        encoded[start : start + SHORTEST_PIECE]
        for start in range(len(encoded) - SHORTEST_PIECE)
        if encoded[start : start + SHORTEST_PIECE] in redacted
    ]


@given(st.text(), st.text(min_size=1))
def test_neither_the_secret_nor_a_piece_of_it_is_left(text: str, secret: str) -> None:
    redacted = redact(f"{text}{secret}{text}", secret)
    pieces = {secret[start : start + SHORTEST_PIECE] for start in range(max(1, len(secret) - SHORTEST_PIECE + 1))}
    assert not [piece for piece in pieces if piece.strip("*") and piece in redacted]


@given(st.text(alphabet="abc ", max_size=100))
def test_a_text_without_the_secret_is_not_changed(text: str) -> None:
    assert redact(text, SECRET) == text


@pytest.mark.parametrize(
    ("value", "text", "redacted"),
    [
        ("https://0123456789abcdef@sentry.example/1", "GET https://sentry.example", "GET https://sentry.example"),
        ("https://0123456789abcdef@sentry.example/1", "key 0123456789abcdef", f"key {MASK}"),
        ("postgresql://me:pass-w0rd%40@host/db", "pass-w0rd@", MASK),
        ("https://hooks.example/services/T0/B0/abcdefghijklmnop/slack", "…/abcdefghijklmnop/…", f"…/{MASK}/…"),
        ("https://hooks.example/services/T0/B0/abcdefghijklmnop/slack", "/services/", "/services/"),
        ("https://hooks.example/?key=abcdefgh", "abcdefgh", MASK),
        ("https://[x", "https://[x", "https://[x"),
        ("AccountName=example1;AccountKey=abcdefgh==", "example1 has abcdefgh", f"example1 has {MASK}"),
        ("DefaultEndpointsProtocol=https;BlobEndpoint=https://example", "https://example", "https://example"),
        ("a;pass-w0rd://", "a;pass-w0rd://", MASK),
    ],
)
def test_of_an_address_only_the_secret_parts_are_remembered(value: str, text: str, redacted: str) -> None:
    remember_secrets_in(value)
    assert redact(text) == redacted


def test_a_remembered_secret_is_replaced_and_a_short_one_is_not_remembered() -> None:
    remember_secret(SECRET)
    remember_secret("airflow")
    remember_secret(None)
    assert redact(f"airflow has {SECRET}") == f"airflow has {MASK}"
