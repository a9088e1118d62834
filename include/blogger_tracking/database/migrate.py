"""Migrations of the schema: plain SQL files, named as the Supabase CLI names them.

Each file is applied in one transaction and recorded in the Supabase CLI's table
(`supabase_migrations.schema_migrations`), so that this module and the CLI agree on the state of a database.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

import psycopg
from psycopg import Connection

from blogger_tracking.database.rows import fetch_value
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

_LOCK_MIGRATIONS = "select pg_advisory_xact_lock(hashtextextended('blogger_tracking.migrations', 0))"


@dataclass(frozen=True, slots=True)
class Migration:
    """A migration: the content of the file `<version>_<name>.sql`, with a version of 14 digits."""

    version: str
    name: str
    sql: str


@cache
def known_migrations() -> tuple[Migration, ...]:
    """Return the migrations of this code in the order of their versions."""
    return tuple(sorted(_read_migrations(), key=lambda migration: migration.version))


def apply_migrations(connection: Connection) -> list[str]:
    """Apply the migrations that the database lacks and return their names.

    The connection must be in autocommit mode and own the schema. With nothing to apply nothing is changed.

    Raises DatabaseStateError if the database has migrations that this code lacks, or if a migration fails; the
    migrations before the failed one stay applied.
    """
    applied: list[str] = []
    with connection.transaction():
        connection.execute(_LOCK_MIGRATIONS)
        _prepare(connection)
    for migration in known_migrations():
        with connection.transaction():
            connection.execute(_LOCK_MIGRATIONS)
            if migration.version in _recorded_versions(connection):
                continue
            _apply(connection, migration)
            applied.append(f"{migration.version}_{migration.name}")
    return applied


def unknown_versions(recorded: set[str]) -> list[str]:
    """Return the recorded versions that this code lacks, in order."""
    return sorted(recorded - {migration.version for migration in known_migrations()})


def missing_versions(recorded: set[str]) -> list[str]:
    """Return the versions of this code that are not recorded, in order."""
    return sorted({migration.version for migration in known_migrations()} - recorded)


def _prepare(connection: Connection) -> None:
    connection.execute(_RECORD_TABLE)
    newer = unknown_versions(_recorded_versions(connection))
    if newer:
        raise DatabaseStateError(
            f"The database has migrations that this code does not know ({', '.join(newer)}). Nothing was changed. "
            "Run the version of the code that applied those migrations, or a newer one."
        )
    if not fetch_value(connection, _AUTH_SCHEMA_EXISTS):
        connection.execute(_STAND_INS.read_bytes())


def _apply(connection: Connection, migration: Migration) -> None:
    try:
        connection.execute(migration.sql.encode())
        connection.execute(_RECORD, (migration.version, [migration.sql], migration.name))
    except psycopg.Error as error:
        raise DatabaseStateError(
            f"Migration {migration.version}_{migration.name} failed and was rolled back; the migrations before it "
            f"stay applied. Correct the cause and migrate again. Postgres reports: {error}"
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
