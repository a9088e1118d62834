"""The schema, as plain SQL files that the Supabase CLI can push as well.

Each file is applied in one transaction and recorded where the Supabase CLI records it
(`supabase_migrations.schema_migrations`), so that both tools agree on what a database has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

import psycopg
from psycopg import Connection

from blogger_tracking.domain.errors import DatabaseStateError

_FOLDER = files(__package__) / "migrations"
_STAND_INS = files(__package__) / "supabase_stand_ins.sql"

_RECORD_TABLE = """
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (
    version text primary key,
    statements text[],
    name text
);
"""

_AUTH_SCHEMA_EXISTS = "select to_regnamespace('auth') is not null"

_RECORDED = "select version from supabase_migrations.schema_migrations"

_RECORD = "insert into supabase_migrations.schema_migrations (version, statements, name) values (%s, %s, %s)"

_ONE_AT_A_TIME = "select pg_advisory_xact_lock(hashtextextended('blogger_tracking.migrations', 0))"


@dataclass(frozen=True, slots=True)
class Migration:
    """One file `YYYYMMDDHHMMSS_name.sql`."""

    version: str
    name: str
    sql: str


@cache
def known_migrations() -> tuple[Migration, ...]:
    """All migrations of this code, in order."""
    return tuple(sorted(_read_migrations(), key=lambda migration: migration.version))


def apply_migrations(connection: Connection) -> list[str]:
    """Bring the database up to this code; return the names of what was applied now.

    The connection must be in autocommit mode and own the schema. Running it again changes nothing.

    Raises DatabaseStateError when the database holds migrations that this code does not know, or when a file fails;
    files before it stay applied.
    """
    applied: list[str] = []
    with connection.transaction():
        connection.execute(_ONE_AT_A_TIME)
        _prepare(connection)
    for migration in known_migrations():
        with connection.transaction():
            connection.execute(_ONE_AT_A_TIME)
            if migration.version in _recorded_versions(connection):
                continue
            _apply(connection, migration)
            applied.append(f"{migration.version}_{migration.name}")
    return applied


def unknown_versions(recorded: set[str]) -> list[str]:
    """Versions that a database has and this code does not know."""
    return sorted(recorded - {migration.version for migration in known_migrations()})


def missing_versions(recorded: set[str]) -> list[str]:
    """Versions that this code needs and a database lacks."""
    return sorted({migration.version for migration in known_migrations()} - recorded)


def _prepare(connection: Connection) -> None:
    connection.execute(_RECORD_TABLE)
    newer = unknown_versions(_recorded_versions(connection))
    if newer:
        raise DatabaseStateError(
            f"The database has migrations that this code does not know ({', '.join(newer)}). Nothing was changed. "
            "Run the code that wrote them, or a newer one."
        )
    row = connection.execute(_AUTH_SCHEMA_EXISTS).fetchone()
    if row == (False,):
        connection.execute(_STAND_INS.read_bytes())


def _apply(connection: Connection, migration: Migration) -> None:
    try:
        connection.execute(migration.sql.encode())
        connection.execute(_RECORD, (migration.version, [migration.sql], migration.name))
    except psycopg.Error as error:
        raise DatabaseStateError(
            f"Migration {migration.version}_{migration.name} failed and was rolled back; those before it are applied. "
            f"Postgres says: {error}"
        ) from error


def _recorded_versions(connection: Connection) -> set[str]:
    return {version for (version,) in connection.execute(_RECORDED)}


def _read_migrations() -> Iterator[Migration]:
    for file in _FOLDER.iterdir():
        if file.name.endswith(".sql"):
            yield _read_migration(file)


def _read_migration(file: Traversable) -> Migration:
    version, _, name = file.name.removesuffix(".sql").partition("_")
    return Migration(version, name, file.read_text(encoding="utf-8"))
