"""Log records and exceptions without secrets, whoever logs them."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from blogger_tracking.log_redaction import redact_exception, redact_log_records
from blogger_tracking.redaction import MASK, forget_secrets, remember_secret

SECRET = "Xk3y-0f-an-1nvented-pr0ject"  # noqa: S105 - invented
PIECE = SECRET[3:12]

logger = logging.getLogger("any.library")


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
        # More arguments than the text has places for: logging prints both.
        ("the key is wrong", (SECRET,)),
        ("%(key)s", ({"other": SECRET},)),
    ],
)
def test_no_record_has_a_secret(caplog: pytest.LogCaptureFixture, text: str, arguments: tuple[object, ...]) -> None:
    logger.warning(text, *arguments)

    [record] = caplog.records
    assert MASK in record.getMessage()
    assert PIECE.lower() not in caplog.text.lower()


def test_a_record_without_a_secret_keeps_its_text_and_arguments(caplog: pytest.LogCaptureFixture) -> None:
    logger.warning("%s of %s", 1, 2)

    [record] = caplog.records
    assert (record.msg, record.args) == ("%s of %s", (1, 2))


def failure(text: str) -> Exception:
    """Return an exception whose cause, members and arguments have the text, as those of HTTP clients do."""
    group = ExceptionGroup("all failed", [ValueError(text), RuntimeError(KeyError(text))])
    group.__cause__ = OSError(f"refused: {text}")
    return group


def test_a_record_of_an_exception_has_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    logger.error("failed", exc_info=failure(SECRET))

    assert "refused: ***" in caplog.text
    assert PIECE not in caplog.text


def test_exceptions_that_are_causes_of_each_other_are_redacted() -> None:
    first, second = ValueError(SECRET), ValueError(1, SECRET)
    first.__cause__, second.__cause__ = second, first

    redact_exception(first)

    assert (first.args, second.args) == ((MASK,), (1, MASK))
