"""Redaction of secrets in log records, of the project and of every library that logs through Python's `logging`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cache

from blogger_tracking.redaction import redact


@cache
def redact_log_records() -> None:
    """Redact every log record of this process from now on: its text, and the texts of its exception.

    Filters would have to be added to each handler, and Airflow replaces the handlers when a task begins. All records
    are made by the one factory.
    """
    make_record = logging.getLogRecordFactory()

    def make_redacted_record(*arguments: object, **options: object) -> logging.LogRecord:
        return _redacted(make_record(*arguments, **options))

    logging.setLogRecordFactory(make_redacted_record)


def redact_exception(error: BaseException) -> None:
    """Remove secrets from the arguments of an exception, of its causes and members, and of exceptions among these.

    An exception's text is made of its arguments; that of an exception group alone cannot be changed.
    """
    for each in _with_causes(error, set()):
        each.args = tuple(redact(argument) if isinstance(argument, str) else argument for argument in each.args)


def _redacted(record: logging.LogRecord) -> logging.LogRecord:
    try:
        message = record.getMessage()
    except (TypeError, ValueError, KeyError):
        # `logging` would print the arguments that do not fit the text.
        message = f"{record.msg} {record.args}"
        record.msg, record.args = message, ()
    redacted = redact(message)
    if redacted != message:
        record.msg, record.args = redacted, ()
    if record.exc_info and record.exc_info[1]:
        redact_exception(record.exc_info[1])
    return record


def _with_causes(error: BaseException, seen: set[int]) -> Iterator[BaseException]:
    if id(error) in seen:
        return
    seen.add(id(error))
    yield error
    members = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    for other in (error.__cause__, error.__context__, *members, *error.args):
        if isinstance(other, BaseException):
            yield from _with_causes(other, seen)
