"""Every SQL statement that a page of the documentation prints, executed against the current schema."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from devtools.local_stack.config import PROJECT_ROOT

_BLOCK = re.compile(r"^ *```sql\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_PAGES = sorted(
    page
    for page in (*PROJECT_ROOT.glob("*.md"), *(PROJECT_ROOT / "docs").rglob("*.md"))
    if _BLOCK.search(page.read_text(encoding="utf-8"))
)


def test_there_are_pages_with_statements() -> None:
    assert len(_PAGES) > 3


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_the_statements_of_a_page_run_one_after_the_other(admin: psycopg.Connection, page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    if "create role pipeline_login" in text:
        # The server of the tests has a login of this name already.
        text = text.replace("pipeline_login", "another_login")
    with admin.transaction(force_rollback=True):
        for block in _BLOCK.findall(text):
            admin.execute(block.encode())
