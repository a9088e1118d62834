"""Use case: check and import the data of an earlier system, which the views `legacy_…` show."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import UUID

import psycopg
from psycopg import Connection

from blogger_tracking.database.connections import is_connection_lost
from blogger_tracking.database.legacy_import import (
    STEPS,
    ImportStep,
    ReportedRow,
    ViewCounts,
    count_outcomes,
    count_staged,
    drop_staged,
    import_batch,
    read_reported_rows,
    read_staged_months,
    require_own_rows,
    stage,
)
from blogger_tracking.database.legacy_views import find_problems
from blogger_tracking.database.long_transactions import long_transaction
from blogger_tracking.database.statistics_partitions import create_partition
from blogger_tracking.domain.errors import DatabaseStateError

BATCH_ROWS = 5_000
"""Largest number of rows of a view that one transaction imports."""

_LOST_CONFLICTS = 5
"""Number of times that a batch may lose a conflict with a live run before the import stops."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """Rows of each view by outcome, and every row that was not taken as it is, with the reason."""

    views: list[ViewCounts]
    rows: list[ReportedRow]


def check_legacy(connection: Connection) -> ImportReport:
    """Return what an import would do, having changed nothing.

    The connection must be that of the schema's owner, in autocommit mode.
    Raises DatabaseStateError if a view or a column is missing or has another type, a view cannot be read, or the
    connection is lost.
    """
    _require_views(connection)
    with (
        _explained(
            "The views legacy_… cannot be read.", "Nothing was changed.", "Correct the view that Postgres names"
        ),
        long_transaction(connection, "Nothing was changed.", force_rollback=True),
    ):
        stage(connection)
        return _read_report(connection)


def import_legacy(
    connection: Connection, progress: Callable[[str], None], batch_rows: int = BATCH_ROWS
) -> ImportReport:
    """Import what is new or changed in the views, and return what was done with each row.

    `progress` gets a line for each batch. An import that was interrupted at any point is continued by the next one.
    The connection must be that of the schema's owner, in autocommit mode.
    Raises DatabaseStateError as `check_legacy` does, or if a batch fails or another import has begun; the batches
    before are kept.
    """
    _require_views(connection)
    progress("Reading the views")
    with (
        _explained(
            "The views legacy_… cannot be read.", "Nothing was imported.", "Correct the view that Postgres names"
        ),
        long_transaction(connection, "Nothing was imported."),
    ):
        import_id = stage(connection)
        # In the same transaction: another import may replace the staged rows right after it.
        rows = count_staged(connection)
    _create_partitions(connection, import_id)
    for step in STEPS:
        for first in range(1, rows[step.view] + 1, batch_rows):
            last = min(first + batch_rows - 1, rows[step.view])
            _import_batch(connection, step, import_id, first, last)
            progress(f"{step.label}: {last:,} of {rows[step.view]:,} rows")
    with (
        _explained("There is no report.", "Everything was imported.", "Import again for a report"),
        long_transaction(connection, "Everything was imported, but there is no report."),
    ):
        require_own_rows(connection, import_id)
        report = _read_report(connection)
        drop_staged(connection)
    return report


def write_report(report: ImportReport, file: Path) -> None:
    """Write a report as JSON, one line for each row that was not taken as it is."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8") as output:
        output.write('{"views": ' + _lines(asdict(view) for view in report.views) + ",\n")
        output.write('"rows": ' + _lines(asdict(row) for row in report.rows) + "}\n")


def _lines(objects: Iterable[dict[str, object]]) -> str:
    return "[\n" + ",\n".join(json.dumps(each, ensure_ascii=False) for each in objects) + "\n]"


def _require_views(connection: Connection) -> None:
    problems = find_problems(connection)
    if problems:
        raise DatabaseStateError(
            "\n".join(problems) + "\nNothing was changed. `python -m blogger_tracking.cli legacy-views` (or "
            "`make legacy-views`) prints the template of the views: fit it to your tables and execute it."
        )


@contextmanager
def _explained(what: str, kept: str, remedy: str) -> Generator[None]:
    """Raise an error of Postgres as DatabaseStateError that says what happened, what was kept and what to do."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        remedy = "Connect as the owner of the schema, and grant that login select on what Postgres names"
        raise DatabaseStateError(f"{what} {kept} {remedy}: {str(error).strip()}") from error
    except psycopg.Error as error:
        if is_connection_lost(error):
            raise DatabaseStateError(
                f"The connection to the database was lost. {kept} Run the command again."
            ) from error
        raise DatabaseStateError(f"{what} {kept} {remedy}: {str(error).strip()}") from error


def _create_partitions(connection: Connection, import_id: UUID) -> None:
    """Create the partitions for the months of the staged statistics, which may be years old.

    The default partition takes the rows of a month whose partition cannot be created while the tables are in use.
    """
    with _explained(
        "The partitions for the statistics were not created.",
        "Nothing was imported.",
        "Remove the cause and import again. Postgres reports",
    ):
        with long_transaction(connection, "Nothing was imported."):
            require_own_rows(connection, import_id)
            months = read_staged_months(connection)
        for month in months:
            with suppress(psycopg.errors.LockNotAvailable):
                create_partition(connection, month)


def _import_batch(connection: Connection, step: ImportStep, import_id: UUID, first: int, last: int) -> None:
    with _explained(
        "A statement failed.",
        f"The import stopped at {step.label}, rows {first:,} to {last:,} of legacy_{step.view}. Everything before was "
        "kept.",
        "Remove the cause and import again: the import goes on there. Postgres reports",
    ):
        for _ in range(_LOST_CONFLICTS):
            try:
                return import_batch(connection, step, import_id, first, last)
            except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
                continue
        return import_batch(connection, step, import_id, first, last)


def _read_report(connection: Connection) -> ImportReport:
    return ImportReport(count_outcomes(connection), list(read_reported_rows(connection)))
