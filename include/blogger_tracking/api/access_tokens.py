"""Verification of Supabase access tokens.

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
"""Lifetime of the cached JWKS. A token with an unknown key id causes an earlier request of the JWKS."""

JWKS_COOLDOWN_SECONDS = 10
"""Minimum time between two requests of the JWKS that tokens with unknown key ids cause."""

LEEWAY_SECONDS = 10
"""Permitted difference between the clocks of Supabase and of this host."""

_SHORTEST_SECRET_BYTES = 32
_REJECTED = "The access token is expired or not valid here."


class KeysUnavailableError(BloggerTrackingError):
    """The JWKS endpoint is unreachable, so tokens cannot be verified."""


class SupabaseAuthConfig(BaseModel):
    """Issuer, audience and keys of the accepted tokens.

    With a `secret` HS256 is accepted, with a JWKS ES256 and RS256. The JWKS is the one at `jwks_url`. If neither
    `secret` nor `jwks_url` is given, the JWKS is the one that Supabase publishes below the issuer.

    Raises ConfigurationError for a secret that is too short and an issuer that is not an HTTP address.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    issuer: str
    audience: str = "authenticated"
    secret: SecretStr | None = None
    jwks_url: str | None = None

    @model_validator(mode="after")
    def _checked(self) -> SupabaseAuthConfig:
        if not self.issuer.startswith(("https://", "http://")):
            raise ConfigurationError(
                "The issuer of access tokens must be an address, https://PROJECT.supabase.co/auth/v1."
            )
        if self.secret and len(self.secret.get_secret_value().encode()) < _SHORTEST_SECRET_BYTES:
            raise ConfigurationError(f"The project's JWT secret must have at least {_SHORTEST_SECRET_BYTES} bytes.")
        return self

    @property
    def key_set_url(self) -> str | None:
        """The address of the JWKS, or None if only tokens signed with the secret are accepted."""
        if self.jwks_url is None and self.secret is None:
            return f"{self.issuer.rstrip('/')}/.well-known/jwks.json"
        return self.jwks_url


@dataclass(frozen=True, slots=True)
class _Key:
    """A key and the only algorithm that is accepted with the key."""

    key: Any
    algorithm: str


class TokenVerifier:
    """Verifier of access tokens. Thread-safe. Caches the JWKS, and requests it again for an unknown key id."""

    def __init__(
        self, config: SupabaseAuthConfig, *, timeout_seconds: float, cooldown_seconds: float = JWKS_COOLDOWN_SECONDS
    ) -> None:
        self._config = config
        self._keys = (
            PyJWKClient(
                config.key_set_url,
                lifespan=JWKS_LIFESPAN_SECONDS,
                timeout=timeout_seconds,
                cooldown_duration=cooldown_seconds,
            )
            if config.key_set_url
            else None
        )

    def user_id(self, token: str) -> UUID:
        """Return the user id of a valid token. Raises NotAuthenticatedError, KeysUnavailableError."""
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
            raise KeysUnavailableError(
                f"The JWKS at {self._config.key_set_url} cannot be read, so access tokens cannot be verified. "
                "Check the address and Supabase's status."
            ) from None
        except (PyJWTError, ValueError):
            raise NotAuthenticatedError(_REJECTED) from None

    def _key_for(self, header: dict[str, Any]) -> _Key:
        """Return the key that the token's header names. The header never chooses the algorithm of a published key."""
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
    """Return the algorithm for the type of a key, whatever algorithm the key or the token names."""
    algorithm = {"EC": "ES256", "RSA": "RS256"}.get(str(key.key_type))
    if algorithm is None:
        raise PyJWKClientError("The type of this published key is not supported: neither EC nor RSA.")
    return algorithm
