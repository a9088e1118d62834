"""Importing odd but plausible data: each row is taken or reported, and an error is a sentence that names its cause."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest
from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.database.connections import connect
from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.database.schema_checks import (
    check_members_writes,
    check_outsiders,
    check_pipeline_policies,
    check_privileges,
    check_row_security,
)
from blogger_tracking.domain.checks import Status
from blogger_tracking.domain.errors import DatabaseStateError
from blogger_tracking.settings import get_settings
from blogger_tracking.usecases.import_legacy import check_legacy, import_legacy
from tests.support.database_builder import DatabaseBuilder
from tests.support.database_server import DatabaseServer
from tests.support.earlier_tracker import BEGIN, Tracker, contents, counts, fill, quiet, reasons, run_import
from tests.support.ledger_steps import claim, fetch_ids, plan, succeed
from tests.support.pgbouncer import MISSING, PROGRAM, PgBouncer


@pytest.fixture(autouse=True)
def invariants_hold(admin: Connection) -> Iterator[None]:
    yield
    assert not any(check_invariants(admin).values())


@pytest.fixture
def default_settings_afterwards(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget the settings of the test once its environment variables are gone."""
    yield
    monkeypatch.undo()
    get_settings.cache_clear()


@pytest.mark.usefixtures("tracker")
def test_a_row_of_nulls_is_left_out_of_each_view_and_reported(admin: Connection) -> None:
    tables = ("customers", "staff", "contracts", "creators", "follows", "labels", "campaigns", "clips", "counts")
    for table in tables:
        for _ in range(2):
            admin.execute(f"insert into tracker.{table} default values".encode())
    report = run_import(admin)
    assert {view.view: view.left_out for view in report.views} == {view.view: 2 for view in report.views}
    assert counts(report, "organizations").imported == 1
    before = contents(admin)
    run_import(admin)
    assert contents(admin) == before


@pytest.mark.parametrize(
    ("begins", "ends", "expected"),
    [
        ("2026-11-01", "infinity", "adjusted: its period_end infinity is beyond the year 9000"),
        ("2026-11-01", "9999-12-31 23:59:59-12", "adjusted: its period_end"),
        ("-infinity", "2026-12-01", "left out: its period_start -infinity is not between the years 1970 and 9000"),
        ("infinity", None, "left out: its period_start infinity is not between the years 1970 and 9000"),
        ("294276-12-01", None, "left out: its period_start 294276-12-01"),
        ("2026-11-01", "-infinity", "left out: its period ends before it begins"),
    ],
)
def test_a_period_without_bounds_never_stops_planning(
    admin: Connection, tracker: Tracker, pool: ConnectionPool, begins: str, ends: str | None, expected: str
) -> None:
    boundless = tracker.organization()
    tracker.insert("contracts", customer=boundless, videos=1000, creators=9, begins=begins, ends=ends)
    for customer in (boundless, tracker.customer):
        tracker.follow(tracker.creator(), customer=customer)
    (reason,) = reasons(run_import(admin), "subscriptions").values()
    assert reason.startswith(expected)
    assert len(fetch_ids(pool, plan(pool))) == (2 if expected.startswith("adjusted") else 1)


def test_times_that_python_does_not_know_are_unknown_or_left_out(admin: Connection, tracker: Tracker) -> None:
    creator = tracker.creator(added="-infinity")
    tracker.follow(creator, fetched="-infinity")
    tracker.follow(tracker.creator(added="infinity"), fetched="infinity")
    clip = tracker.clip(creator, published="infinity")
    for at in ("-infinity", "infinity", "0044-03-15 BC"):
        tracker.insert("counts", clip=clip, at=at)
    report = run_import(admin)
    assert counts(report, "statistics").left_out == 3
    assert [counts(report, view).adjusted for view in ("bloggers", "tracked_accounts", "videos")] == [2, 2, 1]
    for query in ("select created_at from blogger_information", "select last_scraped_at from tracked_accounts"):
        assert all(time is None or time.year == datetime.now(UTC).year for (time,) in admin.execute(query.encode()))


def test_limits_and_usages_that_are_no_number_are_reported(admin: Connection, tracker: Tracker) -> None:
    tracker.contract(customer=tracker.organization(), videos="NaN")
    tracker.contract(customer=tracker.organization(), used="NaN")
    tracker.contract(customer=tracker.organization(), videos="Infinity", used="1e30")
    assert sorted(reasons(run_import(admin), "subscriptions").values()) == [
        "adjusted: videos_used is no number: taken as 0",
        "left out: its video_limit is no number",
    ]


def test_a_row_that_cannot_be_taken_never_displaces_one_that_can(admin: Connection, tracker: Tracker) -> None:
    tracker.contract(begins=BEGIN - timedelta(days=90), videos=500, creators=-1)
    tracker.contract(begins=BEGIN - timedelta(days=90), videos=7, creators=3)
    creator = tracker.creator(network_id="z")
    tracker.insert("creators", id=creator, network="myspace", network_id="a")
    account = tracker.follow(creator)
    tracker.insert("follows", id=account, customer=uuid4(), creator=creator)
    clip = tracker.clip(creator, network_id="z")
    tracker.insert("clips", id=clip, network="YouTube", network_id="a", creator=creator)
    tracker.count(clip)
    report = run_import(admin)
    assert admin.execute("select video_limit from subscriptions where blogger_limit = 3").fetchall() == [(7,)]
    assert admin.execute("select id, external_id from blogger_information").fetchall() == [(creator, "z")]
    assert admin.execute("select id from tracked_accounts").fetchall() == [(account,)]
    assert admin.execute("select external_video_id from videos").fetchall() == [("z",)]
    assert [counts(report, view).left_out for view in ("subscriptions", "bloggers", "tracked_accounts", "videos")] == [
        1,
        1,
        1,
        1,
    ]


def test_a_second_row_with_the_id_of_another_blogger_takes_nothing_from_a_third(
    admin: Connection, tracker: Tracker
) -> None:
    twice = tracker.creator(network_id="a")
    tracker.insert("creators", id=twice, network="tiktok", network_id="b")
    other = tracker.creator(network_id="b")
    for _ in range(2):
        tracker.follow(twice, customer=tracker.organization())
    run_import(admin)
    assert admin.execute("select id, external_id from blogger_information order by external_id").fetchall() == [
        (twice, "a"),
        (other, "b"),
    ]


def test_what_was_deleted_here_is_imported_again_with_what_refers_to_it(admin: Connection, tracker: Tracker) -> None:
    person = admin.execute("insert into auth.users default values returning id").fetchall()[0][0]
    tracker.insert("staff", customer=tracker.customer, person=person, rights="owner")
    fill(tracker, creators=1, clips=2)
    run_import(admin)
    admin.execute("delete from thumbnail_queue")
    admin.execute("delete from videos")
    admin.execute("delete from organizations")
    admin.execute("delete from subscription_usage")
    fill(tracker, creators=1, clips=1)
    run_import(admin)
    for table, rows in {
        "organizations": 1,
        "organization_members": 1,
        "subscriptions": 1,
        "tracked_accounts": 2,
        "videos": 3,
        "organization_videos": 3,
        "video_statistics": 6,
    }.items():
        assert (table, admin.execute(f"select count(*) from {table}".encode()).fetchall()) == (table, [(rows,)])  # noqa: S608 - names of the test


def test_an_account_that_follows_another_blogger_now_does_so_here(admin: Connection, tracker: Tracker) -> None:
    account = tracker.follow(tracker.creator())
    run_import(admin)
    right = tracker.creator()
    admin.execute("update tracker.follows set creator = %s", (right,))
    assert counts(run_import(admin), "tracked_accounts").imported == 1
    assert admin.execute("select id, blogger_id from tracked_accounts").fetchall() == [(account, right)]
    assert counts(run_import(admin), "tracked_accounts").unchanged == 1


def test_an_account_that_changes_hands_is_reported_until_the_next_import_takes_it(
    admin: Connection, tracker: Tracker
) -> None:
    renamed = tracker.creator(network_id="a")
    follows = [tracker.follow(renamed)]
    run_import(admin)
    admin.execute("update tracker.creators set network_id = 'c'")
    newcomer = tracker.creator(network_id="a")
    follows.append(tracker.follow(newcomer))
    report = run_import(admin)
    assert "whose account changes: import once more" in reasons(report, "bloggers")[str(newcomer)]
    run_import(admin)
    assert admin.execute("select id, external_id from blogger_information order by external_id").fetchall() == [
        (newcomer, "a"),
        (renamed, "c"),
    ]
    assert set(admin.execute("select id, blogger_id from tracked_accounts")) == {
        *zip(follows, (renamed, newcomer), strict=True)
    }


def test_a_video_that_two_bloggers_have_is_reported_and_stays_with_the_first(
    admin: Connection, tracker: Tracker
) -> None:
    first, second = tracker.creator(), tracker.creator()
    tracker.clip(first, network_id="joint")
    copy = tracker.clip(second, network_id="joint")
    report = run_import(admin)
    assert "names another blogger" in reasons(report, "videos")[str(copy)]
    admin.execute("delete from tracker.clips where creator = %s", (first,))
    report = run_import(admin)
    assert "it stays with that blogger" in reasons(report, "videos")[str(copy)]
    assert admin.execute("select blogger_id from videos").fetchall() == [(first,)]


def test_statistics_of_one_video_and_time_with_other_counts_are_reported(admin: Connection, tracker: Tracker) -> None:
    clip = tracker.clip(tracker.creator())
    for views in (100, 100, 120):
        tracker.count(clip, views=views)
    report = run_import(admin)
    assert counts(report, "statistics").merged == 2
    (reason,) = reasons(report, "statistics").values()
    assert "has other counts" in reason


def test_blanks_around_ids_do_not_make_two_of_one(admin: Connection, tracker: Tracker) -> None:
    kept = tracker.creator(network="YouTube", network_id="UC1")
    tracker.follow(kept)
    tracker.creator(network="YouTube", network_id="\tUC1\r\n")
    tracker.creator(network="YouTube", network_id="\n")
    for number, network_id in enumerate(("v1", "v1\n", "\tv1")):
        tracker.count(tracker.clip(kept, network="YouTube", network_id=network_id), BEGIN + timedelta(hours=number))
    report = run_import(admin)
    assert (counts(report, "bloggers").merged, counts(report, "bloggers").left_out) == (1, 1)
    assert admin.execute("select external_video_id from videos").fetchall() == [("v1",)]


@pytest.mark.parametrize("name", ['O\'Neill "and" sons', "emoji 🎬 und Übermaß", "%s %(first)s {staged} \\", "[/red]"])
def test_names_of_any_characters_are_kept(admin: Connection, tracker: Tracker, name: str) -> None:
    admin.execute("update tracker.customers set title = %s", (name,))
    creator = tracker.creator(handle=name, display=name)
    tracker.insert("labels", customer=tracker.customer, creator=creator, label=name)
    tracker.insert("campaigns", customer=tracker.customer, creator=creator, title=name)
    tracker.count(tracker.clip(creator, network_id=name, title=name))
    run_import(admin)
    for query in (
        "select name from organizations",
        "select username from blogger_information",
        "select tag from blogger_tags",
        "select name from campaigns",
        "select external_video_id from videos",
    ):
        assert admin.execute(query.encode()).fetchall() == [(name,)]


_OTHER_VIDEOS = """
drop view blogger_tracking.legacy_videos;
create view blogger_tracking.legacy_videos as
select
    network as platform, network_id as external_video_id, creator as blogger_id, customer as organization_id,
    address as url, title, image as thumbnail_url, COLUMNS
from tracker.clips
"""


def _replace_videos(connection: Connection, columns: str) -> None:
    """Show the videos of the tracker by a view with other expressions."""
    connection.execute(_OTHER_VIDEOS.replace("COLUMNS", columns).encode())


def test_texts_that_no_index_holds_are_reported(admin: Connection, tracker: Tracker) -> None:
    # Not the same character again and again, which Postgres compresses.
    long = "".join(chr(0x4E00 + number) for number in range(3000))
    _replace_videos(admin, "title as id, published as published_at")
    creator = tracker.creator(handle=long)
    tracker.creator(network_id=long)
    tracker.clip(creator, network_id=long, title="1")
    tracker.clip(creator, title=long)
    tracker.insert("campaigns", customer=tracker.customer, creator=creator, title=long)
    report = run_import(admin)
    assert [counts(report, view).left_out for view in ("bloggers", "videos", "campaigns")] == [1, 2, 1]
    assert counts(report, "bloggers").adjusted == 1


def test_a_view_that_fails_for_one_row_is_named_and_leaves_nothing(admin: Connection, tracker: Tracker) -> None:
    fill(tracker)
    admin.execute(
        "create or replace view blogger_tracking.legacy_tags as "
        "select customer as organization_id, creator as blogger_id, (1 / length(label))::varchar(200) as tag "
        "from tracker.labels"
    )
    tracker.insert("labels", customer=tracker.customer, creator=tracker.creator(), label="")
    before = contents(admin)
    for run in (check_legacy, lambda connection: import_legacy(connection, quiet)):
        with pytest.raises(DatabaseStateError, match=r"cannot be read\. Nothing was .*division by zero"):
            run(admin)
    assert contents(admin) == before


def test_rows_that_a_policy_hides_from_the_owner_of_the_views_are_an_error(admin: Connection, tracker: Tracker) -> None:
    tracker.creator()
    admin.execute(
        "create role careful; grant usage on schema tracker, blogger_tracking to careful; "
        "grant select on tracker.creators to careful; alter table tracker.creators enable row level security; "
        "grant create on schema blogger_tracking to careful; alter view legacy_bloggers owner to careful"
    )
    try:
        with pytest.raises(DatabaseStateError, match=r"Nothing was changed.*row-level security policy.*creators"):
            check_legacy(admin)
    finally:
        admin.execute("drop owned by careful cascade; drop role careful")


def test_the_format_of_dates_of_a_session_changes_nothing(admin: Connection, tracker: Tracker) -> None:
    _replace_videos(admin, "id::text as id, published::timestamptz as published_at")
    tracker.clip(tracker.creator(), published=BEGIN.isoformat())
    admin.execute("set datestyle = 'German'")
    admin.execute("set timezone = 'Asia/Tokyo'")
    run_import(admin)
    admin.execute("reset datestyle")
    admin.execute("reset timezone")
    assert admin.execute("select published_at from videos").fetchall() == [(BEGIN,)]
    before = contents(admin)
    run_import(admin)
    assert contents(admin) == before


def test_an_import_stops_once_another_has_begun_which_takes_everything(
    admin: Connection, tracker: Tracker, server: DatabaseServer, database: str
) -> None:
    fill(tracker)

    def begin_another(line: str) -> None:
        if line.startswith("statistics: 14"):
            with psycopg.connect(server.conninfo(database), autocommit=True) as connection:
                run_import(connection)

    with pytest.raises(DatabaseStateError, match="Another import has begun"):
        import_legacy(admin, begin_another, 7)
    assert admin.execute("select count(*) from video_statistics").fetchone() == (40,)
    assert counts(run_import(admin), "statistics").unchanged == 40


def test_a_connection_that_ends_stops_the_import_with_a_sentence_and_the_next_goes_on(
    admin: Connection, tracker: Tracker, server: DatabaseServer, database: str
) -> None:
    fill(tracker)
    with psycopg.connect(server.conninfo(database), autocommit=True) as connection:
        backend = connection.info.backend_pid

        def end_connection(line: str) -> None:
            if line.startswith("statistics: 7 "):
                admin.execute("select pg_terminate_backend(%s)", (backend,))

        with pytest.raises(DatabaseStateError, match=r"The import stopped at statistics, rows 8 to 14 .* was kept"):
            import_legacy(connection, end_connection, 7)
    assert counts(run_import(admin), "statistics").unchanged == 7


def shorten_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the transactions that begin from now on wait 0.6 seconds for a lock."""
    monkeypatch.setenv("BLOGGER_TRACKING_DATABASE_TIMEOUT_SECONDS", "1.2")
    get_settings.cache_clear()


@pytest.mark.usefixtures("default_settings_afterwards")
def test_an_import_gives_up_its_wait_for_a_table_in_use_and_the_next_goes_on(
    admin: Connection, tracker: Tracker, server: DatabaseServer, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tracker)
    with psycopg.connect(server.conninfo(database)) as other:

        def use_table(line: str) -> None:
            if line.startswith("statistics: 7 "):
                other.execute("lock table blogger_tracking.video_statistics in share mode")
                shorten_timeouts(monkeypatch)

        with pytest.raises(
            DatabaseStateError, match=r"not granted within 0\.6 s.* The rows imported before stay.* again"
        ):
            import_legacy(admin, use_table, 7)
    assert counts(run_import(admin), "statistics").unchanged == 7


@pytest.mark.usefixtures("tracker", "default_settings_afterwards")
def test_an_import_gives_up_its_wait_for_another_that_reads_the_views(
    admin: Connection, server: DatabaseServer, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten_timeouts(monkeypatch)
    with psycopg.connect(server.conninfo(database)) as other:
        other.execute("select pg_advisory_xact_lock(hashtextextended('blogger_tracking.import', 0))")
        with pytest.raises(DatabaseStateError, match=r"another migration or import .* Nothing was imported"):
            import_legacy(admin, quiet)
        with pytest.raises(DatabaseStateError, match=r"another migration or import .* Nothing was changed"):
            check_legacy(admin)


@pytest.mark.skipif(PROGRAM is None, reason=MISSING)
def test_an_owner_behind_a_transaction_mode_pooler_can_import(
    admin: Connection, tracker: Tracker, transaction_pooler: PgBouncer, database: str
) -> None:
    fill(tracker)
    with connect(transaction_pooler.conninfo(database)) as connection:
        assert check_legacy(connection) == run_import(connection)
    assert all(view.imported == 0 for view in run_import(admin).views)


def test_a_table_of_any_kind_may_stand_for_a_view(admin: Connection, tracker: Tracker) -> None:
    creator = tracker.creator()
    admin.execute(
        "drop view legacy_tags; create table blogger_tracking.legacy_tags (organization_id uuid, blogger_id uuid, "
        "tag text) partition by hash (tag); create table blogger_tracking.legacy_tags_all partition of "
        "blogger_tracking.legacy_tags for values with (modulus 1, remainder 0)"
    )
    admin.execute("insert into legacy_tags values (%s, %s, 'food')", (tracker.customer, creator))
    assert counts(run_import(admin), "tags").imported == 1


def test_what_a_killed_import_leaves_is_no_fault_of_the_schema(admin: Connection, tracker: Tracker) -> None:
    fill(tracker)

    def stop(line: str) -> None:
        if line.startswith("videos"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_legacy(admin, stop, 7)
    assert admin.execute("select count(*) from staged_statistics").fetchone() == (40,)
    for check in (check_privileges, check_row_security, check_pipeline_policies, check_outsiders, check_members_writes):
        assert check(admin).status is Status.OK
    run_import(admin)


def test_imports_that_begin_together_take_everything_once(
    admin: Connection, tracker: Tracker, server: DatabaseServer, database: str
) -> None:
    fill(tracker)
    stopped: list[str] = []

    def run() -> None:
        with psycopg.connect(server.conninfo(database), autocommit=True) as connection:
            try:
                import_legacy(connection, quiet, 3)
            except DatabaseStateError as error:
                stopped.append(str(error))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all("Another import has begun" in error for error in stopped)
    assert len(stopped) < len(threads)
    report = run_import(admin)
    assert all(view.imported == 0 for view in report.views)
    assert admin.execute("select count(*) from video_statistics").fetchone() == (40,)


def test_an_import_and_a_run_at_the_same_time_disturb_neither(
    admin: Connection,
    tracker: Tracker,
    build: DatabaseBuilder,
    pool: ConnectionPool,
    server: DatabaseServer,
    database: str,
) -> None:
    fill(tracker, creators=30, clips=2)
    run_import(admin, batch_rows=1000)
    ended = threading.Event()
    errors: list[BaseException] = []

    def fetch() -> None:
        try:
            for number in range(3):
                for fetch_id in fetch_ids(pool, plan(pool)):
                    succeed(pool, claim(pool, fetch_id), 2, first=10 * fetch_id)
                build.run("update runs set ended_at = clock_timestamp() where deployment <> 'imported'")
                del number
        except BaseException as error:  # noqa: BLE001 - reported by the test
            errors.append(error)
        finally:
            ended.set()

    fetching = threading.Thread(target=fetch)
    fetching.start()
    with psycopg.connect(server.conninfo(database), autocommit=True) as connection:
        connection.execute("set search_path = blogger_tracking")
        while not ended.is_set():
            connection.execute("update tracker.creators set followers = coalesce(followers, '0')::integer + 1")
            connection.execute("update tracker.contracts set used = coalesce(used, 0) + 1")
            connection.execute("update tracker.follows set per_day = 1 + (coalesce(per_day, 0) + 1) % 9")
            run_import(connection, batch_rows=5)
    fetching.join()
    assert errors == []
    assert admin.execute(
        "select count(*) from fetches where state = 'succeeded' and task_id <> 'import'"
    ).fetchone() == (90,)
