"""Log records and exceptions without secrets, from every logger."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from pydantic import BaseModel, ValidationError

from blogger_tracking.log_redaction import redact_log_records, redacted_error
from blogger_tracking.redaction import MASK, forget_secrets, remember_secret

SECRET = "Xk3y-0f-an-1nvented-pr0ject"  # noqa: S105 - invented
PIECE = SECRET[3:12]

logger = logging.getLogger("any.library")


class Unprintable:
    def __repr__(self) -> str:
        raise AttributeError(SECRET)


@dataclass(frozen=True)
class FrozenError(Exception):
    """An exception whose attributes cannot be set."""

    url: str


class Model(BaseModel):
    number: int


def validation_error() -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        Model.model_validate({"number": SECRET})
    return caught.value


def with_note() -> ValueError:
    error = ValueError("any")
    error.add_note(f"with {SECRET}")
    return error


def with_cause() -> ValueError:
    error = ValueError("any")
    error.__cause__ = OSError(2, f"no {SECRET}", f"/{SECRET}")
    return error


@pytest.fixture(autouse=True)
def redacting() -> Iterator[None]:
    usual = logging.getLogRecordFactory()
    redact_log_records()
    remember_secret(SECRET)
    yield
    forget_secrets()
    logging.setLogRecordFactory(usual)
    redact_log_records.cache_clear()


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        (f"the key {SECRET} is wrong", ()),
        ("the key %s is wrong", (SECRET.upper(),)),
        ("%s is wrong: %r", ("the key", {"key": PIECE})),
    ],
)
def test_no_record_has_a_secret(caplog: pytest.LogCaptureFixture, text: str, arguments: tuple[object, ...]) -> None:
    logger.warning(text, *arguments)

    [record] = caplog.records
    assert MASK in record.getMessage()
    assert PIECE.lower() not in caplog.text.lower()


@pytest.mark.parametrize(
    ("text", "argument"),
    [("more arguments than places", SECRET), ("%(key)s", {"other": SECRET}), ("%r", Unprintable()), ("%c", -1)],
)
def test_a_record_whose_arguments_do_not_fit_is_logged_without_them(
    caplog: pytest.LogCaptureFixture, text: str, argument: object
) -> None:
    logger.warning(text, argument)

    [record] = caplog.records
    assert record.getMessage() == f"A log record without its arguments: {text}"


def test_a_record_without_a_secret_keeps_its_text_its_arguments_and_its_exception(
    caplog: pytest.LogCaptureFixture,
) -> None:
    error = ValueError("any")
    logger.error("%s of %s", 1, 2, exc_info=error)

    [record] = caplog.records
    assert (record.msg, record.args) == ("%s of %s", (1, 2))
    assert record.exc_info is not None
    assert record.exc_info[1] is error


@pytest.mark.parametrize(
    "error",
    [
        ValueError(f"refused: {SECRET}"),
        ValueError({"url": SECRET}),
        RuntimeError(KeyError(SECRET)),
        OSError(2, f"no {SECRET}", f"/{SECRET}"),
        FrozenError(SECRET),
        ExceptionGroup(f"all of {SECRET}", [ValueError(SECRET)]),
        validation_error(),
        with_note(),
        with_cause(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_exception_of_any_type_is_logged_without_secrets(caplog: pytest.LogCaptureFixture, error: Exception) -> None:
    logger.error("failed", exc_info=error)

    assert MASK in caplog.text
    assert PIECE not in caplog.text
    assert type(error).__name__ in caplog.text


def test_a_copy_is_of_the_same_type_and_has_the_traceback() -> None:
    with pytest.raises(OSError, match="1nvented") as caught:
        raise OSError(SECRET)

    copy = redacted_error(caught.value)

    assert isinstance(copy, OSError)
    assert str(copy) == MASK
    assert traceback.extract_tb(copy.__traceback__) == traceback.extract_tb(caught.value.__traceback__)


def test_exceptions_that_are_causes_of_each_other_are_redacted() -> None:
    first, second = ValueError(SECRET), ValueError(1, SECRET)
    first.__cause__, second.__cause__ = second, first

    copy = redacted_error(first)

    assert (str(copy), str(copy.__cause__)) == (MASK, f"(1, '{MASK}')")
