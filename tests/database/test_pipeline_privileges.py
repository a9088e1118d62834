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

PRIVILEGES = {
    # An update and a delete read the rows that they change; an insert reads only on a conflict and for its result.
    "SELECT": re.compile(
        rf"\b(?:from|join|using|update) {TABLE}|\binsert into {UPSERTED}[^;\"]*?\b(?:on conflict|returning)\b"
    ),
    **WRITES,
}

HOSTS_VIEWS = {"legacy_bloggers", "legacy_tracked_accounts", "legacy_videos", "legacy_statistics"}
"""Views of an earlier system, which the host creates and grants for the comparison with it."""

GRANTED = """
select table_name, privilege_type
from information_schema.role_table_grants
where grantee = 'blogger_pipeline' and table_schema = 'blogger_tracking'
"""

# A partition is read through its table, and dropped with its rows after it was counted.
PARTITIONS = """
select relname
from pg_catalog.pg_class
where relispartition and relnamespace = 'blogger_tracking'::regnamespace and relkind = 'r'
"""

EXECUTABLE = """
select proname
from pg_catalog.pg_proc
where pronamespace = 'blogger_tracking'::regnamespace
  and has_function_privilege('blogger_pipeline', oid, 'execute')
"""

USABLE_SEQUENCES = """
select sequencename
from pg_catalog.pg_sequences
where schemaname = 'blogger_tracking'
  and has_sequence_privilege(
      'blogger_pipeline', 'blogger_tracking.' || quote_ident(sequencename), 'usage, select, update'
  )
"""


def statements() -> list[str]:
    """Return the texts of the files with the pipeline's statements, without imports of modules."""
    files = [
        path
        for path in PACKAGE.rglob("*")
        if path.suffix in {".py", ".sql"} and path.name not in OWNERS_FILES and path.parent.name != "migrations"
    ]
    return [re.sub(r"^ *from \S+ import", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE) for path in files]


def needed_privileges() -> dict[str, set[str]]:
    """Return the privileges that the pipeline's statements need, by table."""
    # Each connection compares the applied migrations with the code.
    needed = defaultdict(set, {"schema_migrations": {"SELECT"}})
    for text in statements():
        for privilege, statement in PRIVILEGES.items():
            for found in statement.finditer(text):
                names = {each for each in found.groups() if each} - HOSTS_VIEWS
                for table in Queue if "{queue}" in names else names:
                    needed[str(table)].add(privilege)
    return needed


def test_the_pipeline_has_the_privileges_on_tables_that_its_statements_need_and_no_others(
    build: DatabaseBuilder,
) -> None:
    partitions = {name for (name,) in build.rows(PARTITIONS)}
    granted = defaultdict(set)
    for table, privilege in build.rows(GRANTED):
        if table not in partitions:
            granted[table].add(privilege)
    needed = needed_privileges()
    assert granted == {table: needed[table] for table in needed.keys() - partitions}


def test_the_pipeline_may_read_partitions_and_no_more(build: DatabaseBuilder) -> None:
    partitions = {name for (name,) in build.rows(PARTITIONS)}
    assert {(name, privilege) for name, privilege in build.rows(GRANTED) if name in partitions} == {
        (name, "SELECT") for name in partitions
    }


def test_the_pipeline_executes_the_functions_that_its_statements_call_and_no_others(build: DatabaseBuilder) -> None:
    called = {name for text in statements() for name in re.findall(r"\bblogger_tracking\.(\w+)\(", text)}
    assert {name for (name,) in build.rows(EXECUTABLE)} == called


def test_the_pipeline_sets_no_sequence(build: DatabaseBuilder) -> None:
    """Identity columns take their numbers without a privilege."""
    assert build.rows(USABLE_SEQUENCES) == []


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
    assert sorted(columns) == [
        ("organizations", "created_at"),
        ("run_accounts", "reason"),
        ("statistics_readers", "fetched_on"),
        ("youtube_units", "units"),
    ]


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
