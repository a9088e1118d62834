"""Import of the rows of the views `legacy_…`: legacy_staging.sql reads them, legacy_import.sql brings them over.

Every row is staged before the first is imported. The staged rows are in unlogged tables `staged_<view>`, because
several transactions read them; the last one drops the tables. The next import replaces what a killed import has left.

Statistics need a fetch. Those of the earlier system belong to runs of the deployment `imported`: the first statistics
of a video on a day to the run `<day>#1`, the second to `<day>#2`, and so on, with one fetch per blogger and run. These
fetches have neither allocations nor attempts, so nothing is charged for them. Imported links of videos to organizations
have no fetch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID, uuid4

import psycopg
from psycopg import Connection, sql
from psycopg.rows import class_row

from blogger_tracking.database.legacy_views import COLUMNS
from blogger_tracking.database.long_transactions import long_transaction
from blogger_tracking.database.rows import fetch_one, fetch_value, fetch_values
from blogger_tracking.database.sql_files import read_sections, split_statements
from blogger_tracking.domain.errors import DatabaseStateError
from blogger_tracking.domain.retention import Month, month_of


@dataclass(frozen=True, slots=True)
class ViewCounts:
    """Rows of a view by outcome; `read` is the sum of the other numbers. `adjusted` rows are among the others."""

    view: str
    read: int
    imported: int
    unchanged: int
    merged: int
    left_out: int
    adjusted: int


@dataclass(frozen=True, slots=True)
class ReportedRow:
    """A row of a view that was not taken as it is: left out, merged into another row, or taken with a change.

    `kept_id` is the id here that stands for a merged blogger or tracked account.
    """

    view: str
    key: str
    outcome: str
    reason: str
    kept_id: str | None


@dataclass(frozen=True, slots=True)
class ImportStep:
    """Statements that are executed together for each batch of the rows of a staged view.

    `records` is True if `imported_rows` has a row for each staged row, and legacy_staging.sql knows the id here.
    """

    view: str
    label: str
    records: bool = False

    @property
    def statements(self) -> list[LiteralString]:
        """The statements of the section that has the label of the step."""
        return split_statements(read_sections("legacy_import.sql")[self.label])


STEPS = (
    ImportStep("organizations", "organizations", records=True),
    ImportStep("members", "members", records=True),
    ImportStep("subscriptions", "subscriptions", records=True),
    ImportStep("bloggers", "bloggers", records=True),
    ImportStep("tracked_accounts", "tracked accounts", records=True),
    ImportStep("tags", "tags"),
    ImportStep("campaigns", "campaigns"),
    ImportStep("videos", "videos"),
    ImportStep("statistics", "statistics"),
    ImportStep("videos", "messages for statistics and thumbnails"),
)
"""The steps of an import in their order: each needs the rows of earlier ones."""

_INDEXES: Mapping[str, tuple[str, ...]] = {"bloggers": ("id",), "videos": ("id", "blogger_id")}
"""Columns by which later queries join the staged rows of a view."""

# A text of a date depends on these settings, and the checksum of a row on such texts. Hosted databases end statements
# after some minutes; reading all statistics may take longer. Without `row_security`, rows that a policy hides from the
# owner of the views are an error instead of missing.
_PREPARE_STAGING = """
select
    pg_advisory_xact_lock(hashtextextended('blogger_tracking.import', 0)),
    set_config('timezone', 'UTC', true),
    set_config('datestyle', 'ISO, YMD', true),
    set_config('statement_timeout', '0', true),
    set_config('row_security', 'off', true)
"""

_DROP = "drop table if exists {staged}"

_CREATE = "create unlogged table {staged} as\n"

_STAGED_ROWS = """
with found as ({found})
select
    found.*,
    case
        when found.obstacle is not null then 'left out'
        when found.is_merged then 'merged'
        when found.is_here and (found.checksum is null or known.legacy_key is not null) then 'unchanged'
        else 'imported'
    end as outcome,
    coalesce(found.obstacle, case when found.is_merged then found.merge_reason end) as reason
from found
left join blogger_tracking.imported_rows as known
    on known.view_name = {name} and known.legacy_key = found.legacy_key and known.checksum = found.checksum
"""

_NUMBER = "alter table {staged} add primary key (number)"

_PROTECT = """
alter table {staged} enable row level security;
revoke all on {staged} from public, anon, authenticated
"""

# Of hashes, because an id may be longer than the rows of other indexes.
_INDEX = "create index on {staged} using hash ({column})"

_ANALYZE = "analyze {staged}"

# Names the import that staged the rows.
_CREATE_IMPORT_ID = "create unlogged table {staged} as select {id}::uuid as id"

_READ_IMPORT_ID = "select id from {staged}"

_RECORD = """
insert into blogger_tracking.imported_rows (view_name, legacy_key, checksum, imported_id)
select {name}, legacy_key, checksum, imported_id
from {staged}
where number between %(first)s and %(last)s and is_taken and outcome in ('imported', 'merged')
on conflict (view_name, legacy_key) do update
set checksum = excluded.checksum, imported_id = excluded.imported_id, imported_at = now()
where imported_rows.checksum <> excluded.checksum
"""

_STAGED_MONTHS = """
select distinct date_trunc('month', captured_at at time zone 'UTC')::date as first_day
from {staged}
where outcome = 'imported'
order by first_day
"""

_COUNT_ROWS = "select count(*) from {staged}"

_COUNT_OUTCOMES = """
select
    count(*) as read,
    count(*) filter (where outcome = 'imported') as imported,
    count(*) filter (where outcome = 'unchanged') as unchanged,
    count(*) filter (where outcome = 'merged') as merged,
    count(*) filter (where outcome = 'left out') as left_out,
    count(*) filter (where outcome in ('imported', 'unchanged') and note is not null) as adjusted,
    %(view)s::text as view
from {staged}
"""

_REPORTED_ROWS = """
select
    %(view)s::text as view,
    legacy_key as key,
    case when outcome in ('left out', 'merged') then outcome else 'adjusted' end as outcome,
    case when outcome in ('left out', 'merged') then reason else note end as reason,
    case when outcome = 'merged' then to_jsonb(staged) ->> 'kept_id' end as kept_id
from {staged} as staged
where (outcome in ('left out', 'merged') and reason is not null)
   or (outcome in ('imported', 'unchanged') and note is not null)
order by number
"""

_IMPORT = "import"
"""The staged table that names the import, beside those of the views."""


def stage(connection: Connection) -> UUID:
    """Stage all rows of the views and return the id of the import. Part of a transaction of the caller.

    The connection must be that of the owner of the schema. An import that has staged rows before can no longer use
    them: its next batch fails.
    """
    connection.execute(_PREPARE_STAGING)
    queries = read_sections("legacy_staging.sql")
    # The table that every batch locks first comes first, which prevents deadlocks.
    for view in (_IMPORT, *queries):
        connection.execute(_for_view(_DROP, view))
    for view, query in queries.items():
        _stage_view(connection, view, query)
    import_id = uuid4()
    connection.execute(_for_view(_CREATE_IMPORT_ID, _IMPORT, id=sql.Literal(import_id)))
    connection.execute(_for_view(_PROTECT, _IMPORT))
    return import_id


def _stage_view(connection: Connection, view: str, query: LiteralString) -> None:
    found = sql.SQL(query.rstrip().removesuffix(";"))
    rows = _for_view(_STAGED_ROWS, view, found=found, name=sql.Literal(view))
    connection.execute(_for_view(_CREATE, view) + rows)
    connection.execute(_for_view(_NUMBER, view))
    connection.execute(_for_view(_PROTECT, view))
    for column in _INDEXES.get(view, ()):
        connection.execute(_for_view(_INDEX, view, column=sql.Identifier(column)))
    connection.execute(_for_view(_ANALYZE, view))


def count_staged(connection: Connection) -> dict[str, int]:
    """Return the number of staged rows of each view."""
    return {view: int(fetch_value(connection, _for_view(_COUNT_ROWS, view))) for view in COLUMNS}


def read_staged_months(connection: Connection) -> list[Month]:
    """Return the months of the staged statistics that are to be imported, in order."""
    return [month_of(day) for day in fetch_values(connection, _for_view(_STAGED_MONTHS, "statistics"))]


def require_own_rows(connection: Connection, import_id: UUID) -> None:
    """Raise DatabaseStateError unless the staged rows are those of this import. Part of a transaction of the caller.

    Until the transaction ends, no other import can replace the staged rows.
    """
    try:
        found = fetch_value(connection, _for_view(_READ_IMPORT_ID, _IMPORT))
    except psycopg.errors.UndefinedTable:
        found = None
    if found != import_id:
        raise DatabaseStateError(
            "Another import has begun since, or the schema was removed, and this import has stopped. Another import "
            "keeps everything that this one has imported, and takes the rest."
        )


def import_batch(connection: Connection, step: ImportStep, import_id: UUID, first: int, last: int) -> None:
    """Bring over the rows with these numbers, in one transaction.

    Raises DatabaseStateError if another import has replaced the staged rows, or if a lock is not granted in time.
    """
    numbers = {"first": first, "last": last}
    with long_transaction(connection, "The rows imported before stay, and the next import takes the rest."):
        require_own_rows(connection, import_id)
        for statement in step.statements:
            connection.execute(statement, numbers)
        if step.records:
            connection.execute(_for_view(_RECORD, step.view, name=sql.Literal(step.view)), numbers)


def count_outcomes(connection: Connection) -> list[ViewCounts]:
    """Return the number of staged rows by outcome, for each view."""
    return [fetch_one(connection, ViewCounts, _for_view(_COUNT_OUTCOMES, view), {"view": view}) for view in COLUMNS]


def read_reported_rows(connection: Connection) -> Iterator[ReportedRow]:
    """Yield the rows that were left out, merged or adjusted.

    Copies of a video for further organizations are none of these.
    """
    for view in COLUMNS:
        cursor = connection.cursor(row_factory=class_row(ReportedRow))
        yield from cursor.stream(_for_view(_REPORTED_ROWS, view), {"view": view})


def drop_staged(connection: Connection) -> None:
    """Drop the staged rows."""
    for view in (_IMPORT, *COLUMNS):
        connection.execute(_for_view(_DROP, view))


def _for_view(statement: LiteralString, view: str, **parts: sql.Composable) -> sql.Composed:
    return sql.SQL(statement).format(staged=sql.Identifier("blogger_tracking", f"staged_{view}"), **parts)
