"""Check SQL where it stands: `python -m devtools.checks.sql FOLDER_OR_FILE ...`.

Lints `.sql` files and the statements in string literals of Python files with sqlfluff; pyproject.toml has its rules.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlfluff.core import FluffConfig, Linter

_SUFFIXES = frozenset({".py", ".sql"})
_STATEMENT = re.compile(r"\s*(select|insert into|update|delete from|with)\s")
_NAMED_PARAMETER = re.compile(r"%\((\w+)\)s")
_PARAMETER = re.compile(r"%\((\w+)\)s|%s|(?<=as \()\{(\w+)\}(?=\))|\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Statement:
    """A piece of SQL and the line of the file on which its text begins."""

    file: Path
    line: int
    sql: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken rule and its place."""

    file: Path
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.rule} {self.message}"


def read_statements(file: Path) -> Iterator[Statement]:
    """Yield the SQL of a file: the whole text of a `.sql` file, the statements in strings of a Python file."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".sql":
        yield Statement(file, 1, text)
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _is_statement(node.value):
            blank_lines = len(node.value) - len(node.value.lstrip("\n"))
            yield Statement(file, node.lineno + blank_lines, f"{node.value.strip()}\n")


def lint(linter: Linter, statement: Statement) -> Iterator[Finding]:
    """Yield the findings of a statement, with the line numbers of its file."""
    # In a `.sql` file, braces and `%s` belong to SQL: to regular expressions, and to the function format().
    if statement.file.suffix == ".sql":
        sql = _NAMED_PARAMETER.sub(r"'\1'", statement.sql)
    else:
        sql = _PARAMETER.sub(_stand_in, statement.sql)
    for violation in linter.lint_string(sql, fname=str(statement.file)).get_violations():
        line = statement.line + violation.line_no - 1
        yield Finding(statement.file, line, violation.rule_code(), violation.desc())


def check_paths(paths: Sequence[Path]) -> list[Finding]:
    """Return the findings of all files at and below the paths."""
    linter = Linter(config=FluffConfig.from_root())
    files = [file for path in paths for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    return [
        finding
        for file in files
        if file.suffix in _SUFFIXES
        for statement in read_statements(file)
        for finding in lint(linter, statement)
    ]


def _is_statement(text: str) -> bool:
    # A sentence may begin with a word of SQL, too; a statement of one line has no layout to check.
    return "\n" in text.strip() and _STATEMENT.match(text) is not None


def _stand_in(placeholder: re.Match[str]) -> str:
    """Return SQL that parses where a parameter of psycopg, a composed query or a composed identifier stands."""
    parameter, query, identifier = placeholder.groups()
    if query:
        return f"select 1 as {query}"
    return str(identifier) if identifier else f"'{parameter}'"


def main(arguments: Sequence[str]) -> int:
    """Print the findings and return 1 if there are any."""
    findings = check_paths([Path(argument) for argument in arguments])
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
