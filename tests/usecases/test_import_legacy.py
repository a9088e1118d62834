"""Importing from an earlier system: every row is accounted for, nothing is charged, a repetition changes nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import Connection

from blogger_tracking.database.blogger_histories import list_videos
from blogger_tracking.database.connections import connect
from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.database.legacy_views import COLUMNS, TEMPLATE
from blogger_tracking.database.migrate import apply_migrations
from blogger_tracking.domain.errors import DatabaseStateError
from blogger_tracking.domain.ledger import FetchState
from blogger_tracking.domain.models import Platform
from blogger_tracking.usecases.fetch_blogger import FetchServices, fetch_blogger
from blogger_tracking.usecases.import_legacy import check_legacy, import_legacy, write_report
from devtools.local_stack.config import PROJECT_ROOT
from devtools.platform_sandbox import CreatorKind, SandboxServer
from tests.support.cut_line import cut
from tests.support.database_builder import DatabaseBuilder
from tests.support.database_server import DatabaseServer
from tests.support.earlier_tracker import (
    BEGIN,
    SYSTEMS,
    Tracker,
    contents,
    counts,
    fill,
    quiet,
    reasons,
    require_complete,
    run_import,
)
from tests.support.ledger_steps import fetch_ids, plan
from tests.support.row_security import signed_in

ADOPTION = Path(os.environ.get("TEST_ADOPTION_DATABASES", "not given"))


@pytest.fixture(autouse=True)
def invariants_hold(admin: Connection) -> Iterator[None]:
    yield
    assert not any(check_invariants(admin).values())


def test_the_template_fits_tables_that_are_named_as_in_the_template(admin: Connection, build: DatabaseBuilder) -> None:
    del build
    template = TEMPLATE.read_text(encoding="utf-8")
    for view, table in zip(COLUMNS, re.findall(r"^from public\.(\w+)", template, re.MULTILINE), strict=True):
        columns = ", ".join(f"{name} {min(types or {'text'})}" for name, types in COLUMNS[view].items())
        admin.execute(f"create table public.{table} ({columns})".encode())
    admin.execute(template.encode())
    assert {view.read for view in run_import(admin).views} == {0}


def test_missing_views_missing_columns_and_wrong_types_are_named(admin: Connection, tracker: Tracker) -> None:
    del tracker
    admin.execute("drop view blogger_tracking.legacy_tags")
    admin.execute("drop view blogger_tracking.legacy_members")
    admin.execute("create view blogger_tracking.legacy_members as select 'x'::text as organization_id, 1 as user_id")
    with pytest.raises(DatabaseStateError) as refused:
        check_legacy(admin)
    assert str(refused.value).splitlines()[:4] == [
        "There is no view blogger_tracking.legacy_tags.",
        "legacy_members.organization_id is a text, but should be a uuid: cast the column in the view.",
        "legacy_members.user_id is a integer, but should be a uuid: cast the column in the view.",
        "The view legacy_members has no column role.",
    ]


def test_checking_changes_nothing_and_tells_what_importing_does(admin: Connection, tracker: Tracker) -> None:
    fill(tracker)
    tracker.creator(network_id=None)
    before = contents(admin)
    checked = check_legacy(admin)
    assert contents(admin) == before
    assert run_import(admin) == checked


def test_ids_usage_and_times_are_kept_and_nothing_is_charged(admin: Connection, tracker: Tracker) -> None:
    tracker.insert("contracts", customer=tracker.customer, videos=1, creators=1, begins=BEGIN - timedelta(days=90))
    tracker.connection.execute("update tracker.contracts set used = 640 where videos = 1000")
    creator = tracker.creator(network="YouTube", followers="1234")
    account = tracker.follow(creator, fetched=BEGIN, per_day=12)
    clip = tracker.clip(creator, network="you tube", published="2026-10-02T01:02:03+02:00")
    tracker.count(clip, views=5, likes=None, comments=0)
    run_import(admin)
    assert admin.execute("select id from organizations").fetchall() == [(tracker.customer,)]
    assert admin.execute("select id, platform, subscribers from blogger_information").fetchall() == [
        (creator, "YouTube", 1234)
    ]
    assert admin.execute(
        "select id, last_scraped_at, daily_videos_count, initial_videos_fetched, pending_initial_fetch "
        "from tracked_accounts"
    ).fetchall() == [(account, BEGIN, 12, True, False)]
    assert admin.execute(
        "select opening, videos_fetched, reserved from subscription_usage order by opening"
    ).fetchall() == [(0, 0, 0), (640, 0, 0)]
    assert admin.execute("select captured_at, views, likes, comments from video_statistics").fetchall() == [
        (BEGIN, 5, None, 0)
    ]
    assert admin.execute("select published_at from videos").fetchall() == [
        (datetime(2026, 10, 1, 23, 2, 3, tzinfo=UTC),)
    ]
    assert admin.execute("select count(*) from fetch_allocations").fetchone() == (0,)


def test_a_second_import_changes_nothing(admin: Connection, tracker: Tracker) -> None:
    fill(tracker)
    tracker.insert("labels", customer=tracker.customer, creator=tracker.creator(), label="food")
    run_import(admin)
    before = contents(admin)
    report = run_import(admin)
    assert contents(admin) == before
    assert all(view.imported == 0 for view in report.views)


def test_a_second_import_takes_what_is_new_or_changed(admin: Connection, tracker: Tracker) -> None:
    fill(tracker)
    run_import(admin)
    admin.execute("update tracker.customers set title = 'Renamed'")
    admin.execute("update tracker.contracts set used = 7")
    admin.execute("update tracker.counts set views = 9 where ctid = (select min(ctid) from tracker.counts)")
    (clip,) = admin.execute("select min(id) from tracker.clips").fetchone() or (0,)
    tracker.count(clip, BEGIN + timedelta(hours=6), views=77)
    fill(tracker, creators=1, clips=1)
    report = run_import(admin)
    assert {view.view: view.imported for view in report.views if view.imported} == {
        "organizations": 1,
        "subscriptions": 1,
        "bloggers": 1,
        "tracked_accounts": 1,
        "videos": 1,
        "statistics": 4,
    }
    assert admin.execute("select name, opening from organizations cross join subscription_usage").fetchall() == [
        ("Renamed", 7)
    ]
    assert admin.execute("select views from video_statistics where views > 1 order by views").fetchall() == [
        (9,),
        (77,),
    ]


def test_two_spellings_of_one_blogger_become_one_and_both_ids_lead_to_it(admin: Connection, tracker: Tracker) -> None:
    unpopular = tracker.creator(network="YouTube", network_id="UCtwin", handle="first")
    popular = tracker.creator(network="you tube", network_id=" UCtwin ", handle="second")
    account = tracker.follow(popular, per_day=5)
    other = tracker.organization()
    tracker.follow(popular, customer=other)
    merged = tracker.follow(unpopular, active=False, per_day=30, done=False)
    tracker.count(tracker.clip(unpopular, network="YouTube"))
    report = run_import(admin)
    assert admin.execute("select id, username from blogger_information").fetchall() == [(popular, "second")]
    assert admin.execute(
        "select id, is_active, daily_videos_count from tracked_accounts where organization_id = %s", (tracker.customer,)
    ).fetchall() == [(account, True, 30)]
    leads: dict[str, str] = dict(admin.execute("select legacy_key, imported_id from imported_rows").fetchall())
    assert leads[str(unpopular)] == leads[str(popular)] == str(popular)
    assert leads[str(merged)] == leads[str(account)] == str(account)
    (twin,) = [row for row in report.rows if row.view == "bloggers"]
    assert (twin.key, twin.kept_id) == (str(unpopular), str(popular))
    assert "most tracked accounts refer to" in twin.reason


def test_a_blogger_that_is_here_already_stays_with_its_account(
    admin: Connection, build: DatabaseBuilder, tracker: Tracker
) -> None:
    here = build.blogger(external_id="external-here")
    creator = tracker.creator(network_id="external-here")
    account = tracker.follow(creator)
    run_import(admin)
    assert admin.execute("select id from blogger_information").fetchall() == [(here,)]
    assert admin.execute("select id, blogger_id from tracked_accounts").fetchall() == [(account, here)]


@pytest.mark.parametrize(
    ("table", "values", "view", "expected"),
    [
        ("creators", {"network": "tiktok", "network_id": " "}, "bloggers", "left out: has no external id"),
        (
            "creators",
            {"network": "myspace", "network_id": "1"},
            "bloggers",
            "left out: its platform 'myspace' is unknown",
        ),
        ("creators", {"network_id": "1", "followers": "12K"}, "bloggers", "left out: its platform (none) is unknown"),
        (
            "creators",
            {"network": "tiktok", "network_id": "1", "handle": "x", "followers": "12K"},
            "bloggers",
            "adjusted: subscribers '12K' is no whole number: unknown",
        ),
        ("staff", {"person": uuid4(), "rights": "owner"}, "members", "left out: auth.users has no such user"),
        (
            "customers",
            {"per_day": 0},
            "organizations",
            "adjusted: has no name: named after its id; daily_videos_count 0",
        ),
        ("contracts", {"creators": 5, "begins": BEGIN}, "subscriptions", "left out: has no video_limit"),
        ("contracts", {"creators": 5, "begins": BEGIN, "videos": -5}, "subscriptions", "left out: its video_limit -5"),
        (
            "contracts",
            {"creators": 5, "begins": BEGIN, "videos": 5, "used": -1},
            "subscriptions",
            "adjusted: videos_used -1 is below 0: taken as 0",
        ),
        ("follows", {"creator": uuid4()}, "tracked_accounts", "left out: its blogger is not imported"),
        ("labels", {"label": "  "}, "tags", "left out: its blogger is not imported"),
        ("campaigns", {"title": ""}, "campaigns", "left out: has no name"),
        ("clips", {"network": "tiktok", "network_id": "1"}, "videos", "left out: its blogger is not imported"),
        ("counts", {"clip": 0, "at": BEGIN}, "statistics", "left out: its video is not imported"),
    ],
)
def test_a_row_that_cannot_be_taken_as_it_is_is_reported(
    admin: Connection, tracker: Tracker, table: str, values: dict[str, Any], view: str, expected: str
) -> None:
    identity = {"creators": "id", "customers": "id", "follows": "id", "clips": "id"}.get(table)
    row = dict(values)
    if identity:
        row["id"] = 1 if table == "clips" else uuid4()
    if table not in {"creators", "customers", "counts"}:
        row["customer"] = tracker.customer
    tracker.insert(table, **row)
    report = run_import(admin)
    (reason,) = reasons(report, view).values()
    assert reason.startswith(expected)


def test_numbers_and_dates_out_of_range_are_unknown_and_the_row_is_taken(admin: Connection, tracker: Tracker) -> None:
    creator = tracker.creator()
    tracker.follow(creator, per_day=900, person=uuid4())
    for published in ("2026-02-30", "yesterday", "2026-10-05", None):
        tracker.count(tracker.clip(creator, published=published), views=10**30, likes=-1, comments=3)
    report = run_import(admin)
    assert counts(report, "videos").adjusted == 2
    assert counts(report, "statistics").adjusted == 4
    assert admin.execute("select daily_videos_count, user_id from tracked_accounts").fetchall() == [(500, None)]
    assert admin.execute("select distinct views, likes, comments from video_statistics").fetchall() == [(None, None, 3)]
    assert admin.execute("select published_at from videos where published_at is not null").fetchall() == [
        (datetime(2026, 10, 5, tzinfo=UTC),)
    ]


def test_copies_of_a_video_become_one_that_each_organization_has(admin: Connection, tracker: Tracker) -> None:
    creator = tracker.creator()
    other = tracker.organization()
    tracker.follow(creator)
    tracker.follow(creator, customer=other)
    first = tracker.clip(creator, network_id="same")
    second = tracker.clip(creator, network_id="same", customer=other)
    shared = tracker.clip(creator, customer=None)
    for clip in (first, second, shared):
        tracker.count(clip, views=clip)
    tracker.count(second, BEGIN + timedelta(seconds=1))
    report = run_import(admin, batch_rows=1)
    assert (counts(report, "videos").merged, counts(report, "statistics").merged) == (1, 1)
    assert admin.execute("select count(*) from videos").fetchone() == (2,)
    assert admin.execute(
        "select organization_id, count(*) from organization_videos where fetch_id is null group by 1"
    ).fetchall() == [(each, 2) for each in sorted((tracker.customer, other))]
    assert admin.execute("select count(*) from video_statistics").fetchone() == (3,)


def test_members_read_the_imported_statistics_of_their_own_videos_alone(
    admin: Connection, tracker: Tracker, build: DatabaseBuilder
) -> None:
    creator = tracker.creator()
    other, stranger = tracker.organization(), tracker.organization()
    tracker.follow(creator)
    tracker.follow(creator, customer=other)
    tracker.count(tracker.clip(creator, network_id="same"), views=1)
    copy = tracker.clip(creator, network_id="same", customer=other)
    shared = tracker.creator()
    tracker.follow(shared, customer=other)
    tracker.count(tracker.clip(shared, customer=None), views=2)
    run_import(admin, batch_rows=1)
    tracker.count(copy, BEGIN + timedelta(days=1), views=3)
    run_import(admin, batch_rows=1)
    # A link that the import did not make: the organization had no video of the blogger in the earlier system.
    build.run("insert into organization_videos (organization_id, video_id) select %(id)s, id from videos", id=stranger)
    for organization, seen in {tracker.customer: [1, 3], other: [1, 2, 3], stranger: []}.items():
        with signed_in(admin, build.member(organization)) as member:
            views = member.execute("select views from video_statistics order by views").fetchall()
        assert [view for (view,) in views] == seen


def test_an_initial_fetch_is_requested_only_for_an_active_account_without_videos(
    admin: Connection, tracker: Tracker
) -> None:
    expected = {
        tracker.follow(tracker.creator(), done=True): (False, True),
        tracker.follow(tracker.creator(), done=False, waiting=True): (True, False),
        tracker.follow(tracker.creator(), done=None): (True, False),
        tracker.follow(tracker.creator(), done=False, active=False): (False, False),
    }
    with_videos = tracker.creator()
    tracker.count(tracker.clip(with_videos))
    expected[tracker.follow(with_videos, done=False, waiting=True)] = (False, True)
    run_import(admin)
    admin.execute("update tracked_accounts set created_at = created_at - interval '2 days', last_scraped_at = null")
    found = admin.execute("select id, pending_initial_fetch, initial_videos_fetched from tracked_accounts").fetchall()
    assert {account: (pending, fetched) for account, pending, fetched in found} == expected


def test_overlapping_periods_end_where_the_next_begins(admin: Connection, tracker: Tracker) -> None:
    admin.execute("delete from tracker.contracts")
    for days in (0, 10, 40):
        tracker.contract(begins=BEGIN + timedelta(days=days), ends=BEGIN + timedelta(days=days + 30))
    run_import(admin)
    tracker.contract(begins=BEGIN + timedelta(days=20))
    run_import(admin)
    assert admin.execute(
        "select (period_start - %(begin)s)::text, (period_end - %(begin)s)::text from subscriptions order by 1",
        {"begin": BEGIN},
    ).fetchall() == [("00:00:00", "10 days"), ("10 days", "20 days"), ("20 days", "40 days"), ("40 days", "70 days")]


def test_an_import_while_videos_are_charged_here_counts_the_earlier_usage_up_to_the_limit(
    admin: Connection, tracker: Tracker, services: FetchServices, sandbox: SandboxServer
) -> None:
    creator = next(iter(sandbox.world.creators(Platform.TIKTOK, kind=CreatorKind.NORMAL)))
    tracker.follow(tracker.creator(network_id=creator.external_id, sec_uid=creator.sec_id))
    admin.execute("update tracker.contracts set used = 900")
    run_import(admin)
    (fetch_id,) = fetch_ids(services.pool, plan(services.pool))
    assert fetch_blogger(services, fetch_id).charged == 10
    admin.execute("update tracker.contracts set used = 999")
    run_import(admin)
    assert admin.execute("select opening, videos_fetched from subscription_usage").fetchall() == [(990, 10)]


def test_videos_without_statistics_or_thumbnail_are_queued(admin: Connection, tracker: Tracker) -> None:
    creator = tracker.creator(network="YouTube")
    for number in range(60):
        tracker.clip(creator, network="YouTube", image="https://example.org/i.jpg" if number % 2 else None)
    run_import(admin, batch_rows=1000)
    assert admin.execute("select cardinality(videos) from high_priority_queue order by id").fetchall() == [(50,), (10,)]
    assert admin.execute("select count(*) from thumbnail_queue").fetchone() == (30,)


def test_a_statement_that_fails_keeps_what_was_imported_and_the_next_import_goes_on(
    admin: Connection, tracker: Tracker
) -> None:
    fill(tracker)
    (last,) = admin.execute("select max(network_id) from tracker.clips").fetchone() or ("",)
    admin.execute(f"alter table videos add constraint planted check (external_video_id <> '{last}')".encode())
    with pytest.raises(DatabaseStateError, match=r"stopped at videos, rows .* the import goes on there.*planted"):
        import_legacy(admin, quiet, 3)
    assert admin.execute("select count(*) from videos").fetchone() == (18,)
    admin.execute("alter table videos drop constraint planted")
    report = run_import(admin)
    assert (counts(report, "videos").unchanged, counts(report, "videos").imported) == (18, 2)


@pytest.fixture
def importing(server: DatabaseServer, database: str) -> Iterator[Connection]:
    with connect(server.conninfo(database)) as connection:
        yield connection


@pytest.mark.parametrize("is_shut_down", [True, False], ids=["by the server", "by the network"])
@pytest.mark.parametrize(
    ("line", "kept"),
    [("Reading the views", r"Nothing was imported\."), ("bloggers: 3", r"The import stopped at .* was kept\.")],
)
def test_a_lost_connection_is_named_with_what_was_kept(
    admin: Connection, tracker: Tracker, importing: Connection, line: str, kept: str, *, is_shut_down: bool
) -> None:
    fill(tracker)

    def lose(progress: str) -> None:
        if not progress.startswith(line):
            return
        if is_shut_down:
            admin.execute("select pg_terminate_backend(%s, 10000)", [importing.info.backend_pid])
        else:
            cut(importing)

    with pytest.raises(
        DatabaseStateError, match=rf"^The connection to the database was lost\. {kept} Run the command again\.$"
    ):
        import_legacy(importing, lose, 3)


_IMPORTER = """
import sys
from blogger_tracking.database.connections import connect
from blogger_tracking.usecases.import_legacy import import_legacy
with connect(sys.argv[1]) as connection:
    import_legacy(connection, lambda line: print(line, flush=True), 2)
"""


@pytest.mark.parametrize("line", ["bloggers: 4", "videos: 10", "statistics: 20", "messages for"])
def test_an_import_that_is_killed_is_continued_by_the_next(
    admin: Connection, tracker: Tracker, server: DatabaseServer, database: str, line: str
) -> None:
    fill(tracker)
    command = [sys.executable, "-c", _IMPORTER, server.conninfo(database)]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT / "include")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as importer:
        assert importer.stdout is not None
        assert any(printed.startswith(line) for printed in importer.stdout)
        importer.send_signal(signal.SIGKILL)
    report = run_import(admin)
    assert counts(report, "bloggers").unchanged >= 4
    assert admin.execute("select count(*) from video_statistics").fetchone() == (40,)
    assert admin.execute("select count(*) from organization_videos").fetchone() == (20,)
    assert admin.execute("select count(*) from thumbnail_queue").fetchone() == (20,)
    assert admin.execute("select to_regclass('blogger_tracking.staged_videos')").fetchone() == (None,)


def test_a_batch_on_the_imported_database_is_green(
    admin: Connection, tracker: Tracker, services: FetchServices, sandbox: SandboxServer
) -> None:
    networks = {Platform.TIKTOK: "tiktok", Platform.INSTAGRAM: "INSTAGRAM", Platform.YOUTUBE: "you tube"}
    for platform, network in networks.items():
        creator = next(iter(sandbox.world.creators(platform, kind=CreatorKind.NORMAL)))
        account = tracker.creator(
            network=network, network_id=creator.external_id, sec_uid=creator.sec_id, handle=creator.username
        )
        tracker.follow(account, fetched=BEGIN)
        tracker.count(tracker.clip(account, network=network))
    run_import(admin)
    planned = fetch_ids(services.pool, plan(services.pool))
    assert [fetch_blogger(services, fetch_id).state for fetch_id in planned] == [FetchState.SUCCEEDED] * 3
    assert admin.execute("select opening, videos_fetched, reserved from subscription_usage").fetchall() == [(0, 30, 0)]
    before = contents(admin)
    run_import(admin)
    assert contents(admin) == before


def test_an_older_capture_that_is_imported_after_a_fetch_leaves_the_newest_numbers_as_they_are(
    admin: Connection, build: DatabaseBuilder, tracker: Tracker, services: FetchServices, sandbox: SandboxServer
) -> None:
    creator = next(iter(sandbox.world.creators(Platform.TIKTOK, kind=CreatorKind.NORMAL)))
    blogger = build.creator(creator)
    build.track(build.organization(daily=1), blogger)
    (fetch_id,) = fetch_ids(services.pool, plan(services.pool))
    fetch_blogger(services, fetch_id)
    _, (fetched,) = list_videos(admin, blogger, 1)
    assert fetched.captured_at is not None
    account = tracker.creator(network="tiktok", network_id=creator.external_id, handle=creator.username)
    clip = tracker.clip(account, network_id=build.value("select external_video_id from videos"))
    before = fetched.captured_at.astimezone(UTC)
    for earlier in (timedelta(seconds=1), timedelta(days=1)):
        tracker.count(clip, before - earlier, views=1)

    run_import(admin)

    assert build.value("select count(*) from video_statistics where fetch_id > %(live)s", live=fetch_id) == 2
    assert list_videos(admin, blogger, 1) == (1, [fetched])


def test_the_report_is_written_row_by_row(admin: Connection, tracker: Tracker, tmp_path: Path) -> None:
    tracker.creator(network_id=None)
    report = run_import(admin)
    write_report(report, tmp_path / "var" / "report.json")
    written = json.loads((tmp_path / "var" / "report.json").read_text(encoding="utf-8"))
    assert [row["reason"] for row in written["rows"]] == ["has no external id: no platform can be asked for it"]
    assert sum(view["read"] for view in written["views"]) == 3


@pytest.fixture
def original(server: DatabaseServer) -> Iterator[Connection]:
    """The database of the original system, migrated, with its views."""
    if not ADOPTION.exists():
        pytest.skip("TEST_ADOPTION_DATABASES names no folder of databases")
    server.execute("create database original")
    with psycopg.connect(server.conninfo("original"), autocommit=True) as connection:
        for name in ("supabase_base.sql", "original.sql"):
            connection.execute((ADOPTION / name).read_bytes())
        apply_migrations(connection)
        connection.execute((SYSTEMS / "original_views.sql").read_bytes())
        connection.execute("set search_path = blogger_tracking")
        yield connection
    server.execute("drop database original with (force)")


def rows_outside(connection: Connection) -> list[tuple[Any, ...]]:
    """Return all rows of the application's tables."""
    tables = connection.execute(
        "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1"
    ).fetchall()
    return [
        row
        for (name,) in tables
        for row in connection.execute(f"select t::text from public.{name} as t order by 1".encode())  # noqa: S608 - names from the catalog
    ]


def test_the_original_database_is_imported_and_every_row_is_accounted_for(original: Connection) -> None:
    outside = rows_outside(original)
    checked = check_legacy(original)
    require_complete(original, checked)
    assert run_import(original, batch_rows=1000) == checked
    assert not any(check_invariants(original).values())
    assert counts(checked, "bloggers").left_out == 3
    assert counts(checked, "bloggers").merged == 1
    assert original.execute("select sum(opening), sum(videos_fetched) from subscription_usage").fetchone() == (20635, 0)
    before = contents(original)
    again = run_import(original, batch_rows=1000)
    assert contents(original) == before
    assert all(view.imported == 0 for view in again.views)
    assert rows_outside(original) == outside
