"""The pipeline's login may do what the statements of the package do, and no more."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import psycopg
import pytest
from psycopg_pool import ConnectionPool

import blogger_tracking
from blogger_tracking.domain.queues import Queue
from tests.support.database_builder import DatabaseBuilder

PACKAGE = Path(blogger_tracking.__file__).parent

OWNERS_FILES = {
    "legacy_import.py",
    "legacy_import.sql",
    "legacy_staging.sql",
    "legacy_views.py",
    "legacy_views.sql",
    "migrate.py",
    "removals.py",
    "schema.sql",
    "schema_checks.py",
    "supabase_stand_ins.sql",
    "uninstall.py",
}
"""Files whose statements the owner of the schema executes: migrations, imports, the removal, remedies of the doctor."""

TABLE = r"(?:blogger_tracking\.(?P<table>\w+)|(?P<queue>\{queue\}))"

UPSERTED = TABLE.replace("?P<", "?P<upserted_")

WRITES = {
    "INSERT": re.compile(rf"\binsert into {TABLE}"),
    "UPDATE": re.compile(rf"\bupdate {TABLE}|\binsert into {UPSERTED}[^;\"]*?\bdo update\b"),
    "DELETE": re.compile(rf"\bdelete from {TABLE}"),
}

GRANTED = """
select table_name, privilege_type
from information_schema.role_table_grants
where grantee = 'blogger_pipeline' and table_schema = 'blogger_tracking' and privilege_type <> 'SELECT'
"""


def written_tables() -> dict[str, set[str]]:
    """Return the privileges that the pipeline's statements need, by table."""
    needed = defaultdict(set)
    files = [path for path in PACKAGE.rglob("*") if path.suffix in {".py", ".sql"} and path.name not in OWNERS_FILES]
    for path in files:
        if path.parent.name == "migrations":
            continue
        text = path.read_text(encoding="utf-8")
        for privilege, statement in WRITES.items():
            for found in statement.finditer(text):
                names = {each for each in found.groups() if each}
                for table in Queue if "{queue}" in names else names:
                    needed[str(table)].add(privilege)
    return needed


def test_the_pipeline_has_the_privileges_to_write_that_its_statements_need_and_no_others(
    build: DatabaseBuilder,
) -> None:
    granted = defaultdict(set)
    for table, privilege in build.rows(GRANTED):
        granted[table].add(privilege)
    assert granted == written_tables()


def test_the_pipeline_may_update_one_column_of_rows_that_it_only_locks(build: DatabaseBuilder) -> None:
    columns = build.rows(
        """
        select table_name, column_name
        from information_schema.role_column_grants as columns
        where grantee = 'blogger_pipeline' and table_schema = 'blogger_tracking' and privilege_type = 'UPDATE'
          and not exists (
              select
              from information_schema.role_table_grants as tables
              where tables.grantee = columns.grantee
                and tables.table_schema = columns.table_schema
                and tables.table_name = columns.table_name
                and tables.privilege_type = 'UPDATE'
          )
        """
    )
    assert sorted(columns) == [("organizations", "created_at"), ("run_accounts", "reason"), ("youtube_units", "units")]


@pytest.mark.parametrize(
    "statement",
    [
        "update blogger_tracking.organization_members set role = 'owner'",
        "insert into blogger_tracking.organization_members values (gen_random_uuid(), gen_random_uuid(), 'owner')",
        "update blogger_tracking.subscriptions set video_limit = 1000000",
        "delete from blogger_tracking.subscription_changes",
        "update blogger_tracking.organizations set name = 'other'",
        "delete from blogger_tracking.tracked_accounts",
        "delete from blogger_tracking.video_statistics_default",
        "delete from blogger_tracking.videos",
        "delete from blogger_tracking.pipeline_canary",
        "truncate blogger_tracking.video_statistics",
    ],
)
def test_the_pipeline_cannot_write_what_the_code_never_writes(
    build: DatabaseBuilder, pool: ConnectionPool, statement: str
) -> None:
    build.track(build.organization())
    with pool.connection() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())
