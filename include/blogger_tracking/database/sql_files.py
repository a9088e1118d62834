"""SQL that stands in files beside the modules of this package."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import LiteralString

_HEADING = re.compile(r"^-- section: (.+)\n", re.MULTILINE)


@cache
def read_sql(name: str) -> LiteralString:
    """Return the text of a file, which is as much part of the code as a literal is."""
    return (files(__package__) / name).read_text(encoding="utf-8")


def read_sections(name: str) -> dict[str, LiteralString]:
    """Return the parts of a file by their headings `-- section: …`, in the order of the file."""
    _, *parts = _HEADING.split(read_sql(name))
    return dict(zip(parts[::2], parts[1::2], strict=True))


def split_statements(section: LiteralString) -> list[LiteralString]:
    """Return the statements of a text. Each ends with a semicolon at the end of its line."""
    return [statement for statement in section.split(";\n") if statement.strip()]
