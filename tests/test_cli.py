"""The operators' command line on a real Postgres."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from psycopg import Connection
from psycopg_pool import ConnectionPool
from rich.console import Console

from blogger_tracking import cli
from blogger_tracking.database.connections import connect
from blogger_tracking.database.invariants import INVARIANTS
from blogger_tracking.database.migrate import known_migrations
from blogger_tracking.database.runs import RunKey
from blogger_tracking.domain.errors import ConfigurationError
from blogger_tracking.settings import get_settings
from devtools.local_stack.config import PROJECT_ROOT
from tests.support.database_builder import DatabaseBuilder
from tests.support.database_server import DatabaseServer
from tests.support.ledger_steps import claim, fetch_ids, plan, succeed
from tests.support.old_system import OldSystem
from tests.support.waiting import wait_until

_WAITING = """
select count(*) > 0
from pg_stat_activity
where wait_event_type = 'Lock' and datname = current_database()
"""

EARLIER_SYSTEMS = Path(__file__).parent / "usecases" / "earlier_systems"


class Screen:
    """A console of 120 columns, and the text that was printed on it."""

    def __init__(self) -> None:
        self._output = StringIO()
        self.console = Console(file=self._output, width=120)

    @property
    def text(self) -> str:
        return self._output.getvalue()

    def line(self, beginning: str) -> list[str]:
        """Return the words of the only line that begins with this word."""
        (words,) = [line.split() for line in self.text.splitlines() if line.split()[:1] == [beginning]]
        return words


@pytest.fixture
def screen() -> Screen:
    return Screen()


@pytest.fixture
def pipeline(pipeline_conninfo: str) -> Iterator[Connection]:
    with connect(pipeline_conninfo) as connection:
        yield connection


@pytest.fixture
def parked(build: DatabaseBuilder, pool: ConnectionPool) -> int:
    """A parked message, the only one of its queue."""
    build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool))
    succeed(pool, claim(pool, fetch_id), returned=1)
    message_id: int = build.value(
        "update thumbnail_queue set parked_at = clock_timestamp(), last_error = 'HTTP 404' returning id"
    )
    return message_id


def test_verify_prints_each_invariant_on_one_line_with_its_sentence(pipeline: Connection, screen: Screen) -> None:
    assert cli.verify(pipeline, screen.console) == 0
    for invariant in INVARIANTS:
        assert screen.line(invariant.name) == [invariant.name, "0", *invariant.sentence.split()]


def test_verify_fails_if_an_organization_is_charged_beyond_its_allocations(
    build: DatabaseBuilder, pipeline: Connection, screen: Screen
) -> None:
    build.organization()
    build.run("update subscription_usage set videos_fetched = 3")
    assert cli.verify(pipeline, screen.console) == 1
    assert screen.line("ledger_is_usage")[1] == "1"
    assert screen.line("lost")[1] == "0"


def test_queues_shows_the_counts_and_the_parked_messages_with_their_reasons(
    pipeline: Connection, screen: Screen, parked: int
) -> None:
    assert cli.show_queues(pipeline, screen.console) == 0
    assert ["high_priority_queue", "0", "0", "0"] in [line.split() for line in screen.text.splitlines()]
    assert ["thumbnail_queue", "0", "0", "1"] in [line.split() for line in screen.text.splitlines()]
    assert ["thumbnail_queue", str(parked), "0", "HTTP", "404"] in [line.split() for line in screen.text.splitlines()]


@pytest.mark.usefixtures("parked")
def test_requeue_returns_parked_messages_to_their_queues(
    build: DatabaseBuilder, pipeline: Connection, screen: Screen
) -> None:
    assert cli.requeue(pipeline, screen.console) == 0
    assert "thumbnail_queue: 1 parked messages returned to the queue." in screen.text
    assert build.value("select count(*) from thumbnail_queue where parked_at is null") == 1


def test_end_runs_asks_and_ends_the_open_runs_of_a_deployment(
    build: DatabaseBuilder,
    pool: ConnectionPool,
    pipeline: Connection,
    screen: Screen,
    capsys: pytest.CaptureFixture[str],
) -> None:
    build.track(build.organization())
    plan(pool, RunKey("gone", "blogger_batch_fetch", "a run"))
    assert not cli.confirm_end_of_runs(pipeline, deployment="gone")
    assert "Open runs of the deployment gone: a run." in capsys.readouterr().out
    assert build.value("select state from fetches") == "planned"
    assert cli.end_runs(pipeline, screen.console, deployment="gone") == 0
    assert screen.text == "a run of blogger_batch_fetch was ended: 1 unfinished fetches released.\n"
    assert build.value("select state from fetches") == "released"
    assert cli.confirm_end_of_runs(pipeline, deployment="gone")
    assert cli.end_runs(pipeline, screen.console, deployment="gone") == 0
    assert "The deployment gone has no open run." in screen.text


def test_migrate_names_the_applied_migrations_and_changes_nothing_the_second_time(server: DatabaseServer) -> None:
    server.execute("create database unmigrated")
    first, second = Screen(), Screen()
    try:
        with connect(server.conninfo("unmigrated")) as connection:
            assert cli.migrate(connection, first.console) == 0
            assert cli.migrate(connection, second.console) == 0
    finally:
        server.execute("drop database unmigrated with (force)")
    assert first.text.split() == [f"{migration.version}_{migration.name}" for migration in known_migrations()]
    assert second.text == "Nothing to apply.\n"


def test_compare_prints_the_totals_and_writes_the_files(
    admin: Connection,
    server: DatabaseServer,
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    old = OldSystem(admin)
    for day in (9, 10, 12):
        old.video(old.blogger(), f"video-{day}", [(datetime(2026, 11, day, tzinfo=UTC), 1)])
    folder = str(server.socket.parent).replace("/", "%2F")
    monkeypatch.setenv("AIRFLOW_CONN_BLOGGER_DB", f"postgresql://pipeline_login@/{database}?host={folder}")
    window = ["--since", "2026-11-10", "--until", "2026-11-12T00:00"]
    assert cli.main(["compare", *window, "--output", str(tmp_path / "new")]) == 0
    written = json.loads((tmp_path / "new" / "compare.json").read_text())
    assert (written["since"], written["count_tolerance"]) == ("2026-11-10T00:00:00+00:00", 0.05)
    assert [each["external_video_id"] for each in written["differences"]] == ["video-10"]
    assert "<h1>" in (tmp_path / "new" / "compare.html").read_text()
    printed = capsys.readouterr().out
    assert ["total", "0", "1", "0", "0", "0", "0", "0"] in [line.split() for line in printed.splitlines()]
    assert "Of the 0 videos that both systems have, 0 have counts of both" in printed


def test_the_default_window_of_a_comparison_is_the_last_seven_days(
    admin: Connection, pipeline: Connection, screen: Screen, tmp_path: Path
) -> None:
    old, now = OldSystem(admin), datetime.now(UTC)
    for days in (1, 6, 8):
        old.video(old.blogger(), f"video-{days}", [(now - timedelta(days=days), 1)])
    assert cli.compare(pipeline, screen.console, output=tmp_path) == 0
    assert screen.line("total")[2] == "2"


def test_a_command_uses_the_airflow_connection_and_returns_its_exit_code(
    build: DatabaseBuilder,
    server: DatabaseServer,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = str(server.socket.parent).replace("/", "%2F")
    monkeypatch.setenv("AIRFLOW_CONN_BLOGGER_DB", f"postgresql://pipeline_login@/{database}?host={folder}")
    assert cli.main(["verify"]) == 0
    build.organization()
    build.run("update subscription_usage set videos_fetched = 3")
    assert cli.main(["verify"]) == 1
    assert "ledger_is_usage" in capsys.readouterr().out


@pytest.fixture
def owner_connection(server: DatabaseServer, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Connection `blogger_db_admin` to the database of the test."""
    folder = str(server.socket.parent).replace("/", "%2F")
    monkeypatch.setenv("AIRFLOW_CONN_BLOGGER_DB_ADMIN", f"postgresql://postgres@/{database}?host={folder}")


@pytest.mark.usefixtures("owner_connection")
def test_a_blogger_is_removed_with_its_stored_thumbnails_after_a_yes_and_the_command_may_be_repeated(
    build: DatabaseBuilder,
    pool: ConnectionPool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool))
    succeed(pool, claim(pool, fetch_id), returned=2)
    build.run("update blogger_information set username = 'Some.Name'")
    thumbnail = tmp_path / "tiktok" / "video-1.jpg"
    thumbnail.parent.mkdir()
    thumbnail.write_bytes(b"thumbnail")
    build.run(
        "update videos set thumbnail_path = %(path)s where external_video_id = 'video-1'", path=f"file://{thumbnail}"
    )
    monkeypatch.setenv("BLOGGER_TRACKING_THUMBNAIL_STORAGE", f"file://{tmp_path}")
    get_settings.cache_clear()

    assert cli.main(["remove-blogger", "tiktok", "@some.name"]) == 1
    asked = capsys.readouterr()
    assert ["videos", "2"] in [line.split() for line in asked.out.splitlines()]
    assert "Nothing was removed." in asked.err
    assert build.value("select count(*) from videos") == 2

    for expected in ("Removed: @Some.Name", "There is no blogger @some.name of TikTok. Nothing to remove."):
        assert cli.main(["remove-blogger", "tiktok", "@some.name", "--yes"]) == 0
        assert expected in capsys.readouterr().out
    assert build.value("select count(*) from blogger_information") == 0
    assert not thumbnail.exists()


@pytest.mark.usefixtures("owner_connection")
def test_a_person_and_an_organization_are_removed_after_a_yes(
    build: DatabaseBuilder, capsys: pytest.CaptureFixture[str]
) -> None:
    organization = build.organization()
    person = build.member(organization)
    account = build.track(organization).tracking_id
    build.run("update tracked_accounts set user_id = %(id)s where id = %(account)s", id=person, account=account)
    commands = (["remove-person", str(person)], ["remove-organization", str(organization)])
    for command in commands:
        assert cli.main(command) == 1
    assert build.value("select count(*) from organization_members") == 1
    capsys.readouterr()
    for command in commands:
        assert cli.main([*command, "--yes"]) == 0
    of_person, of_organization = capsys.readouterr().out.split("Removed: ")
    assert "Rows that name the person" in of_person
    assert ["tracked_accounts", "1"] in [line.split() for line in of_person.splitlines()]
    assert ["organizations", "1"] in [line.split() for line in of_organization.splitlines()]
    assert build.value("select count(*) from organizations") == 0


@pytest.mark.parametrize("arguments", [["remove-person", "nobody"], ["remove-blogger", "Vine", "name"]])
def test_a_subject_that_cannot_exist_is_refused_before_a_connection(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main(arguments)
    assert arguments[1] in capsys.readouterr().err


def test_an_import_is_checked_made_and_reported_in_a_file(
    admin: Connection,
    server: DatabaseServer,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = str(server.socket.parent).replace("/", "%2F")
    monkeypatch.setenv("AIRFLOW_CONN_BLOGGER_DB_ADMIN", f"postgresql://postgres@/{database}?host={folder}")
    assert cli.main(["import-check"]) == 1
    assert "There is no view blogger_tracking.legacy_videos." in capsys.readouterr().err
    admin.execute((EARLIER_SYSTEMS / "tracker.sql").read_bytes())
    admin.execute("insert into tracker.creators (id, network) values (gen_random_uuid(), 'tiktok')")
    admin.execute("insert into tracker.customers (id, title) values (gen_random_uuid(), 'Agency')")

    assert cli.main(["import-check"]) == 0
    assert "Nothing was changed." in capsys.readouterr().out
    assert admin.execute("select count(*) from organizations").fetchone() == (0,)

    assert cli.main(["import"]) == 0
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["legacy_organizations", "1", "1", "0", "0", "0", "0"] in printed
    assert ["legacy_bloggers", "1", "0", "0", "0", "1", "0"] in printed
    (row,) = json.loads((tmp_path / "var" / "import-report.json").read_text(encoding="utf-8"))["rows"]
    assert (row["view"], row["outcome"]) == ("bloggers", "left out")


def test_an_import_is_refused_before_it_begins_if_its_report_cannot_be_written(
    admin: Connection,
    server: DatabaseServer,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "var").write_text("a file where the folder should be")
    folder = str(server.socket.parent).replace("/", "%2F")
    monkeypatch.setenv("AIRFLOW_CONN_BLOGGER_DB_ADMIN", f"postgresql://postgres@/{database}?host={folder}")
    admin.execute((EARLIER_SYSTEMS / "tracker.sql").read_bytes())
    admin.execute("insert into tracker.customers (id, title) values (gen_random_uuid(), 'Agency')")
    for command in ("import-check", "import"):
        assert cli.main([command]) == 1
        error = capsys.readouterr().err
        assert "var/import-report.json cannot be written" in error
        assert "Nothing was done." in error
    assert admin.execute("select count(*) from organizations").fetchone() == (0,)


def test_a_comparison_is_refused_before_it_begins_if_its_files_cannot_be_written(
    admin: Connection, pipeline: Connection, screen: Screen, tmp_path: Path
) -> None:
    OldSystem(admin)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"file/compare\.json cannot be written: .* Nothing was done\."):
        cli.compare(pipeline, screen.console, output=tmp_path / "file")
    assert screen.text == ""


@pytest.mark.parametrize("tolerance", ["nan", "-0.1", "1.5", "inf", "five"])
def test_a_tolerance_that_is_no_share_is_refused(tolerance: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["compare", "--tolerance", tolerance])
    assert "--tolerance" in capsys.readouterr().err


def test_a_name_in_brackets_is_printed_as_it_is(
    admin: Connection, pipeline: Connection, screen: Screen, tmp_path: Path
) -> None:
    old = OldSystem(admin)
    blogger = old.blogger()
    admin.execute("update old.creators set handle = '[/red]'")
    old.video(blogger, "video-1", [(datetime.now(UTC), 1)])
    assert cli.compare(pipeline, screen.console, output=tmp_path) == 0
    assert "@[/red]" in screen.text


@pytest.mark.parametrize(
    ("option", "value", "advice"),
    [
        ("--since", "yesterday", "ISO 8601, such as"),
        ("--tolerance", "5", "from 0 to 1"),
        ("--tolerance", "x", "0 to 1"),
    ],
)
def test_an_option_with_a_wrong_value_is_refused_with_its_form(
    capsys: pytest.CaptureFixture[str], option: str, value: str, advice: str
) -> None:
    with pytest.raises(SystemExit):
        cli.main(["compare", option, value])

    refused = capsys.readouterr().err
    assert advice in refused
    assert repr(value) in refused


def test_the_template_of_the_views_is_printed_without_a_database(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["legacy-views"]) == 0
    assert "create or replace view blogger_tracking.legacy_statistics as" in capsys.readouterr().out


NOTHING_CHANGED = ("The transaction of this error changed nothing", "Let the Connection blogger_db_admin name")
NOTHING_REMOVED = ("Nothing was removed", "Set the Connection blogger_db_admin to that login")


@pytest.mark.parametrize(
    ("command", "sentences"),
    [("migrate", NOTHING_CHANGED), ("migrate-sql", NOTHING_CHANGED), ("uninstall --yes", NOTHING_REMOVED)],
)
def test_a_command_of_the_owner_names_the_connection_if_its_login_may_not_execute_the_command(
    admin: Connection,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    sentences: tuple[str, str],
) -> None:
    folder = admin.info.host.replace("/", "%2F")
    monkeypatch.setenv("AIRFLOW_CONN_BLOGGER_DB_ADMIN", f"postgresql://outsider@/{admin.info.dbname}?host={folder}")
    admin.execute("create role outsider login")
    try:
        assert cli.main(command.split()) == 1
    finally:
        admin.execute("drop role outsider")

    refused = capsys.readouterr().err
    assert refused.count("\n") == 1
    assert "permission denied for schema blogger_tracking" in refused
    assert all(sentence in refused for sentence in sentences)


def test_the_views_of_an_earlier_system_that_the_login_may_not_read_are_reported_as_a_missing_grant(
    admin: Connection,
    server: DatabaseServer,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = str(server.socket.parent).replace("/", "%2F")
    monkeypatch.setenv("AIRFLOW_CONN_BLOGGER_DB_ADMIN", f"postgresql://pipeline_login@/{database}?host={folder}")
    admin.execute((EARLIER_SYSTEMS / "tracker.sql").read_bytes())
    admin.execute("revoke select on all tables in schema blogger_tracking from blogger_pipeline")
    admin.execute("grant select on blogger_tracking.schema_migrations, pipeline_canary to blogger_pipeline")

    assert cli.main(["import-check"]) == 1

    refused = capsys.readouterr().err
    assert "Nothing was changed. Connect as the owner of the schema, and grant that login select" in refused


def test_the_result_of_an_import_and_of_a_comparison_is_printed_even_if_the_disk_is_full(
    admin: Connection,
    screen: Screen,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "var").mkdir()
    for file in ("import-report.json", "compare.json"):
        (tmp_path / "var" / file).symlink_to("/dev/full")
    admin.execute((EARLIER_SYSTEMS / "tracker.sql").read_bytes())

    assert cli.run_import(admin, screen.console) == 1
    assert "The import is complete." in screen.text
    assert cli.compare(admin, screen.console) == 1
    assert "have counts of both in the window" in screen.text

    assert capsys.readouterr().err.count("was not written: ") == 2


@pytest.mark.parametrize(("variable", "value"), [("FETCH_THREADS", "many"), ("ALLOWED_ORIGINS", "[")])
def test_an_invalid_setting_is_named_in_one_line_before_the_database_is_used(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str, value: str
) -> None:
    monkeypatch.setenv(f"BLOGGER_TRACKING_{variable}", value)

    assert cli.main(["verify"]) == 1

    refused = capsys.readouterr().err
    assert refused.count("\n") == 1
    assert f"BLOGGER_TRACKING_{variable}: " in refused
    assert "Nothing was changed" in refused


@contextmanager
def interruptible_children() -> Generator[None]:
    """Let child processes take SIGINT: a shell makes what it starts in the background, and its children, ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_interrupted_command_says_what_was_kept(
    admin: Connection, server: DatabaseServer, database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = str(server.socket.parent).replace("/", "%2F")
    monkeypatch.setenv("AIRFLOW_CONN_BLOGGER_DB", f"postgresql://pipeline_login@/{database}?host={folder}")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    with (
        interruptible_children(),
        connect(server.conninfo(database)) as other,
        other.transaction(force_rollback=True),
    ):
        other.execute("lock table blogger_tracking.high_priority_queue")
        with subprocess.Popen(
            [sys.executable, "-m", "blogger_tracking.cli", "requeue"],
            env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT / "include")},
            stderr=subprocess.PIPE,
            text=True,
        ) as waiting:
            wait_until(lambda: admin.execute(_WAITING).fetchone() == (True,), 60)
            waiting.send_signal(signal.SIGINT)
            _, printed = waiting.communicate(timeout=60)

    assert waiting.returncode == 130
    assert printed.startswith("Interrupted. ")
    assert "Traceback" not in printed


def test_an_error_is_one_line_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BLOGGER_DB", "postgresql://pipeline_login@/bloggers?host=%2Fnowhere")
    assert cli.main(["verify"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Cannot connect to the database" in printed.err
    assert printed.err.count("\n") == 1
    assert "?." not in printed.err
