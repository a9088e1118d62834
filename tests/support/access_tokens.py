"""Access tokens in the format of Supabase."""

from __future__ import annotations

import time
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey

ISSUER = "https://project.example/auth/v1"
SECRET = "a-secret-of-an-invented-project-that-is-as-long-as-a-digest-0123456789"  # noqa: S105 - of an invented project


def claims_of(user: UUID | str, **changed: object) -> dict[str, object]:
    """Return the claims of a valid token for a user. A claim changed to None is left out."""
    claims = {"sub": str(user), "aud": "authenticated", "iss": ISSUER, "exp": int(time.time()) + 3600, **changed}
    return {name: value for name, value in claims.items() if value is not None}


def token_for(user: UUID | str, **changed: object) -> str:
    """Return a token signed with the project's secret."""
    return jwt.encode(claims_of(user, **changed), SECRET, algorithm="HS256")


def key_set(**keys: PrivateKey) -> dict[str, list[dict[str, str]]]:
    """Return the public keys, by key id, as the JWKS that Supabase publishes."""
    return {"keys": [{**_public_jwk(key), "kid": key_id, "use": "sig"} for key_id, key in keys.items()]}


def _public_jwk(key: PrivateKey) -> dict[str, str]:
    if isinstance(key, RSAPrivateKey):
        return RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
