"""Access tokens of Supabase: who is calling.

Source: Supabase Auth, "JSON Web Tokens": HS256 with the project's secret, or ES256/RS256 with keys published at
`<issuer>/.well-known/jwks.json`; audience `authenticated`, issuer `https://<project>.supabase.co/auth/v1`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import jwt
from jwt import PyJWK, PyJWKClient
from jwt.exceptions import PyJWKClientConnectionError, PyJWKClientError, PyJWTError
from pydantic import BaseModel, ConfigDict, SecretStr, model_validator

from blogger_tracking.domain.errors import BloggerTrackingError, ConfigurationError
from blogger_tracking.domain.request_errors import NotAuthenticatedError

JWKS_LIFESPAN_SECONDS = 300
"""How long published keys are trusted without looking again. A new key is looked for sooner, see the cooldown."""

JWKS_COOLDOWN_SECONDS = 10
"""Tokens with unknown key ids cause no more requests for the keys than one in this time."""

LEEWAY_SECONDS = 10
"""How far the clocks of Supabase and of this host may differ."""

_SHORTEST_SECRET_BYTES = 32
_REJECTED = "The access token is missing, expired, or not valid here."


class KeysUnavailableError(BloggerTrackingError):
    """The published keys cannot be read, so nobody can be told from anybody."""


class SupabaseAuthConfig(BaseModel):
    """Whose tokens are accepted. At least one of `secret` (HS256) and `jwks_url` (ES256, RS256) is set.

    Raises ConfigurationError otherwise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    issuer: str
    audience: str = "authenticated"
    secret: SecretStr | None = None
    jwks_url: str | None = None

    @model_validator(mode="after")
    def _checked(self) -> SupabaseAuthConfig:
        if self.secret is None and self.jwks_url is None:
            raise ConfigurationError("Access tokens need the project's secret or its jwks_url.")
        if self.secret and len(self.secret.get_secret_value().encode()) < _SHORTEST_SECRET_BYTES:
            raise ConfigurationError(f"The project's JWT secret must have at least {_SHORTEST_SECRET_BYTES} bytes.")
        return self


@dataclass(frozen=True, slots=True)
class _Key:
    """A key and the one algorithm that it is for."""

    key: Any
    algorithm: str


class TokenVerifier:
    """Tells who a token speaks for. Thread-safe; published keys are kept and looked up again when they change."""

    def __init__(
        self, config: SupabaseAuthConfig, *, timeout_seconds: float, cooldown_seconds: float = JWKS_COOLDOWN_SECONDS
    ) -> None:
        self._config = config
        self._keys = (
            PyJWKClient(
                config.jwks_url,
                lifespan=JWKS_LIFESPAN_SECONDS,
                timeout=timeout_seconds,
                cooldown_duration=cooldown_seconds,
            )
            if config.jwks_url
            else None
        )

    def user_id(self, token: str) -> UUID:
        """The person's id. Raises NotAuthenticatedError, and KeysUnavailableError when keys cannot be looked up."""
        try:
            key = self._key_for(jwt.get_unverified_header(token))
            claims = jwt.decode(
                token,
                key.key,
                algorithms=[key.algorithm],
                audience=self._config.audience,
                issuer=self._config.issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "aud", "iss", "sub"]},
            )
            return UUID(claims["sub"])
        except PyJWKClientConnectionError:
            raise KeysUnavailableError("The keys of the access tokens cannot be read just now.") from None
        except (PyJWTError, ValueError):
            raise NotAuthenticatedError(_REJECTED) from None

    def _key_for(self, header: dict[str, Any]) -> _Key:
        """The key this token claims to be signed with. What it claims never widens what the key is accepted for."""
        if header.get("alg") == "HS256":
            return self._secret()
        return self._published(header.get("kid"))

    def _secret(self) -> _Key:
        if self._config.secret is None:
            raise NotAuthenticatedError(_REJECTED)
        return _Key(self._config.secret.get_secret_value(), "HS256")

    def _published(self, key_id: object) -> _Key:
        if self._keys is None or not isinstance(key_id, str):
            raise NotAuthenticatedError(_REJECTED)
        published = self._keys.get_signing_key(key_id)
        return _Key(published.key, _algorithm_of(published))


def _algorithm_of(key: PyJWK) -> str:
    """By the type of the key, whatever the key or the token says: EC means ES256, RSA means RS256."""
    algorithm = {"EC": "ES256", "RSA": "RS256"}.get(str(key.key_type))
    if algorithm is None:
        raise PyJWKClientError("a published key is of a type that signs no access tokens")
    return algorithm
