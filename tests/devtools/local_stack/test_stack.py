from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg
import pytest

from blogger_tracking.domain.errors import DatabaseStateError
from devtools.local_stack.airflow_connections import variable_of
from devtools.local_stack.config import PROJECT_ROOT, StackConfig
from devtools.local_stack.errors import StackError
from devtools.local_stack.leftovers import marked_processes, marker
from devtools.local_stack.stack import Stack

_PATIENCE_SECONDS = 30
_SLEEP = "import time; time.sleep(600)"
_KEEP_UP = """
import sys, time
from pathlib import Path
from devtools.local_stack.config import StackConfig
from devtools.local_stack.stack import Stack
with Stack(StackConfig(folder=Path(sys.argv[1]), only_databases=True)):
    print("up", flush=True)
    time.sleep(600)
"""


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen in time")
        time.sleep(0.05)


def _answers(dsn: str) -> bool:
    try:
        psycopg.connect(dsn).close()
    except psycopg.OperationalError:
        return False
    return True


def _postmaster(config: StackConfig) -> psutil.Process:
    return psutil.Process(int((config.postgres_data / "postmaster.pid").read_text().split()[0]))


def _owned_by_another_process(folder: Path) -> subprocess.Popen[str]:
    owner = subprocess.Popen(
        [sys.executable, "-c", _KEEP_UP, str(folder)],
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT / "include")},
        cwd=PROJECT_ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    if owner.stdout is None or owner.stdout.readline() != "up\n":
        raise AssertionError("the other process' stack did not come up")
    return owner


def test_a_started_stack_has_a_migrated_database_that_the_pipeline_can_use(databases: Stack) -> None:
    with psycopg.connect(databases.pipeline_dsn) as connection:
        assert connection.execute("select count(*) from pipeline_canary").fetchone() == (1,)


def test_the_pipeline_does_not_own_the_schema(databases: Stack) -> None:
    with psycopg.connect(databases.pipeline_dsn) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("drop table pipeline_canary")


def test_a_stopped_stack_leaves_no_process_and_no_socket(databases_config: StackConfig) -> None:
    with Stack(databases_config) as stack:
        postmaster = _postmaster(databases_config)
        sockets = Path(str(psycopg.conninfo.conninfo_to_dict(stack.admin_dsn)["host"]))

    assert not postmaster.is_running()
    assert not sockets.exists()
    assert marked_processes(databases_config.folder) == []


def test_what_a_stack_stored_is_there_the_next_time(databases_config: StackConfig) -> None:
    with Stack(databases_config) as stack, psycopg.connect(stack.admin_dsn) as connection:
        connection.execute("insert into organizations (name) values ('Kept')")

    with Stack(databases_config) as stack, psycopg.connect(stack.admin_dsn) as connection:
        assert connection.execute("select name from organizations").fetchall() == [("Kept",)]


def test_a_second_stack_in_the_same_folder_is_refused_and_the_first_goes_on(databases: Stack) -> None:
    second = Stack(databases.config)

    with pytest.raises(StackError, match="already running"):
        second.start()
    second.stop()

    assert _answers(databases.pipeline_dsn)


def test_a_postgres_that_dies_is_started_again(databases_config: StackConfig) -> None:
    with Stack(databases_config) as stack:
        # One that dies right after its start is tried again in any case.
        _wait_until(lambda: stack.states()["postgres"].state == "RUNNING")
        before = stack.pid("postgres")
        stack.kill("postgres")

        _wait_until(lambda: stack.states()["postgres"].pid not in {0, before} and _answers(stack.pipeline_dsn))


def test_what_a_killed_owner_left_running_is_ended_by_the_next_start(databases_config: StackConfig) -> None:
    with _owned_by_another_process(databases_config.folder) as owner:
        abandoned = _postmaster(databases_config)
        sockets = Path(json.loads((databases_config.folder / "stack.json").read_text())["sockets"])
        owner.kill()

    with Stack(databases_config) as stack:
        assert not abandoned.is_running()
        assert not sockets.exists()
        assert _answers(stack.pipeline_dsn)


def test_a_process_that_nobody_supervises_any_more_does_not_outlive_the_stack(databases_config: StackConfig) -> None:
    with Stack(databases_config):
        inherited = {**os.environ, **marker(databases_config.folder)}
        orphan = subprocess.Popen([sys.executable, "-c", _SLEEP], env=inherited, start_new_session=True)
        watched = psutil.Process(orphan.pid)

    assert not watched.is_running()
    orphan.wait(_PATIENCE_SECONDS)


def test_a_folder_may_lie_deep_and_have_an_unusual_name(folder: Path) -> None:
    unusual = folder / "a folder with 100%(name)s" / ("deep" * 30) / "var"

    with Stack(StackConfig(folder=unusual, only_databases=True)) as stack:
        assert _answers(stack.pipeline_dsn)


def test_a_stack_that_fails_to_start_leaves_nothing_behind(databases_config: StackConfig) -> None:
    with Stack(databases_config) as stack, psycopg.connect(stack.admin_dsn, autocommit=True) as connection:
        connection.execute(
            "insert into supabase_migrations.schema_migrations (version, statements, name)"
            " values ('29990101000000', '{}', 'of_the_future')"
        )

    with pytest.raises(DatabaseStateError, match="29990101000000"):
        Stack(databases_config).start()

    assert marked_processes(databases_config.folder) == []
    assert not (databases_config.postgres_data / "postmaster.pid").exists()


def test_a_database_of_the_users_own_is_used_instead_of_an_embedded_one(
    databases: Stack, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable_of("blogger_db"), databases.environment()[variable_of("blogger_db")])
    config = replace(databases.config, folder=folder)

    with Stack(config) as stack:
        assert stack.states() == {}
        assert _answers(stack.pipeline_dsn)
        assert not stack.is_self_contained
