"""The SQL statements of the pages on operations and on moving in, executed against the current schema."""

from __future__ import annotations

import re
import textwrap
from datetime import timedelta

import psycopg
import pytest

from blogger_tracking.domain.ledger import SkipReason
from devtools.local_stack.config import PROJECT_ROOT
from tests.support.database_builder import DatabaseBuilder

PAGE = (PROJECT_ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
MOVING_IN = (PROJECT_ROOT / "docs" / "moving-in.md").read_text(encoding="utf-8")


def statements(page: str) -> list[str]:
    """Return the SQL statements of a page, without indentation."""
    return [textwrap.dedent(found) for found in re.findall(r"^ *```sql\n(.*?)^ *```$", page, re.MULTILINE | re.DOTALL)]


STATEMENTS = statements(PAGE)
# The server of the tests has the login already; the page on Supabase, which another test executes, creates it as well.
STATEMENTS_OF_MOVING_IN = [statement for statement in statements(MOVING_IN) if "create role" not in statement]


def test_there_are_statements() -> None:
    assert len(STATEMENTS) > 5
    assert len(STATEMENTS_OF_MOVING_IN) == 3


def test_an_organization_without_a_current_subscription_is_found_after_an_import(
    admin: psycopg.Connection, build: DatabaseBuilder
) -> None:
    build.organization()
    without = build.organization(video_limit=None)
    lapsed = build.organization(video_limit=None)
    build.subscription(lapsed, starts=timedelta(days=-40), ends=timedelta(days=-10))
    (query,) = [statement for statement in STATEMENTS_OF_MOVING_IN if "last_period_end" in statement]

    assert [row[0] for row in admin.execute(query.encode())] == [without, lapsed]


def test_the_section_on_retention_names_every_table(admin: psycopg.Connection) -> None:
    (section,) = re.findall(r"^## Retention\n(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)
    named = {name for row in re.findall(r"^\| (.*?) \|", section, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    tables = admin.execute(
        """
        select relname
        from pg_class
        where relnamespace = 'blogger_tracking'::regnamespace and relkind in ('r', 'p') and not relispartition
        """
    ).fetchall()
    assert {table for (table,) in tables} - named == set()


@pytest.mark.parametrize("reason", SkipReason)
def test_every_reason_to_skip_an_account_is_explained(reason: SkipReason) -> None:
    assert f"`{reason}`" in PAGE
