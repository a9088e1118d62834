"""Databases of other applications: the project touches nothing outside its schema, whatever names the host has used."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import Connection

from blogger_tracking.database import migrate
from blogger_tracking.database.connections import open_pool
from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.database.migrate import Migration, apply_migrations, known_migrations, print_migrations
from blogger_tracking.database.uninstall import read_contents, require_removable, uninstall
from blogger_tracking.domain.errors import DatabaseStateError
from tests.support.database_builder import DatabaseBuilder
from tests.support.database_server import DatabaseServer
from tests.support.ledger_steps import claim, fetch_ids, plan, succeed

HOSTS = Path(__file__).parent / "hosts"
ADOPTION = Path(os.environ.get("TEST_ADOPTION_DATABASES", "not given"))
"""Folder of further databases to be a guest in. They are not part of the project."""

_numbers = itertools.count()

OWN_HOSTS = {
    "empty": (),
    "supabase": (HOSTS / "supabase.sql",),
    "busy": (HOSTS / "supabase.sql", HOSTS / "busy.sql"),
    "predecessor": (HOSTS / "supabase.sql", HOSTS / "predecessor.sql"),
}
MORE_HOSTS = {
    f"adoption/{name}": (ADOPTION / "supabase_base.sql", *(ADOPTION / f"{each}.sql" for each in more))
    for name, more in {"base": (), "lived_in": ("lived_in",), "original": ("original",)}.items()
}
ALL_HOSTS = [
    *OWN_HOSTS.items(),
    *(
        pytest.param(
            name,
            files,
            marks=pytest.mark.skipif(
                not files[0].exists(), reason="TEST_ADOPTION_DATABASES names no folder of databases"
            ),
            id=name,
        )
        for name, files in MORE_HOSTS.items()
    ),
]

STAND_INS = ("schema auth", "relation auth ", "column auth.", "constraint auth.", "function auth.")
"""Beginnings of the facts that an empty database may have in addition, until the project is uninstalled."""

Host = Callable[[str, tuple[Path, ...]], Connection]


@pytest.fixture
def host(server: DatabaseServer) -> Iterator[Host]:
    """Create the database of a host and connect as its owner."""
    connections: list[Connection] = []

    def create(name: str, files: tuple[Path, ...]) -> Connection:
        database = f"host_{next(_numbers)}"
        server.execute(f"create database {database}")
        connection = psycopg.connect(server.conninfo(database), autocommit=True)
        for file in files:
            connection.execute(file.read_bytes())
        connections.append(connection)
        del name
        return connection

    yield create
    for connection in connections:
        name = connection.info.dbname
        connection.close()
        server.execute(f"drop database {name} with (force)")


def footprint(connection: Connection) -> list[str]:
    """Return everything outside the project's schema, and the rows of the host's tables."""
    connection.execute("reset search_path")
    facts = [fact for (fact,) in connection.execute((HOSTS / "footprint.sql").read_bytes())]
    tables = connection.execute(
        "select format('%I.%I', nspname, relname) from pg_class join pg_namespace on pg_namespace.oid = relnamespace "
        "where relkind = 'r' and nspname not in ('blogger_tracking', 'pg_catalog', 'information_schema') order by 1"
    ).fetchall()
    for (table,) in tables:
        rows = connection.execute(f"select md5(string_agg(t::text, ',' order by t::text)) from {table} as t".encode())  # noqa: S608 - names from the catalog
        facts += [f"rows {table} {rows.fetchall()}"]
    return facts


def without_stand_ins(facts: list[str]) -> list[str]:
    return [fact for fact in facts if not fact.startswith((*STAND_INS, "rows auth."))]


def next_migration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add a migration as a later version of the project would."""
    later = Migration(
        "29990101000000",
        "later",
        "create table blogger_tracking.later (id integer); alter table "
        "blogger_tracking.later enable row level security;",
    )
    known = (*known_migrations(), later)
    monkeypatch.setattr(migrate, "known_migrations", lambda: known)


@pytest.mark.parametrize(("name", "files"), ALL_HOSTS)
def test_installing_working_upgrading_and_removing_leaves_the_host_as_it_was(
    server: DatabaseServer, host: Host, monkeypatch: pytest.MonkeyPatch, name: str, files: tuple[Path, ...]
) -> None:
    connection = host(name, files)
    before = footprint(connection)

    assert apply_migrations(connection) == [str(migration) for migration in known_migrations()]
    assert without_stand_ins(footprint(connection)) == without_stand_ins(before)
    assert files == () or footprint(connection) == before

    pool = open_pool(server.conninfo(connection.info.dbname, user="pipeline_login"), connections=2)
    build = DatabaseBuilder(connection)
    build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool))
    succeed(pool, claim(pool, fetch_id), returned=5)
    assert not any(check_invariants(connection).values())
    pool.close()
    build.run("update blogger_tracking.runs set ended_at = clock_timestamp()")

    next_migration(monkeypatch)
    assert apply_migrations(connection) == ["29990101000000_later"]
    assert without_stand_ins(footprint(connection)) == without_stand_ins(before)

    uninstall(connection)
    assert footprint(connection) == before
    assert read_contents(connection) is None


@pytest.mark.parametrize(("name", "files"), OWN_HOSTS.items())
def test_printed_migrations_leave_the_same_schema_and_record(host: Host, name: str, files: tuple[Path, ...]) -> None:
    applied, printed = host(name, files), host(name, files)
    apply_migrations(applied)
    with printed.transaction():
        printed.execute(print_migrations(printed).encode())
    record = "select version, name, sha256 from blogger_tracking.schema_migrations order by version"
    assert printed.execute(record).fetchall() == applied.execute(record).fetchall()
    tables = (
        "select relname, relkind, relacl::text, relrowsecurity from pg_class "
        "where relnamespace = 'blogger_tracking'::regnamespace order by relname"
    )
    assert printed.execute(tables).fetchall() == applied.execute(tables).fetchall()
    assert print_migrations(printed) == ""
    assert apply_migrations(printed) == []


def test_no_role_but_the_pipeline_and_members_may_use_the_schema_whatever_the_hosts_default_privileges(
    host: Host,
) -> None:
    connection = host("busy", OWN_HOSTS["busy"])
    apply_migrations(connection)
    # The maintenance creates later partitions, to which the host's default privileges apply, too.
    connection.execute("select blogger_tracking.create_statistics_partition('2031-05-01')")
    for privilege in ("select", "insert", "update", "delete"):
        granted = connection.execute(
            "select relname from pg_class where relnamespace = 'blogger_tracking'::regnamespace "
            "and relkind in ('r', 'p', 'v') and has_table_privilege('anon', oid, %s)",
            (privilege,),
        )
        assert granted.fetchall() == []
    callable_by_all = connection.execute(
        "select proname from pg_proc where pronamespace = 'blogger_tracking'::regnamespace "
        "and has_function_privilege('anon', oid, 'execute')"
    )
    assert callable_by_all.fetchall() == []


def test_removing_is_refused_while_a_fetch_is_running(host: Host, server: DatabaseServer) -> None:
    connection = host("supabase", OWN_HOSTS["supabase"])
    apply_migrations(connection)
    build = DatabaseBuilder(connection)
    build.track(build.organization())
    pool = open_pool(server.conninfo(connection.info.dbname, user="pipeline_login"), connections=1)
    plan(pool)
    pool.close()
    with pytest.raises(DatabaseStateError, match=r"1 fetches are planned or running. Nothing was removed"):
        uninstall(connection)
    assert read_contents(connection) is not None


def test_removing_is_refused_while_the_pipeline_is_connected(host: Host, server: DatabaseServer) -> None:
    connection = host("supabase", OWN_HOSTS["supabase"])
    apply_migrations(connection)
    with (
        psycopg.connect(server.conninfo(connection.info.dbname, user="pipeline_login")),
        pytest.raises(DatabaseStateError, match="connected as pipeline_login"),
    ):
        require_removable(connection)


@pytest.mark.parametrize(
    ("dependent", "named"),
    [
        ("create view public.mine as select id from blogger_tracking.videos", "view public.mine"),
        (
            "create table public.notes (video_id bigint references blogger_tracking.videos (id))",
            "table constraint notes_video_id_fkey on public.notes",
        ),
        (
            """
            create policy theirs on public.notes_of_members
            using (organization in (select blogger_tracking.own_organizations()))
            """,
            "policy theirs on public.notes_of_members",
        ),
    ],
)
def test_removing_is_refused_if_an_object_of_the_host_would_be_dropped(host: Host, dependent: str, named: str) -> None:
    connection = host("supabase", OWN_HOSTS["supabase"])
    connection.execute("create table public.notes_of_members (organization uuid)")
    apply_migrations(connection)
    connection.execute(dependent.encode())
    before = footprint(connection)
    with pytest.raises(DatabaseStateError, match="Drop or change these objects first") as refused:
        uninstall(connection)
    assert f"dropped with it: {named}. Nothing was removed" in str(refused.value)
    assert footprint(connection) == before


@pytest.mark.parametrize(
    "dependent",
    [
        "create function public.title_of(video blogger_tracking.videos) returns text language sql as 'select $1.title'",
        "create table public.copies (video blogger_tracking.videos)",
        """
        create schema old_blogger_tracking;
        create view old_blogger_tracking.mine as select id from blogger_tracking.videos
        """,
        """
        create table public."blogger_tracking.notes" (
            video_id bigint constraint "of blogger_tracking." references blogger_tracking.videos (id)
        )
        """,
    ],
)
def test_removing_is_refused_whatever_the_object_of_the_host_is_called(host: Host, dependent: str) -> None:
    connection = host("supabase", OWN_HOSTS["supabase"])
    apply_migrations(connection)
    connection.execute(dependent.encode())
    before = footprint(connection)
    with pytest.raises(DatabaseStateError, match=r"(public|old_\w+)\.\S+.*Drop or change these objects first"):
        uninstall(connection)
    assert footprint(connection) == before


def test_removing_is_refused_to_a_login_that_does_not_own_the_schema(host: Host, server: DatabaseServer) -> None:
    connection = host("supabase", OWN_HOSTS["supabase"])
    apply_migrations(connection)
    before = footprint(connection)
    server.execute("create role stranger login")
    try:
        for login, attempt in (("pipeline_login", uninstall), ("stranger", uninstall), ("stranger", read_contents)):
            with (
                psycopg.connect(server.conninfo(connection.info.dbname, user=login), autocommit=True) as other,
                pytest.raises(DatabaseStateError, match=r"Only the owner.*Nothing was removed"),
            ):
                attempt(other)
    finally:
        server.execute("drop role stranger")
    assert footprint(connection) == before
    assert read_contents(connection) is not None


def test_a_role_that_the_owner_of_the_schema_may_not_drop_is_kept(host: Host, server: DatabaseServer) -> None:
    connection = host("supabase", OWN_HOSTS["supabase"])
    apply_migrations(connection)
    server.execute("create role tenant login in role blogger_pipeline")
    try:
        connection.execute("alter schema blogger_tracking owner to tenant")
        with psycopg.connect(server.conninfo(connection.info.dbname, user="tenant"), autocommit=True) as tenant:
            assert "blogger_pipeline" in uninstall(tenant)
        assert read_contents(connection) is None
    finally:
        server.execute("drop role tenant")
