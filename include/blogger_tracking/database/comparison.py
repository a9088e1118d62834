"""Comparison of the earlier system, read through the views `legacy_…`, with this schema.

The files `comparison_….sql` have the queries. All only read.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import Connection
from psycopg.rows import class_row

from blogger_tracking.database.connections import is_connection_lost
from blogger_tracking.database.legacy_views import find_problems
from blogger_tracking.database.long_transactions import long_transaction
from blogger_tracking.database.rows import fetch_one, fetch_values
from blogger_tracking.database.sql_files import read_sql
from blogger_tracking.domain.comparison import DATE_TOLERANCE, SMALLEST_COUNT_DIFFERENCE, Window
from blogger_tracking.domain.errors import DatabaseStateError
from blogger_tracking.domain.models import Platform

VIEWS: Mapping[str, Collection[str]] = {
    "bloggers": ("id", "platform", "username", "external_id"),
    "tracked_accounts": ("id", "blogger_id", "is_active", "last_scraped_at"),
    "videos": ("id", "platform", "external_video_id", "blogger_id", "url", "published_at"),
    "statistics": ("video_id", "captured_at", "views", "likes", "comments", "reposts"),
}
"""Views `legacy_…` of the earlier system that a comparison reads, with the columns."""

_ROWS_PER_ROUND_TRIP = 1000

_UNREADABLE = """
select 'legacy_' || view.name
from unnest(%(views)s::text[]) as view (name)
where not has_table_privilege('blogger_tracking.legacy_' || view.name, 'select')
"""

# A text of a date depends on these settings.
_PREPARE = """
select
    set_config('timezone', 'UTC', true),
    set_config('datestyle', 'ISO, YMD', true),
    set_config('statement_timeout', '0', true)
"""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Numbers of rows of the earlier system that cannot be compared."""

    bloggers_of_unknown_platforms: int
    videos_of_unknown_platforms: int
    videos_without_id: int
    unreadable_dates: int


@dataclass(frozen=True, slots=True)
class ComparedBlogger:
    """A blogger of either system. `blogger_id` is None for old videos without a blogger.

    `differences` has a dictionary per difference: kind, external_video_id, reason, detail, old, new.
    """

    blogger_id: UUID | None
    platform: str
    username: str
    is_tracked_by_old: bool
    is_tracked_by_own: bool
    videos_of_both: int
    videos_with_counts: int
    differences: list[dict[str, str | None]]


@dataclass(frozen=True, slots=True)
class UnexplainedCount:
    """A count of one system outside of the counts of the other system before (`lowest`) and after (`highest`)."""

    platform: str
    blogger_id: UUID
    external_video_id: str
    counter: str
    is_own: bool
    captured_at: datetime
    count: int
    lowest: int | None
    highest: int | None


def require_views(connection: Connection) -> None:
    """Raise DatabaseStateError, which names the remedy, unless the login can read every view of the earlier system."""
    problems = find_problems(connection, VIEWS)
    if problems:
        raise DatabaseStateError(
            "\n".join(problems)
            + "\nNothing was compared. `make legacy-views` prints the template of the views: fit it "
            "to the old tables and run it as the owner of the schema."
        )
    unreadable = [f"blogger_tracking.{name}" for name in fetch_values(connection, _UNREADABLE, {"views": list(VIEWS)})]
    if unreadable:
        raise DatabaseStateError(
            f"This login may not read {', '.join(unreadable)}. Nothing was compared. Run, as the owner of the schema: "
            f"grant select on {', '.join(unreadable)} to blogger_pipeline"
        )


@contextmanager
def comparing(connection: Connection) -> Generator[None]:
    """Read in one snapshot that permits no writing, with dates without a zone in UTC and no limit of time.

    Raises DatabaseStateError for a view that the database cannot read, and for a connection that is lost.
    """
    try:
        with long_transaction(connection, "Nothing was compared."):
            connection.execute("set transaction isolation level repeatable read, read only")
            connection.execute(_PREPARE)
            yield
    except psycopg.errors.InsufficientPrivilege as error:
        raise DatabaseStateError(
            f"A view of the earlier system reads a table that this login may not read: {error.diag.message_primary}. "
            "Nothing was compared. Create the views without security_invoker, or grant blogger_pipeline select on that "
            "table."
        ) from None
    except psycopg.Error as error:
        if is_connection_lost(error):
            raise DatabaseStateError(
                "The connection to the database was lost. Nothing was compared. Run the command again."
            ) from error
        raise DatabaseStateError(
            "The views of the earlier system cannot be compared. Nothing was compared. Correct the view that Postgres "
            f"names: {str(error).strip()}"
        ) from error


def count_left_out(connection: Connection) -> LeftOut:
    """Count the rows of the earlier system that cannot be compared."""
    spellings = [platform.lower() for platform in Platform]
    return fetch_one(connection, LeftOut, read_sql("comparison_left_out.sql"), {"platforms": spellings})


def read_bloggers(connection: Connection, window: Window) -> Iterator[ComparedBlogger]:
    """Yield every blogger of either system, by platform and name. Must run within `comparing`."""
    parameters = _window(window) | {"date_tolerance": DATE_TOLERANCE}
    return _stream(connection, ComparedBlogger, "comparison_bloggers.sql", parameters)


def read_unexplained_counts(connection: Connection, window: Window, tolerance: float) -> Iterator[UnexplainedCount]:
    """Yield one count per video and counter that growth does not explain. Must run within `comparing`.

    `tolerance` is a share of the count.
    """
    parameters = _window(window) | {"tolerance": tolerance, "smallest": SMALLEST_COUNT_DIFFERENCE}
    return _stream(connection, UnexplainedCount, "comparison_counts.sql", parameters)


def _window(window: Window) -> dict[str, Any]:
    return {"since": window.since, "until": window.until, "platforms": list(Platform)}


def _stream(connection: Connection, row_type: type[Any], file: str, parameters: Mapping[str, Any]) -> Iterator[Any]:
    # A cursor of the server: the rows of a large fleet stay there until they are read.
    with connection.cursor(name="comparison", row_factory=class_row(row_type)) as cursor:
        cursor.itersize = _ROWS_PER_ROUND_TRIP
        yield from cursor.execute(read_sql(file), parameters)
