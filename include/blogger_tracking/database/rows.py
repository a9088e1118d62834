"""Helpers that execute a statement and return one value, one row or all rows."""

from __future__ import annotations

from typing import Any, TypeVar

from psycopg import Connection
from psycopg.abc import Params, QueryNoTemplate
from psycopg.rows import class_row, scalar_row

Row = TypeVar("Row")


def fetch_value(connection: Connection[Any], query: QueryNoTemplate, parameters: Params | None = None) -> Any:  # noqa: ANN401 - the caller knows the column
    """Return the first column of the only row. Raises LookupError without a row."""
    return _only(fetch_values(connection, query, parameters))


def fetch_values(connection: Connection[Any], query: QueryNoTemplate, parameters: Params | None = None) -> list[Any]:
    """Return the first column of every row."""
    return connection.cursor(row_factory=scalar_row).execute(query, parameters).fetchall()


def fetch_one(
    connection: Connection[Any], row_type: type[Row], query: QueryNoTemplate, parameters: Params | None = None
) -> Row:
    """Return the only row as a `row_type`, its fields named like the columns. Raises LookupError without a row."""
    return _only(fetch_all(connection, row_type, query, parameters))


def fetch_optional(
    connection: Connection[Any], row_type: type[Row], query: QueryNoTemplate, parameters: Params | None = None
) -> Row | None:
    """Return the first row as a `row_type`, or None without a row."""
    return connection.cursor(row_factory=class_row(row_type)).execute(query, parameters).fetchone()


def fetch_all(
    connection: Connection[Any], row_type: type[Row], query: QueryNoTemplate, parameters: Params | None = None
) -> list[Row]:
    """Return every row as a `row_type`, whose fields are named like the columns."""
    return connection.cursor(row_factory=class_row(row_type)).execute(query, parameters).fetchall()


def _only(rows: list[Row]) -> Row:
    if not rows:
        raise LookupError("The statement returned no row, but one row was expected.")
    return rows[0]
