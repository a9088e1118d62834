"""Readiness of the application's database: every check of the login and of the schema, in their order.

`require_ready` (connections.py) is the short form at the start of each process. Nothing is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
from psycopg import Connection

from blogger_tracking.database import login_checks, schema_checks
from blogger_tracking.database.connections import DatabaseAddress, connect
from blogger_tracking.database.rows import fetch_value
from blogger_tracking.domain.checks import Check, Remedy, Status, fault, not_checked, ok

_SCHEMA_CHECKS: tuple[tuple[str, Callable[[Connection], Check]], ...] = (
    ("auth", schema_checks.check_auth),
    ("migrations", schema_checks.check_versions),
    ("schema_usage", schema_checks.check_schema_usage),
    ("privileges", schema_checks.check_privileges),
    ("row_level_security", schema_checks.check_row_security),
    ("pipeline_policies", schema_checks.check_pipeline_policies),
    ("member_policies", schema_checks.check_member_policies),
    ("members_read", schema_checks.check_members_reads),
    ("members_write", schema_checks.check_members_writes),
    ("outsiders", schema_checks.check_outsiders),
    ("triggers", schema_checks.check_triggers),
    ("canary", schema_checks.check_canary),
)

_ACTIVE_ACCOUNTS = """
select blogger_information.platform, count(*) as accounts
from blogger_tracking.tracked_accounts
join blogger_tracking.blogger_information on blogger_information.id = tracked_accounts.blogger_id
where tracked_accounts.is_active
group by blogger_information.platform
"""


_IDENTITY = "select current_database() || extract(epoch from pg_postmaster_start_time())"

_MAY_MIGRATE = """
select coalesce(
    (
        select pg_has_role(session_user, pg_namespace.nspowner, 'usage')
        from pg_namespace where pg_namespace.nspname = 'blogger_tracking'
    ),
    has_database_privilege(current_database(), 'create')
)
"""


def check_database(address: DatabaseAddress, pool_size: int) -> list[Check]:
    """Return the checks of the database with the pipeline's login. `pool_size` is the number of connections of a pool.

    Raises DatabaseStateError if the server cannot be reached or refuses the login.
    """
    with connect(address) as connection, connect(address) as second:
        return [*_login_checks(connection, second, pool_size), *_schema_checks(connection)]


def count_active_accounts(address: DatabaseAddress) -> dict[str, int]:
    """Return the number of active tracked accounts by platform.

    Raises DatabaseStateError as `check_database` does, and psycopg.Error if the database is not ready.
    """
    with connect(address) as connection:
        return dict(connection.execute(_ACTIVE_ACCOUNTS).fetchall())


def check_owner(pipeline: DatabaseAddress, owner: DatabaseAddress, *, name: str, remedy: Remedy) -> Check:
    """Check that the login of migrations owns the schema of the pipeline's database, or may create it.

    `remedy` sets the Connection of that login, and `name` is its id.
    Raises DatabaseStateError if the server cannot be reached or refuses one of the logins.
    """
    with connect(pipeline) as first, connect(owner) as second:
        if fetch_value(first, _IDENTITY) != fetch_value(second, _IDENTITY):
            return fault(name, "The Connection leads to another database than blogger_db.", remedy)
        if not fetch_value(second, _MAY_MIGRATE):
            return fault(name, f"{second.info.user} does not own the schema and cannot migrate.", remedy)
    return ok(name, "The login owns the schema of the same database.")


def _login_checks(connection: Connection, second: Connection, pool_size: int) -> Iterator[Check]:
    login = login_checks.read_login(connection)
    yield login_checks.check_server(login)
    yield login_checks.encryption_of(connection)
    yield login_checks.check_pooler(connection, second)
    yield login_checks.check_clock(connection)
    yield login_checks.check_capacity(connection, login, pool_size)
    yield from login_checks.check_settings(connection, login)
    yield login_checks.check_login(login)
    yield login_checks.check_role(connection, login, schema_checks.MIGRATE)


def _schema_checks(connection: Connection) -> Iterator[Check]:
    installed = schema_checks.check_installed(connection)
    yield installed
    if installed.status is not Status.OK:
        return
    for name, check in _SCHEMA_CHECKS:
        try:
            yield check(connection)
        except psycopg.Error as error:
            yield not_checked(name, f"Another fault is in the way: {str(error).splitlines()[0]}.")
