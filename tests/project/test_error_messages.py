"""Messages of errors in the code, which the pages on operations and monitoring explain."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

import pytest

from devtools.local_stack.config import PROJECT_ROOT

PACKAGE = PROJECT_ROOT / "include" / "blogger_tracking"
PAGES = " ".join(
    (PROJECT_ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("operations.md", "monitoring.md")
)
LOGGING = {
    "logger": {"error", "exception", "critical", "log"},
    # Each warning of this logger is an event in Sentry.
    "alerts": {"warning"},
    "alerts_logger": {"warning"},
}
MODULES_THAT_PASS_TEXTS_ON = {
    "orchestration/error_reporting.py",  # The text of its caller.
    "usecases/fetch_blogger.py",  # Never an error: the figures of one fetch.
    "usecases/finish_run.py",  # A problem of the run, from domain/run_outcome.py.
    "usecases/watch_health.py",  # The message of an alert.
}

_PLACEHOLDER = re.compile(r"%(?:\.\d)?[a-z]")


def _is_reporting(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return function.attr in LOGGING.get(function.value.id, ())
    return isinstance(function, ast.Name) and function.id == "report_error"


def _texts_by_name(tree: ast.Module) -> dict[str, ast.expr]:
    assignments = [node for node in ast.walk(tree) if isinstance(node, ast.Assign)]
    return {target.id: each.value for each in assignments for target in each.targets if isinstance(target, ast.Name)}


def _constant_parts(argument: ast.expr, texts: Mapping[str, ast.expr]) -> list[str]:
    """Return the parts of two words or more between the placeholders of a text, or of the text that a name has."""
    if isinstance(argument, ast.Name):
        argument = texts.get(argument.id, argument)
    pieces = argument.values if isinstance(argument, ast.JoinedStr) else [argument]
    constants = [piece.value for piece in pieces if isinstance(piece, ast.Constant) and isinstance(piece.value, str)]
    parts = [_on_one_line(part) for constant in constants for part in _PLACEHOLDER.split(constant)]
    return [part for part in parts if " " in part]


def _on_one_line(text: str) -> str:
    return " ".join(text.split()).strip(" .,:;()")


def _find_messages() -> Iterator[tuple[str, str]]:
    """Yield the module and the longest constant part of each message; an empty part for a text from elsewhere."""
    for file in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        texts = _texts_by_name(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _is_reporting(node.func):
                found = (_constant_parts(argument, texts) for argument in node.args)
                yield file.relative_to(PACKAGE).as_posix(), max(next(filter(None, found), [""]), key=len)


MESSAGES = sorted(set(_find_messages()))


def test_the_messages_are_found() -> None:
    assert len(MESSAGES) > len(MODULES_THAT_PASS_TEXTS_ON) + 10


def test_only_some_modules_log_errors_without_a_text_of_their_own() -> None:
    assert {module for module, part in MESSAGES if not part} == MODULES_THAT_PASS_TEXTS_ON


@pytest.mark.parametrize("part", [part for _, part in MESSAGES if part])
def test_a_page_explains_the_very_message_of_an_error(part: str) -> None:
    assert part in _on_one_line(PAGES)
