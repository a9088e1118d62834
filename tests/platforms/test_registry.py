"""Registry and configuration: a service for each platform; unusable configurations are refused without a request."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from blogger_tracking.domain.errors import ConfigurationError
from blogger_tracking.domain.models import Platform
from blogger_tracking.platforms import PlatformConfig, create_service
from tests.support.platform_accounts import KEY

CONFIG = PlatformConfig(base_url="https://gateway.invalid", api_key=KEY)


@pytest.mark.parametrize("platform", list(Platform))
def test_every_platform_has_a_service_by_its_enum_and_by_its_name(platform: Platform) -> None:
    assert create_service(platform, CONFIG).platform is platform
    assert create_service(platform.value, CONFIG).platform is platform


@pytest.mark.parametrize("name", ["Vimeo", "tiktok", ""])
def test_an_unknown_platform_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(ConfigurationError, match="known are TikTok, Instagram, YouTube"):
        create_service(name, CONFIG)


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "gateway.invalid",
        "ftp://gateway.invalid",
        "https://",
        "https://user:secret@gateway.invalid",
        "https://gateway.invalid?key=secret",
        "https://gateway.invalid:port",
        "https://[gateway",
    ],
)
def test_an_unusable_base_url_is_refused_without_repeating_it(base_url: str) -> None:
    with pytest.raises(ConfigurationError, match="base address") as raised:
        PlatformConfig(base_url=base_url, api_key=KEY)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("key", ["", "  ", "sécret", "sec\nret"])
def test_a_key_that_is_not_allowed_in_a_header_is_refused_without_repeating_it(key: str) -> None:
    with pytest.raises(ConfigurationError, match="API key") as raised:
        PlatformConfig(base_url="https://gateway.invalid", api_key=key)
    assert "ret" not in str(raised.value)


def test_the_key_is_in_no_representation_of_the_config() -> None:
    assert KEY not in repr(CONFIG) + str(CONFIG) + CONFIG.model_dump_json()


def test_a_validation_error_of_another_field_does_not_have_the_key() -> None:
    with pytest.raises(ValidationError) as raised:
        PlatformConfig.model_validate({"api_key": KEY})
    assert KEY not in str(raised.value)


def test_whitespace_around_base_url_and_key_is_stripped() -> None:
    config = PlatformConfig(base_url=" https://gateway.invalid/v3/ ", api_key=f" {KEY}\n")
    assert (config.base_url, config.host, config.key) == ("https://gateway.invalid/v3", "gateway.invalid", KEY)
