from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path

import psutil
import psycopg
import pytest
import requests

from devtools.local_stack.airflow_connections import http_connection, variable_of
from devtools.local_stack.cli import main
from devtools.local_stack.config import BLOGGERS_PAGE, LOOPBACK, PROJECT_ROOT, StackConfig
from devtools.local_stack.leftovers import marked_processes
from devtools.local_stack.stack import Stack
from tests.support.database_builder import DatabaseBuilder

_TIMEOUT_SECONDS = 60


def _command(*arguments: str, folder: Path) -> list[str]:
    return [sys.executable, "-m", "devtools.local_stack", *arguments, "--folder", str(folder)]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PROJECT_ROOT / "include")}


def _wait_for_the_migration_of_airflow(starting: subprocess.Popen[str]) -> None:
    if starting.stdout is None or not any("Migrating Airflow" in line for line in starting.stdout):
        raise AssertionError("the start ended before the migration of Airflow's database")


def test_verify_prints_every_invariant_of_a_stack_that_is_down(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "--folder", str(folder)]) == 0

    assert "ledger_is_usage" in capsys.readouterr().out


def test_verify_uses_the_database_of_the_stack_that_is_up(databases: Stack) -> None:
    assert main(["verify", "--folder", str(databases.config.folder)]) == 0


def test_verify_fails_when_an_invariant_is_violated(databases_config: StackConfig) -> None:
    with Stack(databases_config) as stack, psycopg.connect(stack.admin_dsn, autocommit=True) as connection:
        build = DatabaseBuilder(connection)
        build.organization()
        build.run("update subscription_usage set videos_fetched = 3")

    assert main(["verify", "--folder", str(databases_config.folder)]) == 1


def test_doctor_checks_the_database_of_a_stack_that_is_down(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--folder", str(folder)]) == 0

    printed = capsys.readouterr().out
    assert "canary" in printed
    assert "make up" in printed


def test_doctor_checks_the_parts_of_the_stack_that_is_up(databases: Stack, capfd: pytest.CaptureFixture[str]) -> None:
    # This stack has no Airflow, whose address is known all the same.
    assert main(["doctor", "--folder", str(databases.config.folder)]) == 1

    faults = [line.split()[1] for line in capfd.readouterr().out.splitlines() if line.startswith("fault")]
    assert faults == ["airflow_api"]


def test_doctor_checks_the_users_own_connections(
    own_database: Callable[[str], None], folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    own_database("blogger_db")

    assert main(["doctor", "--folder", str(folder)]) == 1

    printed = capfd.readouterr().out
    assert re.search(r"^ok +blogger_db ", printed, re.MULTILINE)
    assert "export AIRFLOW_CONN_AIRFLOW_API=" in printed


def test_a_second_stack_is_refused_with_the_command_that_stops_the_first(
    databases: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["up", "--folder", str(databases.config.folder)]) == 1

    assert "make down" in capsys.readouterr().err


def test_a_taken_port_ends_a_start_with_one_line_and_leaves_no_file(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = folder / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with socket.create_server((LOOPBACK, 0)) as server:
        port = str(server.getsockname()[1])

        assert main(["up", "--folder", str(folder), "--api-port", port]) == 1

    assert capsys.readouterr().err.strip().count("\n") == 0
    assert list(temporary.iterdir()) == []


def test_down_reports_that_no_stack_is_running(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["down", "--folder", str(folder)]) == 0

    assert "No stack is running" in capsys.readouterr().out


def test_compare_needs_a_database_of_the_users_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "--folder", str(folder)]) == 1

    assert "AIRFLOW_CONN_BLOGGER_DB" in capsys.readouterr().err


def test_compare_passes_its_options_on(
    own_database: Callable[[str], None], folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    own_database("blogger_db")

    assert main(["compare", "--folder", str(folder), "--since", "2026-11-02", "--until", "2026-11-01"]) == 1

    assert "begins at 2026-11-02" in capfd.readouterr().err


def test_an_unknown_option_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["verify", "--since", "2026-11-02"])

    assert "--since" in capsys.readouterr().err


def test_migrate_needs_the_owner_of_the_users_own_database(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable_of("blogger_db"), "postgresql://me@db.example/bloggers")

    assert main(["migrate", "--folder", str(folder)]) == 1

    assert "AIRFLOW_CONN_BLOGGER_DB_ADMIN" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["import-check", "import", "uninstall"])
def test_an_import_and_an_uninstallation_need_a_database_of_the_users_own(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert main([command, "--folder", str(folder)]) == 1

    assert "Set AIRFLOW_CONN_BLOGGER_DB_ADMIN to the schema's owner" in capsys.readouterr().err


@pytest.fixture
def own_database(databases: Stack, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A function that gives a Connection of a running stack as that of the user's own database."""

    def give(connection_id: str) -> None:
        variable = variable_of(connection_id)
        monkeypatch.setenv(variable, databases.environment()[variable])

    return give


def test_migrate_changes_nothing_in_a_migrated_database_of_the_users_own(
    own_database: Callable[[str], None], folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    own_database("blogger_db_admin")

    assert main(["migrate", "--folder", str(folder)]) == 0

    assert "Nothing to apply" in capfd.readouterr().out


def test_verify_checks_the_users_own_database_and_keeps_airflows_files_below_the_folder(
    own_database: Callable[[str], None], folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    own_database("blogger_db")

    assert main(["verify", "--folder", str(folder)]) == 0

    assert "ledger_is_usage" in capfd.readouterr().out
    assert list((folder / "airflow").iterdir())
    assert not (folder / "postgres").exists()


@pytest.mark.parametrize("command", ["verify", "queues", "requeue", "doctor"])
def test_the_stacks_own_database_is_not_used_instead_of_one_whose_owner_alone_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.setenv(variable_of("blogger_db_admin"), "postgresql://me@db.example/bloggers")

    assert main([command, "--folder", str(folder)]) == 1

    assert "Set AIRFLOW_CONN_BLOGGER_DB," in capsys.readouterr().err
    assert not (folder / "postgres").exists()


@pytest.mark.parametrize("command", ["up", "doctor"])
def test_an_invalid_setting_ends_a_command_before_a_process_is_started(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.setenv("BLOGGER_TRACKING_FETCH_THREADS", "many")

    assert main([command, "--folder", str(folder)]) == 1

    assert "BLOGGER_TRACKING_FETCH_THREADS: " in capsys.readouterr().err
    assert not (folder / "postgres").exists()


@pytest.mark.parametrize("command", ["run", "up"])
def test_the_sandbox_is_not_fetched_into_a_database_of_the_users_own(
    databases: Stack, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    variable = variable_of("blogger_db")
    monkeypatch.setenv(variable, databases.environment()[variable])
    monkeypatch.setenv(variable_of("youtube_api"), http_connection("https://www.googleapis.com/youtube/v3", "KEY"))

    assert main([command, "--folder", str(folder)]) == 1

    refused = capsys.readouterr().err
    assert "Set AIRFLOW_CONN_TIKTOK_API, AIRFLOW_CONN_INSTAGRAM_API, or unset AIRFLOW_CONN_BLOGGER_DB" in refused
    assert marked_processes(folder) == []


@pytest.mark.airflow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_start_leaves_no_process(folder: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        _command("up", folder=folder),
        env=_environment(),
        cwd=PROJECT_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as starting:
        _wait_for_the_migration_of_airflow(starting)
        postmaster = psutil.Process(int((folder / "postgres" / "postmaster.pid").read_text().split()[0]))

        starting.send_signal(number)

        assert starting.wait(_TIMEOUT_SECONDS) == 128 + number
    assert marked_processes(folder) == []
    assert not postmaster.is_running()


@pytest.mark.airflow
def test_up_prints_the_addresses_of_the_stack_that_down_ends(folder: Path) -> None:
    with subprocess.Popen(
        _command("up", folder=folder),
        env=_environment(),
        cwd=PROJECT_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as starting:
        assert starting.stdout is not None
        printed = "".join(takewhile(lambda line: "`make down`" not in line, starting.stdout))
        found = re.search(r"^Bloggers +(\S+)\nAirflow +(\S+)\nlogin ", printed, re.MULTILINE)
        assert found
        assert found[1] == f"{found[2]}{BLOGGERS_PAGE}"
        assert requests.get(found[2], timeout=_TIMEOUT_SECONDS).ok
        owner = json.loads((folder / "stack.json").read_text())["pid"]

        assert owner == starting.pid
        assert main(["down", "--folder", str(folder)]) == 0

    assert marked_processes(folder) == []
