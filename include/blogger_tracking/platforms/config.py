"""Configuration of a platform client."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from blogger_tracking.domain.errors import ConfigurationError


class PlatformConfig(BaseModel):
    """Address and API key of a platform, or of the gateway to the platform. Neither repr nor error texts show the key.

    `base_url` is everything before the path of a call, for example `https://www.googleapis.com/youtube/v3`.
    `gateway_host` is the value of the gateway's host header; default: the host of `base_url`.
    `requests_per_second` defaults to the platform's setting.
    Raises ConfigurationError for an address or a key that no request could use.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    base_url: str
    api_key: SecretStr
    gateway_host: str | None = None
    requests_per_second: float | None = Field(default=None, gt=0, allow_inf_nan=False)

    @field_validator("base_url")
    @classmethod
    def _validated_base_url(cls, base_url: str) -> str:
        try:
            parts = urlsplit(base_url.strip())
            _ = parts.port
        except ValueError:
            raise ConfigurationError("The platform's base address is not a valid URL.") from None
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigurationError("The platform's base address must begin with http:// or https:// and name a host.")
        if parts.username is not None or parts.query or parts.fragment:
            raise ConfigurationError("The platform's base address must not have credentials, a query or a fragment.")
        return parts.geturl().rstrip("/")

    @field_validator("api_key")
    @classmethod
    def _validated_api_key(cls, api_key: SecretStr) -> SecretStr:
        key = api_key.get_secret_value().strip()
        if not key:
            raise ConfigurationError("The platform's API key is missing. Set it as the password of the Connection.")
        if not (key.isascii() and key.isprintable()):
            raise ConfigurationError("The platform's API key has characters that are not allowed in an HTTP header.")
        return SecretStr(key)

    @property
    def host(self) -> str:
        """The host (with port) of `base_url`."""
        return urlsplit(self.base_url).netloc

    @property
    def key(self) -> str:
        """The API key in plain text, for the request header alone."""
        return self.api_key.get_secret_value()
