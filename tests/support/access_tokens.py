"""Access tokens as Supabase issues them, and forged ones."""

from __future__ import annotations

import time
from uuid import UUID

import jwt

ISSUER = "https://project.example/auth/v1"
SECRET = "a-secret-of-an-invented-project-that-is-as-long-as-a-digest-0123456789"  # noqa: S105 - the secret of an invented project


def claims_of(user: UUID | str, **changed: object) -> dict[str, object]:
    """Return the claims of a valid token for a person; a claim changed to None is left out."""
    claims = {"sub": str(user), "aud": "authenticated", "iss": ISSUER, "exp": int(time.time()) + 3600, **changed}
    return {name: value for name, value in claims.items() if value is not None}


def token_for(user: UUID | str, **changed: object) -> str:
    """Return a token signed with the project's secret."""
    return jwt.encode(claims_of(user, **changed), SECRET, algorithm="HS256")
