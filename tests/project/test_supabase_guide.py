"""The SQL statements of the guide to Supabase, executed against the current schema."""

from __future__ import annotations

import re
from uuid import UUID

import psycopg

from devtools.local_stack.config import PROJECT_ROOT
from tests.support.row_security import signed_in

PAGE = (PROJECT_ROOT / "docs" / "supabase.md").read_text(encoding="utf-8")
STATEMENTS = [
    statement
    for block in re.findall(r"^```sql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    for statement in re.findall(r"[^;]+;", block)
]
MEMBER_STATEMENTS = [statement for statement in STATEMENTS if statement.startswith("--")]


def test_every_statement_of_the_owner_runs(admin: psycopg.Connection) -> None:
    with admin.transaction(force_rollback=True):
        for statement in STATEMENTS:
            # The server of the tests has a login of the guide's name already.
            admin.execute(statement.replace("pipeline_login", "another_login").encode())
        login = admin.execute("select rolconfig, rolcanlogin from pg_roles where rolname = 'another_login'")
        assert login.fetchone() == (["statement_timeout=60s", "idle_in_transaction_session_timeout=60s"], True)


def test_every_query_of_a_member_runs_as_a_member(admin: psycopg.Connection) -> None:
    assert len(MEMBER_STATEMENTS) == 6
    for statement in MEMBER_STATEMENTS:
        with signed_in(admin, UUID(int=1)) as member:
            assert member.execute(statement.encode()).fetchall() == []
