"""Migrations of the schema `blogger_tracking`: plain SQL files, applied here or printed for another tool.

Everything that the project owns in a database is in this schema, the record of the applied migrations included. Nothing
outside is changed, except for the role `blogger_pipeline` and, in a database without a schema `auth`, the stand-ins of
supabase_stand_ins.sql. docs/contracts.md#database has the promise.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable

import psycopg
from psycopg import Connection

from blogger_tracking.database.long_transactions import long_transaction
from blogger_tracking.database.rows import fetch_value, fetch_values
from blogger_tracking.domain.errors import DatabaseStateError

_FILES = files(__package__)
_FOLDER = _FILES / "migrations"
_STAND_INS = _FILES / "supabase_stand_ins.sql"
_PREPARATION = _FILES / "schema.sql"

_AUTH_SCHEMA_EXISTS = "select to_regnamespace('auth') is not null"

_IS_PREPARED = "select to_regclass('blogger_tracking.schema_migrations') is not null"

_RECORDED = "select version from blogger_tracking.schema_migrations"

_CHECKSUMS = "select version, sha256 from blogger_tracking.schema_migrations"

_RECORD = "insert into blogger_tracking.schema_migrations (version, name, sha256) values (%s, %s, %s)"

_PRINTED_RECORD = """
insert into blogger_tracking.schema_migrations (version, name, sha256)
values ('{version}', '{name}', '{sha256}');
"""

_LOCK_MIGRATIONS = "select pg_advisory_xact_lock(hashtextextended('blogger_tracking.migrations', 0))"

_KEPT = "The transaction in progress was rolled back; the migrations before it stay applied."


@dataclass(frozen=True, slots=True)
class Migration:
    """A migration: the content of the file `<version>_<name>.sql`, with a version of 14 digits."""

    version: str
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Checksum of the SQL, as the record has it."""
        return sha256(self.sql.encode()).hexdigest()

    def __str__(self) -> str:
        return f"{self.version}_{self.name}"


@cache
def known_migrations() -> tuple[Migration, ...]:
    """Return the migrations of this code in the order of their versions."""
    return tuple(sorted(_read_migrations(), key=lambda migration: migration.version))


def apply_migrations(connection: Connection) -> list[str]:
    """Apply the migrations that the database lacks and return their names.

    The connection must be in autocommit mode and may create schemas and roles. With nothing to apply, nothing is
    changed.

    Raises DatabaseStateError if the database has migrations that this code lacks, or if a migration fails or waits for
    a lock for too long; the migrations before the failed one stay applied.
    """
    applied: list[str] = []
    with long_transaction(connection, _KEPT):
        connection.execute(_LOCK_MIGRATIONS)
        _prepare(connection)
    for migration in known_migrations():
        with long_transaction(connection, _KEPT):
            connection.execute(_LOCK_MIGRATIONS)
            if migration.version in recorded_versions(connection):
                continue
            _apply(connection, migration)
            applied.append(str(migration))
    return applied


def print_migrations(connection: Connection | None) -> str:
    """Return the SQL that `apply_migrations` would execute, with the record: for a review, psql or the Supabase CLI.

    Without a connection, the SQL is for a database that has never had the schema. The SQL leaves transactions to the
    tool that executes it. Empty if the database has all migrations.
    Raises DatabaseStateError if the database has migrations that this code lacks.
    """
    recorded = _recorded_or_none(connection) if connection else set()
    _require_no_newer(recorded)
    missing = [migration for migration in known_migrations() if migration.version not in recorded]
    if not missing:
        return ""
    parts = [] if recorded else [_PREPARATION.read_text(encoding="utf-8")]
    if connection and not fetch_value(connection, _AUTH_SCHEMA_EXISTS):
        parts.insert(0, read_stand_ins())
    return "\n".join(parts + [_printed(migration) for migration in missing])


def unknown_versions(recorded: Collection[str]) -> list[str]:
    """Return the recorded versions that this code lacks, in order."""
    return sorted(set(recorded) - {migration.version for migration in known_migrations()})


def missing_versions(recorded: Collection[str]) -> list[str]:
    """Return the versions of this code that are not recorded, in order."""
    return sorted({migration.version for migration in known_migrations()} - set(recorded))


def recorded_versions(connection: Connection) -> set[str]:
    """Return the versions that the database has. Raises psycopg.Error if the database never had the schema."""
    return set(fetch_values(connection, _RECORDED))


def recorded_checksums(connection: Connection) -> dict[str, str]:
    """Return the checksum of each recorded version. Raises psycopg.Error if the database never had the schema."""
    return dict(connection.execute(_CHECKSUMS).fetchall())


def read_stand_ins() -> str:
    """Return the SQL of the stand-ins for Supabase."""
    return _STAND_INS.read_text(encoding="utf-8")


def _prepare(connection: Connection) -> None:
    _require_no_newer(_recorded_or_none(connection))
    if not fetch_value(connection, _AUTH_SCHEMA_EXISTS):
        connection.execute(read_stand_ins().encode())
    connection.execute(_PREPARATION.read_bytes())


def _recorded_or_none(connection: Connection) -> set[str]:
    return recorded_versions(connection) if fetch_value(connection, _IS_PREPARED) else set()


def _require_no_newer(recorded: Collection[str]) -> None:
    newer = unknown_versions(recorded)
    if newer:
        raise DatabaseStateError(
            f"The schema blogger_tracking has migrations that this code does not know ({', '.join(newer)}). Nothing "
            "was changed. Run the version of the code that applied those migrations, or a newer one."
        )


def _apply(connection: Connection, migration: Migration) -> None:
    try:
        connection.execute(migration.sql.encode())
        connection.execute(_RECORD, (migration.version, migration.name, migration.sha256))
    except psycopg.errors.LockNotAvailable:
        # Nothing is wrong with the migration: the transaction reports who may hold the lock.
        raise
    except psycopg.Error as error:
        raise DatabaseStateError(
            f"Migration {migration} failed and was rolled back; the migrations before it stay applied. "
            f"Correct the cause and migrate again. Postgres reports: {error}"
        ) from error


def _printed(migration: Migration) -> str:
    record = _PRINTED_RECORD.format(version=migration.version, name=migration.name, sha256=migration.sha256)
    return f"{migration.sql}{record}"


def _read_migrations() -> Iterator[Migration]:
    for file in _FOLDER.iterdir():
        if file.name.endswith(".sql"):
            yield _read_migration(file)


def _read_migration(file: Traversable) -> Migration:
    version, _, name = file.name.removesuffix(".sql").partition("_")
    return Migration(version, name, file.read_text(encoding="utf-8"))
