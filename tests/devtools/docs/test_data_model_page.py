"""The page of the data model, which is generated from the schema and compared with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from psycopg import Connection

from devtools.docs import data_model_page
from tests.support.database_builder import DatabaseBuilder

LEDGER_TABLES = ("runs", "run_accounts", "fetches", "fetch_allocations", "fetch_attempts", "platform_suspensions")


def test_the_page_in_docs_is_that_of_the_migrations() -> None:
    assert data_model_page.main(["--check"]) == 0


def test_a_page_that_differs_fails_the_check_and_is_written_without_the_option(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "data-model.md"
    page.write_text("# Another page\n")
    monkeypatch.setattr(data_model_page, "PAGE", page)
    assert data_model_page.main(["--check"]) == 1
    assert "make docs" in capsys.readouterr().err
    assert page.read_text() == "# Another page\n"
    assert data_model_page.main([]) == 0
    assert page.read_text() == (data_model_page.ROOT / "docs" / "data-model.md").read_text()


def test_tables_columns_comments_and_references_are_on_the_page(admin: Connection, build: DatabaseBuilder) -> None:
    build.run("create table fetch_notes (fetch_id bigint not null references fetches (id), note text[])")
    build.run("comment on table fetch_notes is 'Notes on a fetch.'")
    build.run("comment on column fetch_notes.note is 'One note a line.'")
    page = data_model_page.read_page(admin)
    assert "    fetch_notes {\n        bigint fetch_id\n        text[] note\n    }" in page
    assert '    "fetches" ||--o{ fetch_notes : "fetch_id"' in page
    assert "### fetch_notes\n\nNotes on a fetch.\n" in page
    assert "| `fetch_id` | bigint | → fetches |  |\n| `note` | text[] or null |  | One note a line. |" in page


def test_a_composite_key_is_one_reference_and_a_nullable_one_is_optional(admin: Connection) -> None:
    page = data_model_page.read_page(admin)
    assert '"subscription_usage" ||--o{ fetch_allocations : "organization_id, period_start"' in page
    assert '"fetch_attempts" |o--o{ fetches : "id, conclusive_attempt_id"' in page


@pytest.mark.parametrize("table", LEDGER_TABLES)
def test_every_table_of_the_ledger_has_a_comment(build: DatabaseBuilder, table: str) -> None:
    assert build.value("select obj_description(%(table)s::text::regclass, 'pg_class')", table=table)
