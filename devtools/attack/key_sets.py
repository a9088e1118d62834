"""Published keys (JWKS) that hang, drip, are huge or nonsense: no token is accepted, and no request takes long."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from blogger_tracking.api.access_tokens import KeysUnavailableError, SupabaseAuthConfig, TokenVerifier
from blogger_tracking.domain.request_errors import NotAuthenticatedError
from devtools.attack.listener import listener
from devtools.attack.target import Target
from devtools.attack.tries import Try

_TIMEOUT_SECONDS = 1.0
_LONGEST_SECONDS = 2.5
_HUGE = 20_000_000
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
_DRIPPED_HEADER = b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 1_000
_DRIPPED_BODY = _HEAD + b" " * 1_000

_KEY_SETS = {
    "no HTTP": b"SSH-2.0-OpenSSH\r\n",
    "a page": _HEAD + b"<html>",
    "null": _HEAD + b"null",
    "a number": _HEAD + b"7",
    "no keys": _HEAD + b'{"keys": []}',
    "keys that are no list": _HEAD + b'{"keys": {"kid": "x"}}',
    "a key of a number": _HEAD + b'{"keys": [7]}',
    "a key without a type": _HEAD + b'{"keys": [{"kid": "x"}]}',
    "a symmetric key": _HEAD + b'{"keys": [{"kty": "oct", "kid": "x", "k": "AAAA", "alg": "HS256"}]}',
    "an elliptic key with a point of nowhere": _HEAD
    + b'{"keys": [{"kty": "EC", "crv": "P-256", "kid": "x", "x": "AAAA", "y": "AAAA"}]}',
    "open brackets": _HEAD + b"[" * 200_000,
    "a redirect to a file": b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n",
    "a redirect to itself": b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n",
    "an error": b"HTTP/1.1 500 Error\r\n\r\n",
}


def key_sets(target: Target) -> Iterator[Try]:
    """Verify a token of an unknown key while the address of the keys answers with each of these."""
    claims = target.claims(target.user())
    key = ec.generate_private_key(ec.SECP256R1())
    token = jwt.encode(claims, key, algorithm="ES256", headers={"kid": "x"})
    before = logging.root.manager.disable
    logging.disable()
    try:
        for name, answer in _KEY_SETS.items():
            yield _verified(target, name, token, answer, KeysUnavailableError)
        for name, published in _unusable_keys(key).items():
            yield _verified(target, name, token, _published(published), KeysUnavailableError)
        yield _verified(target, "a header that drips", token, _DRIPPED_HEADER, KeysUnavailableError, drips=True)
        yield _verified(target, "keys that drip", token, _DRIPPED_BODY, KeysUnavailableError, drips=True)
        yield _verified(target, "keys that never come", token, b"", KeysUnavailableError)
        foreign = _public(ec.generate_private_key(ec.SECP256R1()))
        yield _verified(target, "keys of another project", token, _published(foreign), NotAuthenticatedError)
    finally:
        logging.disable(before)


def _verified(
    target: Target, name: str, token: str, answer: bytes, expected: type[Exception], *, drips: bool = False
) -> Try:
    """Try to verify the token. A failure of the key server is a 503, and no fault of the person's token."""
    with listener(answer, drips=drips) as (port, _):
        config = SupabaseAuthConfig(issuer=target.issuer, jwks_url=f"http://127.0.0.1:{port}/jwks.json")
        verifier = TokenVerifier(config, timeout_seconds=_TIMEOUT_SECONDS)
        begin = time.monotonic()
        try:
            user = verifier.user_id(token)
        except (KeysUnavailableError, NotAuthenticatedError) as error:
            seconds = time.monotonic() - begin
            held = isinstance(error, expected) and seconds < _LONGEST_SECONDS
            return Try(name, held, f"{type(error).__name__} after {seconds:.1f} s")
        return Try(name, held=False, found=f"accepted as {user}")


def _unusable_keys(key: ec.EllipticCurvePrivateKey) -> dict[str, dict[str, object]]:
    """Return the key of the token with a member of a wrong type or size, or as a private key."""
    private_rsa = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return {
        "a key with a list of algorithms": {**_public(key), "alg": ["ES256"]},
        "a key with a list of uses": {**_public(key), "use": ["sig"]},
        "a key with a list of ids": {**_public(key), "kid": ["x"]},
        "a key without an algorithm": {**_public(key), "alg": "none"},
        "a private elliptic key": {**ECAlgorithm.to_jwk(key, as_dict=True), "kid": "x"},
        "a key with a huge text": {**_public(key), "x5t": "a" * _HUGE},
        "a private RSA key": {**RSAAlgorithm.to_jwk(private_rsa, as_dict=True), "kid": "x"},
    }


def _public(key: ec.EllipticCurvePrivateKey) -> dict[str, object]:
    return {**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "x", "use": "sig"}


def _published(key: dict[str, object]) -> bytes:
    return _HEAD + json.dumps({"keys": [key]}).encode()
