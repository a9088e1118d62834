from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg
import pytest

from blogger_tracking.domain.errors import DatabaseStateError
from devtools.local_stack.airflow_connections import variable_of
from devtools.local_stack.config import PROJECT_ROOT, StackConfig, StackError
from devtools.local_stack.leftovers import marked_processes, marker
from devtools.local_stack.stack import Stack
from tests.support.waiting import wait_until

_TIMEOUT_SECONDS = 30
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


def _accepts_connections(dsn: str) -> bool:
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
        raise AssertionError("the stack of the other process did not start")
    return owner


def test_a_started_stack_has_a_migrated_database_that_the_pipeline_can_use(databases: Stack) -> None:
    with psycopg.connect(databases.pipeline_dsn) as connection:
        assert connection.execute("select count(*) from blogger_tracking.pipeline_canary").fetchone() == (1,)


def test_the_pipeline_does_not_own_the_schema(databases: Stack) -> None:
    with psycopg.connect(databases.pipeline_dsn) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("drop table blogger_tracking.pipeline_canary")


def test_a_stopped_stack_leaves_no_process_and_no_socket(databases_config: StackConfig) -> None:
    with Stack(databases_config) as stack:
        postmaster = _postmaster(databases_config)
        sockets = Path(str(psycopg.conninfo.conninfo_to_dict(stack.admin_dsn)["host"]))

    assert not postmaster.is_running()
    assert not sockets.exists()
    assert marked_processes(databases_config.folder) == []


def test_the_data_of_a_stack_is_kept_for_its_next_start(databases_config: StackConfig) -> None:
    with Stack(databases_config) as stack, psycopg.connect(stack.admin_dsn) as connection:
        connection.execute("insert into blogger_tracking.organizations (name) values ('Kept')")

    with Stack(databases_config) as stack, psycopg.connect(stack.admin_dsn) as connection:
        assert connection.execute("select name from blogger_tracking.organizations").fetchall() == [("Kept",)]


def test_a_second_stack_in_the_same_folder_is_refused_and_the_first_stays_up(databases: Stack) -> None:
    second = Stack(databases.config)

    with pytest.raises(StackError, match="already running"):
        second.start()
    second.stop()

    assert _accepts_connections(databases.pipeline_dsn)


@pytest.mark.long
def test_a_killed_postgres_is_started_again(databases_config: StackConfig) -> None:
    with Stack(databases_config) as stack:
        # Before that state, supervisord repeats a failed start; afterwards it replaces a process that dies.
        wait_until(lambda: stack.states()["postgres"].state == "RUNNING")
        before = stack.pid("postgres")
        stack.kill("postgres")

        wait_until(
            lambda: stack.states()["postgres"].pid not in {0, before} and _accepts_connections(stack.pipeline_dsn)
        )


def test_processes_left_by_a_killed_owner_are_ended_by_the_next_start(databases_config: StackConfig) -> None:
    with _owned_by_another_process(databases_config.folder) as owner:
        abandoned = _postmaster(databases_config)
        sockets = Path(json.loads((databases_config.folder / "stack.json").read_text())["sockets"])
        owner.kill()

    with Stack(databases_config) as stack:
        assert not abandoned.is_running()
        assert not sockets.exists()
        assert _accepts_connections(stack.pipeline_dsn)


def test_a_process_outside_the_supervisor_is_ended_with_the_stack(databases_config: StackConfig) -> None:
    with Stack(databases_config):
        inherited = {**os.environ, **marker(databases_config.folder)}
        orphan = subprocess.Popen([sys.executable, "-c", _SLEEP], env=inherited, start_new_session=True)
        watched = psutil.Process(orphan.pid)

    assert not watched.is_running()
    orphan.wait(_TIMEOUT_SECONDS)


def test_a_folder_may_have_a_long_path_and_an_unusual_name(folder: Path) -> None:
    unusual = folder / "a folder with 100%(name)s" / ("deep" * 30) / "var"

    with Stack(StackConfig(folder=unusual, only_databases=True)) as stack:
        assert _accepts_connections(stack.pipeline_dsn)


def test_a_stack_that_fails_to_start_leaves_no_process(databases_config: StackConfig) -> None:
    with Stack(databases_config) as stack, psycopg.connect(stack.admin_dsn, autocommit=True) as connection:
        connection.execute(
            "insert into blogger_tracking.schema_migrations (version, name, sha256)"
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
        assert _accepts_connections(stack.pipeline_dsn)
        assert not stack.is_self_contained
