from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from devtools.platform_sandbox import CreatorKind, Fault, FaultKind
from devtools.platform_sandbox.__main__ import main

DOCUMENT = (Path(__file__).parents[3] / "docs" / "sandbox.md").read_text(encoding="utf-8")
FIRST_CELLS = re.findall(r"^\| `([^`]+)` \|", DOCUMENT, re.MULTILINE)


def test_the_documentation_has_a_row_for_every_fault() -> None:
    assert set(FaultKind) <= set(FIRST_CELLS)


def test_the_documentation_has_a_row_for_every_field_of_a_fault() -> None:
    assert {field.name for field in fields(Fault)} <= set(FIRST_CELLS)


def test_the_documentation_has_a_row_for_every_kind_of_creator() -> None:
    assert set(CreatorKind) <= set(FIRST_CELLS)


def test_the_documentation_has_a_row_for_every_option_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--help"}
    assert options
    assert options == {cell for cell in FIRST_CELLS if cell.startswith("--")}
