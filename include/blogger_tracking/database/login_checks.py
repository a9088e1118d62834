"""Readiness checks of the pipeline's login, its session, and the way to the server. Nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Final

from psycopg import Connection

from blogger_tracking.database.rows import fetch_all, fetch_one, fetch_value
from blogger_tracking.domain.checks import Check, Remedy, fault, ok, shell, sql, to_do, warning

OLDEST_SERVER = 15
"""Oldest supported major version of Postgres."""

LARGEST_CLOCK_DIFFERENCE = timedelta(seconds=2)

_VERSION_WITH_INHERIT_OPTION = 16

_LOGIN = """
select
    quote_ident(session_user) as name,
    quote_ident(current_database()) as database,
    current_setting('server_version_num')::integer / 10000 as server_version,
    current_setting('server_encoding') as encoding,
    pg_is_in_recovery() as is_replica,
    pg_roles.rolsuper as is_superuser,
    pg_roles.rolbypassrls as bypasses_row_security,
    pg_roles.rolconnlimit as connection_limit,
    pg_database.datconnlimit as database_limit,
    exists (select from pg_roles as each where each.rolname = 'blogger_pipeline') as role_exists,
    exists (
        select from pg_namespace
        where pg_namespace.nspname = 'blogger_tracking' and pg_namespace.nspowner = pg_roles.oid
    ) as is_owner
from pg_roles
join pg_database on pg_database.datname = current_database()
where pg_roles.rolname = session_user
"""

_MEMBERSHIP = """
select
    pg_has_role(session_user, 'blogger_pipeline', 'member') as is_member,
    pg_has_role(session_user, 'blogger_pipeline', 'usage') as inherits
"""

_SETTINGS = "select name, setting, source from pg_settings where name = any(%s)"

_FREE_CONNECTIONS = """
select
    current_setting('max_connections')::integer
    - current_setting('superuser_reserved_connections')::integer
    - (select count(*) from pg_stat_activity where backend_type = 'client backend') as free
"""

_NOW = "select clock_timestamp()"

_PROCESS = "select pg_backend_pid()"

SHORTEST_TIMEOUTS: Final[Mapping[str, int]] = {
    # Planning 100,000 accounts writes for seconds, computes for seconds in its transaction, and waits for settlements.
    "statement_timeout": 60,
    "lock_timeout": 30,
    "idle_in_transaction_session_timeout": 60,
    "transaction_timeout": 120,
    # A pool keeps an unused connection for ten minutes.
    "idle_session_timeout": 660,
}
"""Shortest time-outs of the login, in seconds, that harm nothing. 0 is no time-out."""

REQUIRED_SETTINGS: Final[Mapping[str, tuple[str, str]]] = {
    "default_transaction_read_only": ("off", "nothing can be saved"),
    "default_transaction_isolation": ("read committed", "locks do not show what other transactions have committed"),
    "session_replication_role": ("origin", "triggers and foreign keys do not run"),
    "row_security": ("on", "statements on tables with row level security fail"),
}
"""Settings of the login with the required value, and the effect of any other value."""


@dataclass(frozen=True, slots=True)
class Login:
    """The pipeline's login and its database as the server knows them. Names are quoted as SQL needs them."""

    name: str
    database: str
    server_version: int
    encoding: str
    is_replica: bool
    is_superuser: bool
    bypasses_row_security: bool
    connection_limit: int
    database_limit: int
    role_exists: bool
    is_owner: bool


@dataclass(frozen=True, slots=True)
class _Setting:
    name: str
    setting: str
    source: str


def read_login(connection: Connection) -> Login:
    """Return the login of a connection."""
    return fetch_one(connection, Login, _LOGIN)


def check_server(login: Login) -> Check:
    """Check the version and encoding of the server, and that it accepts writes."""
    if login.server_version < OLDEST_SERVER:
        return fault(
            "server",
            f"Postgres {login.server_version} is older than {OLDEST_SERVER}.",
            to_do(f"Upgrade the server to Postgres {OLDEST_SERVER} or newer."),
        )
    if login.encoding != "UTF8":
        return fault(
            "server",
            f"The database has the encoding {login.encoding}: usernames and titles cannot be saved.",
            to_do("Create a database with this statement, move the data there, and change the Connections:"),
            sql("create database bloggers encoding 'UTF8' template template0;"),
        )
    if login.is_replica:
        return fault(
            "server",
            "The server is a read replica: nothing can be saved.",
            to_do("Use the address of the primary server in the Connection blogger_db."),
        )
    return ok("server", f"Postgres {login.server_version}, UTF8, accepts writes.")


def check_role(connection: Connection, login: Login, installed_by: Remedy) -> Check:
    """Check that the login has the role of the pipeline with its privileges.

    `installed_by` is the remedy if the role does not exist.
    """
    if not login.role_exists:
        return fault("role", "The role blogger_pipeline does not exist.", installed_by)
    is_member, inherits = connection.execute(_MEMBERSHIP).fetchall()[0]
    if not is_member:
        return fault(
            "role",
            f"{login.name} does not have the role blogger_pipeline.",
            sql(f"grant blogger_pipeline to {login.name};"),
        )
    if not inherits:
        option = " with inherit true" if login.server_version >= _VERSION_WITH_INHERIT_OPTION else ""
        return fault(
            "role",
            f"{login.name} has the role blogger_pipeline, but does not inherit its privileges.",
            sql(f"alter role {login.name} inherit;"),
            sql(f"grant blogger_pipeline to {login.name}{option};"),
        )
    return ok("role", f"{login.name} has the role blogger_pipeline.")


def check_login(login: Login) -> Check:
    """Check that row level security applies to the login, and that the login cannot change the schema."""
    if login.is_superuser:
        return warning(
            "login", f"{login.name} is a superuser: an error in a statement could change anything.", *_new_login()
        )
    if login.is_owner:
        return warning(
            "login", f"{login.name} owns the schema: an error in a statement could change the schema.", *_new_login()
        )
    if login.bypasses_row_security:
        return warning(
            "login",
            f"{login.name} bypasses row level security in all schemas.",
            sql(f"alter role {login.name} nobypassrls;"),
        )
    return ok("login", f"{login.name} is neither the owner nor a superuser.")


def check_settings(connection: Connection, login: Login) -> list[Check]:
    """Check the time-outs and settings that the server gives to sessions of the login."""
    names = [*SHORTEST_TIMEOUTS, *REQUIRED_SETTINGS]
    found = {each.name: each for each in fetch_all(connection, _Setting, _SETTINGS, (names,))}
    # An older server lacks some of the time-outs.
    return [_check_setting(found[name], login) for name in names if name in found]


def _check_setting(setting: _Setting, login: Login) -> Check:
    name = setting.name
    if name in SHORTEST_TIMEOUTS:
        seconds, shortest = int(setting.setting) / 1000, SHORTEST_TIMEOUTS[name]
        if not 0 < seconds < shortest:
            return ok(name, f"{seconds:g} s." if seconds else "No time-out.")
        finding = f"{seconds:g} s is too short: the longest transactions need up to {shortest} s."
        return fault(name, finding, _set(setting, f"{shortest}s", login))
    required, effect = REQUIRED_SETTINGS[name]
    if setting.setting == required:
        return ok(name, f"{required}.")
    return fault(name, f"{setting.setting}: {effect}.", _set(setting, required, login))


def _set(setting: _Setting, value: str, login: Login) -> Remedy:
    if setting.source == "client":
        return to_do(f"Remove {setting.name} from the extras of the Connection blogger_db, or set it to {value}.")
    # For the role in the database, because that place has precedence over all others on the server.
    return sql(f"alter role {login.name} in database {login.database} set {setting.name} = '{value}';")


def check_capacity(connection: Connection, login: Login, pool_size: int) -> Check:
    """Check that one process can open all connections of its pool."""
    if 0 <= login.connection_limit < pool_size:
        return fault(
            "capacity",
            f"{login.name} may have {login.connection_limit} connections; one process opens up to {pool_size}.",
            sql(f"alter role {login.name} connection limit -1;"),
        )
    if 0 <= login.database_limit < pool_size:
        return fault(
            "capacity",
            f"The database accepts {login.database_limit} connections; one process opens up to {pool_size}.",
            sql(f"alter database {login.database} connection limit -1;"),
        )
    free = fetch_value(connection, _FREE_CONNECTIONS)
    if free < pool_size:
        return warning(
            "capacity",
            f"The server has {free} free connections; one process opens up to {pool_size}.",
            to_do("Connect through a transaction-mode pooler, or let each process open fewer connections:"),
            shell(f"export BLOGGER_TRACKING_DATABASE_CONNECTIONS={max(1, free // 4)}"),
        )
    return ok("capacity", f"{free} connections are free; one process opens up to {pool_size}.")


def check_clock(connection: Connection, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Check:
    """Check that the clocks of this host and of the server agree. `now` is the clock of this host."""
    before = now()
    there = fetch_value(connection, _NOW)
    here = before + (now() - before) / 2
    difference = abs(here - there)
    if difference <= LARGEST_CLOCK_DIFFERENCE:
        return ok("clock", f"This host and the server differ by {difference.total_seconds():.1f} s.")
    return fault(
        "clock",
        f"This host and the server differ by {difference.total_seconds():.0f} s: tokens and leases end at wrong times.",
        shell("sudo timedatectl set-ntp true"),
    )


def check_pooler(first: Connection, second: Connection) -> Check:
    """Recognise a pooler between this host and the server, by two connections that are open together.

    In transaction mode, both share server processes. Every mode works, because nothing relies on a session.
    """
    processes = [fetch_value(connection, _PROCESS) for connection in (first, second, first, second)]
    if processes[0] == processes[1] or processes[:2] != processes[2:]:
        return ok("pooler", "A transaction-mode pooler is in between; nothing is prepared on the server.")
    if processes[0] != first.info.backend_pid:
        return ok("pooler", "A session-mode pooler is in between: its size limits the processes together.")
    return ok("pooler", "No pooler is in between.")


def check_encryption(host: str, address: str, sslmode: str, *, encrypted: bool) -> Check:
    """Check that a connection over the internet is encrypted, and that it cannot fall back to plain text."""
    if encrypted and sslmode in {"require", "verify-ca", "verify-full"}:
        return ok("encryption", f"The connection is encrypted (sslmode {sslmode}).")
    if _is_nearby(host, address):
        return ok("encryption", "The server is on this host or in a private network.")
    remedy = to_do("Add sslmode=require to the Connection blogger_db, as in:")
    example = shell("export AIRFLOW_CONN_BLOGGER_DB='postgresql://LOGIN:PASSWORD@HOST:PORT/DATABASE?sslmode=require'")
    if encrypted:
        finding = f"The connection is encrypted, but may fall back to plain text (sslmode {sslmode})."
        return warning("encryption", finding, remedy, example)
    return fault("encryption", f"The connection to {host} is not encrypted.", remedy, example)


def encryption_of(connection: Connection) -> Check:
    """Check the encryption of an open connection."""
    options = {option.keyword: option.val for option in connection.pgconn.info}
    return check_encryption(
        connection.info.host,
        connection.info.hostaddr,
        (options.get(b"sslmode") or b"prefer").decode(),
        encrypted=connection.pgconn.ssl_in_use,
    )


def _is_nearby(host: str, address: str) -> bool:
    return host.startswith("/") or (bool(address) and ip_address(address).is_private)


def _new_login() -> tuple[Remedy, ...]:
    return (
        sql("create role pipeline_login login password 'PASSWORD' in role blogger_pipeline;"),
        to_do("Use this login in the Connection blogger_db, and the owner only in blogger_db_admin."),
    )
