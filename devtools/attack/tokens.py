"""Forged, changed and malformed access tokens: each has to get a 401."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from http import HTTPStatus
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from blogger_tracking.domain.models import Role
from devtools.attack.target import Target
from devtools.attack.tries import Try

_NOW = int(time.time())
_CHANGED_CLAIMS: tuple[dict[str, object], ...] = (
    {"exp": _NOW - 60},
    {"exp": None},
    {"exp": "tomorrow"},
    {"nbf": _NOW + 10**6},
    {"aud": "anon"},
    {"aud": None},
    {"aud": ["anon"]},
    {"iss": "https://other.example/auth/v1"},
    {"iss": None},
    {"iss": ["x"]},
    {"sub": None},
    {"sub": "x"},
    {"sub": 7},
    {"sub": "' or true --"},
    {"sub": "00000000-0000-0000-0000-00000000000g"},
)
_HEADERS: tuple[dict[str, object], ...] = (
    {"alg": "none"},
    {"alg": "None"},
    {"alg": "nOnE"},
    {"alg": ""},
    {"alg": None},
    {"alg": ["HS256"]},
    {"alg": "HS256", "kid": "../../etc/passwd"},
    {"alg": "HS256", "kid": "' or true --"},
    {"alg": "HS256", "kid": {"a": 1}},
    {"alg": "HS256", "crit": ["b64"], "b64": False},
    {"alg": "RS256", "jku": "https://attacker.example/keys.json", "kid": "x"},
    {"alg": "RS256", "jwk": {"kty": "oct", "k": "AAAA"}},
    {"alg": "RS256", "x5u": "https://attacker.example/certificate"},
    {"alg": "ES256", "kid": "x" * 10_000},
)
_TEXTS = (
    "",
    " ",
    "x",
    "a.b",
    "a.b.c",
    "a.b.c.d.e",
    "..",
    "." * 10_000,
    "null",
    "bnVsbA.bnVsbA.bnVsbA",
    "A" * 60_000,
    "%00.%00.%00",
    "sb_secret_AbCdEf0123456789",
    "sb_publishable_AbCdEf0123456789",
)


def tokens(target: Target) -> Iterator[Try]:
    """Read a tracked account of an organization with tokens that no member has."""
    tenant = target.tenant()
    member = target.member(tenant, Role.OWNER)
    path = f"/{tenant.tracking_id}"
    accepted = target.send("GET", path, target.token(member)).status_code
    yield Try("the token of a member is accepted", accepted == HTTPStatus.OK, str(accepted))
    for name, token in _forged(target, member):
        status = target.send("GET", path, token).status_code
        yield Try(name, status == HTTPStatus.UNAUTHORIZED, str(status))
    status = target.send("GET", path, None).status_code
    yield Try("no token", status == HTTPStatus.UNAUTHORIZED, str(status))


def _forged(target: Target, member: UUID) -> Iterator[tuple[str, str]]:
    for changed in _CHANGED_CLAIMS:
        yield f"claims with {changed}", _signed(target, {"alg": "HS256"}, target.claims(member, **changed))
    for header in _HEADERS:
        claims = target.claims(member)
        yield f"header {str(header)[:60]} without a signature", f"{_part(header)}.{_part(claims)}."
        yield f"header {str(header)[:60]} with the signature of nothing", f"{_part(header)}.{_part(claims)}.AAAA"
    for number, text in enumerate(_TEXTS, start=1):
        yield f"malformed text {number}: {text[:30]!r}", text
    claims = target.claims(member)
    for algorithm in ("HS384", "HS512"):
        yield f"another algorithm, {algorithm}", jwt.encode(claims, target.secret, algorithm=algorithm)
    for guess in ("secret", "your-super-secret-jwt-token-with-at-least-32-characters-long", target.issuer):
        yield f"guessed secret {guess[:20]!r}", _with_hmac({"alg": "HS256"}, claims, guess.encode())
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    yield "a key of the attacker, RS256", jwt.encode(claims, rsa_key, algorithm="RS256", headers={"kid": "x"})
    yield (
        "a key of the attacker, ES256",
        jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), algorithm="ES256", headers={"kid": "x"}),
    )
    public = rsa_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    yield "a public key as the secret", _with_hmac({"alg": "HS256", "kid": "x"}, claims, public)
    yield "an empty secret", _with_hmac({"alg": "HS256"}, claims, b"")
    valid = target.token(member)
    yield "a changed signature", valid[:-2] + ("AA" if not valid.endswith("AA") else "BB")
    yield "a token in a token", jwt.encode({"token": valid}, "a" * 40, algorithm="HS256")
    deep: object = "x"
    for _ in range(500):
        deep = [deep]
    yield "deeply nested claims", _with_hmac({"alg": "HS256"}, {**claims, "x": deep}, b"y")


def _signed(target: Target, header: dict[str, object], claims: dict[str, object]) -> str:
    return _with_hmac(header, claims, target.secret.encode())


def _with_hmac(header: dict[str, object], claims: dict[str, object], secret: bytes) -> str:
    """Return a token signed by HS256. PyJWT refuses to sign with some of these secrets and claims."""
    content = f"{_part(header)}.{_part(claims)}"
    signature = jwt.get_algorithm_by_name("HS256").sign(content.encode(), secret)
    return f"{content}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def _part(content: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()
