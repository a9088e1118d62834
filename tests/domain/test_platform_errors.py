"""Handling of the kinds of platform errors."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.platform_errors import HANDLING, ErrorKind, PlatformError, suspended_until
from blogger_tracking.settings import Settings

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize("kind", ErrorKind)
def test_the_advice_of_every_kind_is_one_sentence(kind: ErrorKind) -> None:
    advice = HANDLING[kind].advice
    assert advice[:1].isupper()
    assert advice.endswith(".")
    assert ". " not in advice
    assert PlatformError(kind, Platform.TIKTOK, "detail").advice == advice


@pytest.mark.parametrize("kind", ErrorKind)
def test_the_explanation_of_every_kind_is_one_sentence_without_the_detail(kind: ErrorKind) -> None:
    explanation = PlatformError(kind, Platform.TIKTOK, "gateway", status=503).explanation
    assert explanation[:1].isupper()
    assert explanation.endswith(".")
    assert ". " not in explanation
    assert not {"{", "gateway", "503", "key", "quota", "credit"} & set(explanation.replace(".", " ").split())


def test_the_text_of_an_error_is_its_platform_kind_and_detail() -> None:
    error = PlatformError(ErrorKind.INVALID_CREDENTIALS, Platform.YOUTUBE, "keyInvalid", status=400)
    assert str(error) == "YouTube: invalid_credentials (keyInvalid)"


@pytest.mark.parametrize("kind", ErrorKind)
def test_without_a_retry_time_only_refusals_of_the_caller_suspend(kind: ErrorKind) -> None:
    until = suspended_until(PlatformError(kind, Platform.TIKTOK, ""), NOW, Settings(suspension_minutes=15))
    suspends = kind in {ErrorKind.INVALID_CREDENTIALS, ErrorKind.QUOTA_EXCEEDED, ErrorKind.REFUSED}
    assert until == (NOW + timedelta(minutes=15) if suspends else None)


@pytest.mark.parametrize(("seconds", "suspends"), [(-1, False), (0, False), (1, True)])
def test_a_retry_time_in_the_future_suspends_until_then(
    seconds: int,
    suspends: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    moment = NOW + timedelta(seconds=seconds)
    error = PlatformError(ErrorKind.RATE_LIMITED, Platform.TIKTOK, "", retry_at=moment)
    assert suspended_until(error, NOW, Settings()) == (moment if suspends else None)


@pytest.mark.parametrize("kind", ErrorKind)
def test_a_retry_time_that_has_passed_is_none(kind: ErrorKind) -> None:
    passed = PlatformError(kind, Platform.TIKTOK, "", retry_at=NOW)
    without = PlatformError(kind, Platform.TIKTOK, "")
    assert suspended_until(passed, NOW, Settings()) == suspended_until(without, NOW, Settings())
