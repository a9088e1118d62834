"""Rows of an earlier tracker, and imports of them whose reports account for every row."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from psycopg import Connection

from blogger_tracking.database.legacy_import import ViewCounts
from blogger_tracking.usecases.import_legacy import ImportReport, import_legacy

SYSTEMS = Path(__file__).parents[1] / "usecases" / "earlier_systems"
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)

_numbers = itertools.count(1)


@dataclass
class Tracker:
    """Rows of the earlier tracker; each method inserts one and returns its id."""

    connection: Connection
    customer: UUID = field(default_factory=uuid4)

    def insert(self, table: str, **values: object) -> None:
        columns = ", ".join(values)
        marks = ", ".join(f"%({name})s" for name in values)
        self.connection.execute(f"insert into tracker.{table} ({columns}) values ({marks})".encode(), values)  # noqa: S608 - names of the test

    def organization(self, **values: object) -> UUID:
        identity = uuid4()
        self.insert("customers", **{"id": identity, "title": "Agency"} | values)
        return identity

    def contract(self, **values: object) -> None:
        now = datetime.now(UTC).replace(tzinfo=None)
        row = {"customer": self.customer, "videos": 1000, "creators": 50, "begins": now - timedelta(days=3)}
        self.insert("contracts", **row | values)

    def creator(self, **values: object) -> UUID:
        identity, number = uuid4(), next(_numbers)
        row = {"id": identity, "network": "tiktok", "handle": f"@name{number}", "network_id": f"external{number}"}
        self.insert("creators", **row | values)
        return identity

    def follow(self, creator: UUID, **values: object) -> UUID:
        identity = uuid4()
        row = {"id": identity, "customer": self.customer, "creator": creator, "active": True, "done": True}
        self.insert("follows", **row | values)
        return identity

    def clip(self, creator: UUID, **values: object) -> int:
        number = next(_numbers)
        row = {"id": number, "network": "tiktok", "network_id": f"clip{number}", "creator": creator}
        self.insert("clips", **row | {"customer": self.customer} | values)
        return number

    def count(self, clip: int, at: datetime = BEGIN, **values: object) -> None:
        self.insert("counts", clip=clip, at=at.replace(tzinfo=None), **({"views": 1} | values))


def quiet(line: str) -> None:
    del line


def run_import(connection: Connection, batch_rows: int = 7) -> ImportReport:
    """Import, and require that the report accounts for every row, and what stands for a merged row is here."""
    report = import_legacy(connection, quiet, batch_rows)
    require_complete(connection, report)
    kept = {row.kept_id for row in report.rows if row.kept_id}
    here = connection.execute(
        "select id::text from blogger_tracking.blogger_information "
        "union all select id::text from blogger_tracking.tracked_accounts"
    )
    assert kept <= {identity for (identity,) in here}
    return report


def require_complete(connection: Connection, report: ImportReport) -> None:
    for view in report.views:
        read = connection.execute(f"select count(*) from blogger_tracking.legacy_{view.view}".encode()).fetchone()  # noqa: S608 - names of the views
        assert (view.read,) == read
        assert view.read == view.imported + view.unchanged + view.merged + view.left_out
        left_out = [row for row in report.rows if row.view == view.view and row.outcome == "left out"]
        assert len(left_out) == view.left_out
        assert all(row.reason for row in left_out)


def counts(report: ImportReport, view: str) -> ViewCounts:
    return next(each for each in report.views if each.view == view)


def reasons(report: ImportReport, view: str) -> dict[str, str]:
    return {row.key: f"{row.outcome}: {row.reason}" for row in report.rows if row.view == view}


def contents(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of the schema's tables."""
    tables = connection.execute(
        "select relname from pg_class where relkind = 'r' and relnamespace = 'blogger_tracking'::regnamespace"
    ).fetchall()
    return {
        name: connection.execute(f"select t::text from blogger_tracking.{name} as t order by 1".encode()).fetchall()  # noqa: S608 - names from the catalog
        for (name,) in tables
    }


def fill(tracker: Tracker, creators: int = 4, clips: int = 5) -> None:
    for _ in range(creators):
        creator = tracker.creator()
        tracker.follow(creator)
        for _ in range(clips):
            clip = tracker.clip(creator, published="2026-10-01T10:00:00Z", image="https://example.org/i.jpg")
            tracker.count(clip)
            tracker.count(clip, BEGIN + timedelta(hours=12))
