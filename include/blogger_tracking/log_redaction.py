"""Redaction of secrets in log records, of the project and of every library that logs through Python's `logging`."""

from __future__ import annotations

import logging
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


def redacted_error(error: BaseException) -> BaseException:
    """Return the exception itself, or a copy without secrets if its text, its notes or those of its causes have any.

    The copy has the traceback and the type of the exception, or a type of the same name if there can be no copy of the
    type. It has the text alone: no arguments and no attributes.
    """
    return _redacted_error(error, {})


def _redacted(record: logging.LogRecord) -> logging.LogRecord:
    message = _message(record)
    redacted = redact(message)
    if redacted != message:
        record.msg, record.args = redacted, ()
    if isinstance(record.exc_info, tuple) and record.exc_info[1] is not None:
        error = redacted_error(record.exc_info[1])
        record.exc_info = (type(error), error, record.exc_info[2])
    return record


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - the arguments' own code is executed, and the caller only wanted to log
        # `logging` would print the arguments that it cannot put into the text.
        record.msg, record.args = f"A log record without its arguments: {record.msg}", ()
        return str(record.msg)


def _redacted_error(error: BaseException, copies: dict[int, BaseException]) -> BaseException:
    """Return the exception or its copy. `copies` has the results so far, because causes may be circular."""
    if id(error) in copies:
        return copies[id(error)]
    text, notes = _text(error), [str(note) for note in getattr(error, "__notes__", ())]
    copy = _copy(error, redact(text), notes)
    copies[id(error)] = copy
    causes = [each and _redacted_error(each, copies) for each in (error.__cause__, error.__context__)]
    unchanged = redact(text) == text and [redact(note) for note in notes] == notes
    if unchanged and causes == [error.__cause__, error.__context__]:
        copies[id(error)] = error
        return error
    copy.__cause__, copy.__context__ = causes
    copy.__suppress_context__ = error.__suppress_context__
    return copy.with_traceback(error.__traceback__)


def _text(error: BaseException) -> str:
    try:
        if isinstance(error, BaseExceptionGroup):
            return f"{error}: {'; '.join(f'{type(each).__name__}: {_text(each)}' for each in error.exceptions)}"
        return str(error)
    except Exception:  # noqa: BLE001 - the exception's own code is executed
        return "an exception without a text"


def _copy(error: BaseException, text: str, notes: list[str]) -> BaseException:
    kind = type(error)
    methods = {"__str__": lambda _: text, "__repr__": lambda _: f"{kind.__name__}({text!r})"}
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    try:
        copied_type: type[BaseException] = type(kind.__name__, (kind,), {**methods, **names})
        # Without `__init__`, which may need any arguments.
        copy = copied_type.__new__(copied_type)
    except TypeError:
        # A final type, or one that cannot be without arguments, as a group.
        copy = type(kind.__name__, (Exception,), {**methods, **names})()
    for note in notes:
        copy.add_note(redact(note))
    return copy
