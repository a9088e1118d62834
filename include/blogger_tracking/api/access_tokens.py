"""Verification of Supabase access tokens.

Source: Supabase Auth, "JSON Web Tokens": HS256 with the project's secret, or ES256/RS256 with keys published at
`<issuer>/.well-known/jwks.json`; audience `authenticated`, issuer `https://<project>.supabase.co/auth/v1`.
Supabase, "Understanding API keys": keys of the project begin with `sb_`, or are tokens of the role `anon` or
`service_role`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK, PyJWKClient, PyJWKSet
from jwt.exceptions import PyJWKClientConnectionError, PyJWTError
from pydantic import BaseModel, ConfigDict, SecretStr, model_validator

from blogger_tracking.domain.errors import BloggerTrackingError, ConfigurationError
from blogger_tracking.domain.request_errors import NotAuthenticatedError

logger = logging.getLogger(__name__)

JWKS_LIFESPAN_SECONDS = 300
"""Lifetime of the cached JWKS: a removed key is accepted no longer. An unknown key id causes an earlier request."""

JWKS_GRACE_SECONDS = 3600
"""Time after the lifetime for which the cached keys are still accepted while the JWKS cannot be requested."""

JWKS_COOLDOWN_SECONDS = 10
"""Minimum time between two requests of the JWKS that tokens cause, also while the requests fail."""

LEEWAY_SECONDS = 10
"""Permitted difference between the clocks of Supabase and of this host."""

_KEY_SET_BYTES_LIMIT = 1_000_000
_SHORTEST_SECRET_BYTES = 32
_REJECTED = "The access token is expired or not valid here."
_API_KEY = (
    "This is an API key of the Supabase project, not an access token. Send the access token of the signed-in user "
    "(`session.access_token` in supabase-js): Authorization: Bearer <token>."
)
_API_KEY_PREFIX = "sb_"
_API_KEY_ROLES = ("anon", "service_role")
_ALGORITHMS = {"EC": "ES256", "RSA": "RS256"}
"""The only algorithm that is accepted with a published key, by the type of the key."""


class KeysUnavailableError(BloggerTrackingError):
    """The JWKS endpoint is unreachable, so tokens cannot be verified."""


class _NoUsableKeyError(ValueError):
    """A JWKS without any key that verifies tokens."""


class SupabaseAuthConfig(BaseModel):
    """Issuer, audience and keys of the accepted tokens.

    ES256 and RS256 are accepted with the keys of the JWKS: the one at `jwks_url`, by default the one that Supabase
    publishes below the issuer. HS256 is accepted in addition if a `secret` is given, as it is while a project changes
    from its legacy secret to published keys.

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
    def key_set_url(self) -> str:
        """The address of the JWKS."""
        return self.jwks_url or f"{self.issuer.rstrip('/')}/.well-known/jwks.json"

    @property
    def may_lack_key_set(self) -> bool:
        """True if the issuer may be one that signs with the secret alone and publishes no keys."""
        return self.secret is not None and self.jwks_url is None


@dataclass(frozen=True, slots=True)
class _Key:
    """A key and the only algorithm that is accepted with the key."""

    key: Any
    algorithm: str


class _PublishedKeys(PyJWKClient):
    """The cached JWKS. Requests the JWKS at most once per cooldown, also while the endpoint fails.

    `were_read` is True once a request has returned keys. After their lifespan, known keys are accepted within their
    grace while a request is under way, and after one that failed; then the JWKS is requested in the background. Raises
    PyJWKClientConnectionError for every failed request, a response without any usable key included.
    """

    def __init__(self, url: str, *, lifespan: float, grace: float, cooldown: float, timeout: float) -> None:
        super().__init__(url, lifespan=lifespan, cooldown_duration=cooldown, timeout=timeout)
        self._grace = lifespan + grace
        self.were_read = False
        self._next_request_at = 0.0
        # False while a request is under way, and after one that failed.
        self._last_request_succeeded = False
        self._background = threading.Lock()

    def fetch_data(self) -> Any:  # noqa: ANN401 - the type that PyJWT declares
        """Request the JWKS, unless a request has failed within the cooldown."""
        if time.monotonic() < self._next_request_at:
            raise PyJWKClientConnectionError("The last request for the JWKS failed.")
        self._last_request_succeeded = False
        try:
            data = self.read()
        # A response from outside may make any parser raise anything.
        except Exception as error:
            self._next_request_at = time.monotonic() + self.cooldown_duration
            logger.warning(
                "The JWKS at %s has no usable keys: %s. Tokens of unknown keys are rejected, and the next request is "
                "made in %.0f s at the earliest. Check the address and Supabase's status.",
                self.uri,
                str(error) or type(error).__name__,
                self.cooldown_duration,
            )
            raise PyJWKClientConnectionError(str(error)) from error
        self.were_read = self._last_request_succeeded = True
        return data

    def read(self) -> dict[str, Any]:
        """Request the JWKS, keep its usable keys in the cache and return them. May raise any exception."""
        data = json.loads(asyncio.run(self._request()))
        published = data.get("keys") if isinstance(data, dict) else None
        if not isinstance(published, list):
            raise ValueError("no list of keys")  # noqa: TRY004 - a malformed response is no error of a type in this code
        usable = {"keys": [key for key in published if _is_usable(key)]}
        if not usable["keys"]:
            raise _NoUsableKeyError("no public key for signatures of the type EC or RSA")
        if self.jwk_set_cache:
            self.jwk_set_cache.put(usable)
        self._last_successful_fetch = time.monotonic()
        return usable

    async def _request(self) -> bytes:
        """Return the body of a response that is complete at the timeout, short, and no redirect.

        PyJWT's own request reads a response of any length, for as long as a byte comes before each timeout. Only an
        asynchronous request can be ended at a moment, whatever the request waits for: a connection, a header, the body.
        """
        body = bytearray()
        headers = {**self.headers, "Accept-Encoding": "identity"}
        async with (
            asyncio.timeout(self.timeout),
            httpx.AsyncClient(timeout=self.timeout) as client,
            client.stream("GET", self.uri, headers=headers) as response,
        ):
            response.raise_for_status()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > _KEY_SET_BYTES_LIMIT:
                    raise ValueError(f"longer than {_KEY_SET_BYTES_LIMIT} bytes")
        return bytes(body)

    def known_key(self, key_id: str) -> PyJWK | None:
        """Return the key of this id if the cached keys have the key and may be used without a request. Never waits."""
        current = self.jwk_set_cache.get() if self.jwk_set_cache else None
        if current is not None or self._last_request_succeeded:
            return self._match(current, key_id)
        key = self._match(self._key_set_in_grace(), key_id)
        if key is not None:
            self._request_in_background()
        return key

    def get_signing_key(self, kid: str) -> PyJWK:
        """Return the key of this id. Only an unknown key id waits for a request of another thread.

        The first request after the lifespan is waited for, too; if it fails, a key that was known is returned.
        """
        key = self.known_key(kid)
        if key is not None:
            return key
        try:
            return super().get_signing_key(kid)
        except PyJWKClientConnectionError:
            key = self.known_key(kid)
            if key is None:
                raise
            return key

    def _request_in_background(self) -> None:
        """Request the JWKS in a thread, unless the cooldown has not passed or the thread runs already."""
        if time.monotonic() >= self._next_request_at and self._background.acquire(blocking=False):
            threading.Thread(target=self._refresh, name="jwks", daemon=True).start()

    def _refresh(self) -> None:
        try:
            with self._client_lock, suppress(PyJWKClientConnectionError):
                self.get_jwk_set()
        finally:
            self._background.release()

    def _key_set_in_grace(self) -> PyJWKSet | None:
        kept = self.jwk_set_cache.jwk_set_with_timestamp if self.jwk_set_cache else None
        if kept is None or time.monotonic() > kept.get_timestamp() + self._grace:
            return None
        return kept.get_jwk_set()

    def _match(self, key_set: PyJWKSet | None, key_id: str) -> PyJWK | None:
        return self.match_kid(key_set.keys if key_set else [], key_id)

    @property
    def are_current(self) -> bool:
        """True if the cached keys are within their lifespan, so that an unknown key id is not one of the project."""
        return self.jwk_set_cache is not None and self.jwk_set_cache.get() is not None


def count_published_keys(config: SupabaseAuthConfig, timeout_seconds: float) -> int:
    """Request the JWKS and return the number of its usable keys. Raises KeysUnavailableError if it cannot be read."""
    keys = _PublishedKeys(config.key_set_url, lifespan=1, grace=0, cooldown=0, timeout=timeout_seconds)
    try:
        return len(keys.read()["keys"])
    except _NoUsableKeyError:
        return 0
    # A response from outside may make any parser raise anything.
    except Exception as error:
        raise KeysUnavailableError(f"The published keys at {config.key_set_url} cannot be read.") from error


class TokenVerifier:
    """Verifier of access tokens. Thread-safe. Caches the JWKS, and requests it again for an unknown key id."""

    def __init__(
        self,
        config: SupabaseAuthConfig,
        *,
        timeout_seconds: float,
        cooldown_seconds: float = JWKS_COOLDOWN_SECONDS,
        lifespan_seconds: float = JWKS_LIFESPAN_SECONDS,
        grace_seconds: float = JWKS_GRACE_SECONDS,
    ) -> None:
        self._config = config
        self._cooldown_seconds = cooldown_seconds
        self._next_report_at = 0.0
        self._keys = _PublishedKeys(
            config.key_set_url,
            lifespan=lifespan_seconds,
            grace=grace_seconds,
            cooldown=cooldown_seconds,
            timeout=timeout_seconds,
        )

    def may_request_keys(self, token: str) -> bool:
        """Return True if the verification of this token may wait for a request of the JWKS."""
        try:
            header = jwt.get_unverified_header(token)
        except PyJWTError:
            return False
        key_id = header.get("kid")
        return (
            header.get("alg") in _ALGORITHMS.values()
            and isinstance(key_id, str)
            and self._keys.known_key(key_id) is None
        )

    def user_id(self, token: str) -> UUID:
        """Return the user id of a valid token. Raises NotAuthenticatedError, KeysUnavailableError.

        Computes for a tenth of a millisecond, and waits only if `may_request_keys` is True.
        """
        try:
            _refuse_api_key(token)
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
            # Whoever sends a token with an invented key id must get the response to an invalid token.
            if self._keys.are_current or (self._config.may_lack_key_set and not self._keys.were_read):
                raise NotAuthenticatedError(_REJECTED) from None
            raise self._keys_unavailable() from None
        except (PyJWTError, ValueError):
            raise NotAuthenticatedError(_REJECTED) from None

    def _keys_unavailable(self) -> KeysUnavailableError:
        """Return the error, and log the error at most once per cooldown, however many strangers send requests."""
        error = KeysUnavailableError(
            f"The JWKS at {self._config.key_set_url} cannot be read, so access tokens cannot be verified. "
            "Check the address and Supabase's status. If the project signs with its legacy JWT secret, put the "
            "secret into the password of the Connection supabase_auth."
        )
        if time.monotonic() >= self._next_report_at:
            self._next_report_at = time.monotonic() + self._cooldown_seconds
            fingerprint = ("api", "unavailable", type(error).__qualname__)
            logger.error("Requests to /blogger get a 503. Cause: %s", error, extra={"fingerprint": fingerprint})
        return error

    def _key_for(self, header: dict[str, Any]) -> _Key:
        """Return the key that the token's header names. The header never chooses the algorithm of a published key."""
        if header.get("alg") == "HS256":
            return self._secret()
        if header.get("alg") not in _ALGORITHMS.values():
            raise NotAuthenticatedError(_REJECTED)
        return self._published(header.get("kid"))

    def _secret(self) -> _Key:
        if self._config.secret is None:
            raise NotAuthenticatedError(_REJECTED)
        return _Key(self._config.secret.get_secret_value(), "HS256")

    def _published(self, key_id: object) -> _Key:
        if not isinstance(key_id, str):
            raise NotAuthenticatedError(_REJECTED)
        published = self._keys.get_signing_key(key_id)
        return _Key(published.key, _ALGORITHMS[str(published.key_type)])


def _refuse_api_key(token: str) -> None:
    """Raise NotAuthenticatedError for a key of the project, signed or not: a key belongs to no user."""
    if token.startswith(_API_KEY_PREFIX):
        raise NotAuthenticatedError(_API_KEY)
    claims = jwt.decode(token, options={"verify_signature": False})
    if claims.get("role") in _API_KEY_ROLES and "sub" not in claims:
        raise NotAuthenticatedError(_API_KEY)


def _is_usable(published: object) -> bool:
    """Return True for a public key of the type EC or RSA that is for signatures and has an id."""
    if not isinstance(published, dict):
        return False
    try:
        key = PyJWK(published)
        is_public = isinstance(key.key, EllipticCurvePublicKey | RSAPublicKey)
        return is_public and key.public_key_use in {"sig", None} and isinstance(key.key_id, str) and bool(key.key_id)
    except Exception:  # noqa: BLE001 - a value from outside may make the parser raise anything
        return False
