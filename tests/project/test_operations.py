"""The SQL statements of the operations page, executed against the current schema."""

from __future__ import annotations

import re

import psycopg
import pytest

from blogger_tracking.domain.ledger import SkipReason
from devtools.local_stack.config import PROJECT_ROOT

PAGE = (PROJECT_ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
STATEMENTS = re.findall(r"^```sql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: " ".join(statement.split())[:50])
def test_every_statement_runs(admin: psycopg.Connection, statement: str) -> None:
    # The tests' login has the name that the page uses as an example.
    admin.execute(statement.encode())


def test_there_are_statements() -> None:
    assert len(STATEMENTS) > 5


@pytest.mark.parametrize("reason", SkipReason)
def test_every_reason_to_skip_an_account_is_explained(reason: SkipReason) -> None:
    assert f"`{reason}`" in PAGE
