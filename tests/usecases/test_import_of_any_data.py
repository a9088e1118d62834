"""Importing generated data with few different values, so that everything that can collide does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from blogger_tracking.database.invariants import check_invariants
from tests.support.earlier_tracker import BEGIN, Tracker, contents, counts, run_import

IDS = [UUID(int=number) for number in range(1, 5)]

_ids = st.sampled_from([*IDS, None])
_texts = st.sampled_from(["a", " a", "a\n", "A", "b", "", " ", None])
_networks = st.sampled_from(["tiktok", "YouTube", "you tube", "myspace", None])
_numbers = st.sampled_from([-1, 0, 1, 500, 501, None])
_times = st.sampled_from([BEGIN, BEGIN + timedelta(days=1), BEGIN + timedelta(days=40), "infinity", "-infinity", None])
_flags = st.sampled_from([True, False, None])
_clips = st.sampled_from([1, 2, 3, None])

COLUMNS: Mapping[str, Mapping[str, st.SearchStrategy[Any]]] = {
    "customers": {"id": _ids, "title": _texts, "per_day": _numbers},
    "staff": {"customer": _ids, "person": _ids, "rights": st.sampled_from(["owner", "Viewer ", "boss", None])},
    "contracts": {
        "customer": _ids,
        "name": _texts,
        "videos": _numbers,
        "creators": _numbers,
        "begins": _times,
        "ends": _times,
        "used": _numbers,
    },
    "creators": {"id": _ids, "network": _networks, "handle": _texts, "network_id": _texts, "added": _times},
    "follows": {
        "id": _ids,
        "customer": _ids,
        "person": _ids,
        "creator": _ids,
        "active": _flags,
        "per_day": _numbers,
        "fetched": _times,
        "waiting": _flags,
        "done": _flags,
    },
    "labels": {"customer": _ids, "creator": _ids, "label": _texts},
    "campaigns": {"customer": _ids, "title": _texts, "creator": _ids},
    "clips": {
        "id": _clips,
        "network": _networks,
        "network_id": _texts,
        "creator": _ids,
        "customer": _ids,
        "address": _texts,
        "image": _texts,
        "published": st.sampled_from(["2026-10-01", "2026-02-30", "x", None]),
    },
    "counts": {"clip": _clips, "at": _times, "views": _numbers, "likes": _numbers},
}

Rows = dict[str, list[dict[str, Any]]]

_rows: st.SearchStrategy[Rows] = st.fixed_dictionaries({
    table: st.lists(st.fixed_dictionaries(dict(columns)), min_size=2, max_size=8) for table, columns in COLUMNS.items()
})

_IMPORTED_TABLES = {
    "organizations": "organizations",
    "members": "organization_members",
    "subscriptions": "subscriptions",
    "bloggers": "blogger_information",
    "tracked_accounts": "tracked_accounts",
    "tags": "blogger_tags",
    "videos": "videos",
    "statistics": "video_statistics",
}
"""Tables that have one row for each row of a view that was imported."""


def _empty(connection: Connection) -> None:
    with connection.transaction():
        # The tables of the ledger refuse to be emptied.
        connection.execute("set local session_replication_role = replica")
        connection.execute(
            "truncate organizations, blogger_information, runs, fetches, videos, imported_rows restart identity cascade"
        )


def _replace(tracker: Tracker, rows: Rows) -> None:
    """Replace all rows of the tracker."""
    tracker.connection.execute("truncate " + ", ".join(f"tracker.{table}" for table in COLUMNS))
    for table, values in rows.items():
        for row in values:
            tracker.insert(table, **row)


def _people(connection: Connection, people: Sequence[UUID]) -> None:
    for person in people:
        connection.execute("insert into auth.users (id) values (%s) on conflict do nothing", (person,))


@pytest.mark.long
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_rows)
def test_a_first_import_has_a_row_for_each_one_that_it_counts_and_a_second_changes_nothing(
    admin: Connection, tracker: Tracker, rows: Rows
) -> None:
    _empty(admin)
    _people(admin, IDS[:2])
    _replace(tracker, rows)
    report = run_import(admin, batch_rows=1000)
    for view, table in _IMPORTED_TABLES.items():
        here = admin.execute(f"select count(*) from {table}".encode()).fetchall()  # noqa: S608 - names of the test
        assert (view, [(counts(report, view).imported,)]) == (view, here)
    before = contents(admin)
    again = run_import(admin, batch_rows=1000)
    assert contents(admin) == before
    assert all(view.imported == 0 for view in again.views)
    assert not any(check_invariants(admin).values())


@pytest.mark.long
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_rows, _rows)
def test_imports_of_changed_data_come_to_an_end(admin: Connection, tracker: Tracker, rows: Rows, later: Rows) -> None:
    _empty(admin)
    _people(admin, IDS[:2])
    for each in (rows, later):
        _replace(tracker, each)
        reports = [run_import(admin, batch_rows=1000) for _ in IDS]
        assert all(view.imported == 0 for view in reports[-1].views)
        assert not any(check_invariants(admin).values())
