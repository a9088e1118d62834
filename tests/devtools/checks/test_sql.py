from __future__ import annotations

from pathlib import Path

import pytest

from devtools.checks.sql import check_paths, main

_MODULE = '''"""A module."""

_SENTENCE = "update the plan"

_GOOD = """
with live as ({live})
select id
from {queue}
join live on live.live = {queue}.id
where id = any(%(ids)s::bigint[]) and moment < %s
"""

_BAD = """
select id
from videos
WHERE id = 1
"""
'''


def test_a_statement_in_python_is_found_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "statements.py"
    file.write_text(_MODULE)
    assert [(finding.line, finding.rule) for finding in check_paths([tmp_path])] == [(16, "CP01")]


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("SELECT id\nFROM videos\n", "CP01"),
        ("select id\nfrom videos v\n", "AL01"),
        ("select id\nfrom videos where\n", "PRS"),
        ("with unused as (\n    select 1 as one\n)\nselect id\nfrom videos\n", "ST03"),
    ],
)
def test_a_migration_is_checked_for_style_and_for_statements_that_do_not_parse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], sql: str, rule: str
) -> None:
    file = tmp_path / "20260101000000_migration.sql"
    file.write_text(sql)
    assert main([str(file)]) == 1
    assert rule in capsys.readouterr().out


def test_a_query_in_a_file_of_its_own_may_have_parameters_and_is_checked(tmp_path: Path) -> None:
    file = tmp_path / "query.sql"
    query = "select id\nfrom videos\nwhere id = any(%(ids)s::bigint[]) and title ~ '^a{1,2}%s$'\n"
    file.write_text(query)
    assert check_paths([file]) == []
    file.write_text(query.replace("where", "WHERE"))
    assert [(finding.line, finding.rule) for finding in check_paths([file])] == [(3, "CP01")]


def test_the_style_that_the_project_writes_is_accepted(tmp_path: Path) -> None:
    file = tmp_path / "20260101000000_migration.sql"
    file.write_text(
        "create table videos (\n    id bigint generated always as identity primary key,\n    name text not null\n);\n"
    )
    assert main([str(tmp_path)]) == 0
