"""The walkthrough names files, functions and tables that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.support.database_builder import DatabaseBuilder

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "include" / "blogger_tracking"
WALKTHROUGH = (ROOT / "docs" / "walkthrough.md").read_text(encoding="utf-8")

CODE = sorted(set(re.findall(r"`([\w/.]+\.py)(?:::([\w.]+))?`", WALKTHROUGH)))
WRITTEN = sorted({
    name
    for row in re.findall(r"^\|.*\|$", WALKTHROUGH, flags=re.MULTILINE)
    for name in re.findall(r"`([\w.]+)`", row.split("|")[3])
})


def defined_names(file: Path) -> set[str]:
    """Return the functions and classes of a file, and its methods as `Class.method`."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    top_level = [node for node in ast.parse(file.read_text(encoding="utf-8")).body if isinstance(node, kinds)]
    methods = {
        f"{node.name}.{method.name}"
        for node in top_level
        if isinstance(node, ast.ClassDef)
        for method in node.body
        if isinstance(method, kinds)
    }
    return methods | {node.name for node in top_level}


def test_the_walkthrough_names_code_and_tables() -> None:
    assert len(CODE) > 30
    assert len(WRITTEN) > 15


@pytest.mark.parametrize(("path", "name"), CODE)
def test_a_named_function_is_defined_in_the_named_file(path: str, name: str) -> None:
    file = ROOT / path if path.startswith("dags/") else PACKAGE / path
    assert file.is_file(), f"docs/walkthrough.md names {path}, which does not exist"
    if name:
        assert name in defined_names(file), f"docs/walkthrough.md names {path}::{name}, which does not exist"


def test_a_named_table_or_column_exists(build: DatabaseBuilder) -> None:
    for name in WRITTEN:
        table, _, column = name.partition(".")
        assert build.value("select to_regclass(%(table)s) is not null", table=table), name
        found = build.value(
            "select count(*) from information_schema.columns where table_name = %(table)s and column_name = %(column)s",
            table=table,
            column=column,
        )
        assert not column or found == 1, name
