"""Check the language of the project: `python -m devtools.checks.prose FOLDER_OR_FILE ...`.

A program can check two rules of CONTRIBUTING.md ("Language"): no docstring begins with a question word, and no file
uses a word that `docs/glossary.md` replaces by another word.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

QUESTION_WORDS = frozenset({"what", "which", "who", "whose", "whom", "how", "whether", "when", "where", "why", "until"})

REPLACED_WORDS: dict[str, str] = {
    r"wish(es|ed)?": "pending initial fetch",
    r"hand(s|ed|ing)? over|hand_over\w*|handed_over": "dispatch",
    r"understood(_state)?": "conclusive",
    r"request_paces": "rate_limits",
    r"spent_until": "next_free_at",
    r"paces?": "rate limit",
    r"pictures?": "thumbnail",
    r"verdicts?": "run outcome",
    r"left alone": "suspended",
    r"circumstances": "planning constraints",
    r"held[ _]lines": "log buffer",
    r"(HTTP )?surface": "HTTP API",
    r"owner_run_id": "owner_dag_run_id",
    r"quota_gone": "quota_exceeded",
}
"""A pattern of each replaced word (any case), and the word to use; `docs/glossary.md` has the same table."""

_REPLACED = re.compile(rf"\b(?:{'|'.join(REPLACED_WORDS)})\b", re.IGNORECASE)
_SUFFIXES = frozenset({".md", ".py", ".sql", ".toml", ".yml"})
_ROOT = Path(__file__).parents[2]
# The files that list the replaced words.
_EXEMPT = frozenset(
    _ROOT / file for file in ("devtools/checks/prose.py", "docs/glossary.md", "tests/devtools/checks/test_prose.py")
)


@dataclass(frozen=True, slots=True)
class Finding:
    """Place and message of a broken rule."""

    file: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


def check_file(file: Path) -> Iterator[Finding]:
    """Yield the findings of one file."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".py":
        yield from _question_words(file, ast.parse(text))
    for number, line in enumerate(text.splitlines(), start=1):
        for word, better in replaced_words(line):
            yield Finding(file, number, f"say {better!r} instead of {word!r}")


def replaced_words(text: str) -> Iterator[tuple[str, str]]:
    """Yield every replaced word of the text with the word to use."""
    for match in _REPLACED.finditer(text):
        word = match.group()
        better = next(better for old, better in REPLACED_WORDS.items() if re.fullmatch(old, word, re.IGNORECASE))
        yield word, better


def check_paths(paths: Sequence[Path]) -> list[Finding]:
    """Return the findings of all files at and below the paths, installed packages of npm apart."""
    files = [file for path in paths for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    return [
        finding
        for file in files
        if file.suffix in _SUFFIXES and file.resolve() not in _EXEMPT and file.is_file()
        if "node_modules" not in file.parts
        for finding in check_file(file)
    ]


def _question_words(file: Path, tree: ast.Module) -> Iterator[Finding]:
    for node in ast.walk(tree):
        # A string that stands alone is a docstring, or the description of the constant above the string.
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            words = node.value.value.split(maxsplit=1)
            if words and words[0].strip("`'\",:").lower() in QUESTION_WORDS:
                yield Finding(file, node.lineno, f"a docstring begins with {words[0]!r}; begin with a verb or a noun")


def main(arguments: Sequence[str]) -> int:
    """Print the findings and return 1 if there are any."""
    findings = check_paths([Path(argument) for argument in arguments])
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
