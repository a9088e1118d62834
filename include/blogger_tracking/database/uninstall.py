"""Removal of the schema `blogger_tracking`, so that the database is as it was before the installation."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import Connection

from blogger_tracking.database.long_transactions import long_transaction
from blogger_tracking.database.rows import fetch_value, fetch_values
from blogger_tracking.domain.errors import DatabaseStateError

_EXISTS = "select to_regnamespace('blogger_tracking') is not null"

_LIVE_FETCHES = """
select count(*)
from blogger_tracking.fetches
join blogger_tracking.runs on runs.id = fetches.run_id
where fetches.state in ('planned', 'running')
  and (runs.ended_at is null or fetches.lease_expires_at > clock_timestamp())
  and (runs.expires_at > clock_timestamp() or fetches.lease_expires_at > clock_timestamp())
"""

_CONNECTED_LOGINS = """
select distinct usename
from pg_stat_activity
where datname = current_database()
  and usename is not null
  and pid <> pg_backend_pid()
  and usename <> session_user
  and pg_has_role(usename, 'blogger_pipeline', 'member')
  and not (select rolsuper from pg_roles where rolname = usename)
order by usename
"""

# Objects of other schemas that dropping the schema would take along: foreign keys, views, functions, policies. The
# address of a policy, a trigger, a rule, a constraint or a default begins with the schema of its table. A view depends
# on a table by the view's rewrite rule, and is named instead of the rule.
_DEPENDENTS = """
with own as (
    select 'pg_class'::regclass as class_id, oid as object_id
    from pg_class where relnamespace = 'blogger_tracking'::regnamespace
    union all
    select 'pg_proc'::regclass, oid from pg_proc where pronamespace = 'blogger_tracking'::regnamespace
    union all
    select 'pg_type'::regclass, oid from pg_type where typnamespace = 'blogger_tracking'::regnamespace
)
select distinct outside.type || ' ' || outside.identity as dependent
from pg_depend
join own on own.class_id = pg_depend.refclassid and own.object_id = pg_depend.refobjid
left join pg_rewrite on pg_depend.classid = 'pg_rewrite'::regclass and pg_rewrite.oid = pg_depend.objid
cross join lateral (
    select
        case when pg_rewrite.oid is null then pg_depend.classid else 'pg_class'::regclass end as class_id,
        coalesce(pg_rewrite.ev_class, pg_depend.objid) as object_id,
        case when pg_rewrite.oid is null then pg_depend.objsubid else 0 end as part_id
) as named
cross join lateral pg_identify_object(named.class_id, named.object_id, named.part_id) as outside
cross join lateral pg_identify_object_as_address(named.class_id, named.object_id, named.part_id) as address
where pg_depend.deptype in ('n', 'a')
  and coalesce(outside.schema, address.object_names[1]) is distinct from 'blogger_tracking'
  and outside.schema is distinct from 'pg_toast'
order by dependent
"""

_END_KEPT_CONNECTIONS = (
    "Connections that a pooler has kept end after some minutes, or at once with: "
    "select pg_terminate_backend(pid) from pg_stat_activity join pg_roles on rolname = usename "
    "where datname = current_database() and usename <> session_user and not rolsuper "
    "and pg_has_role(usename, 'blogger_pipeline', 'member')"
)

_COUNTS = """
select
    (select count(*) from blogger_tracking.organizations) as organizations,
    (select count(*) from blogger_tracking.tracked_accounts) as tracked_accounts,
    (select count(*) from blogger_tracking.videos) as videos,
    (select count(*) from blogger_tracking.video_statistics) as statistics
"""

_DROP_SCHEMA = "drop schema blogger_tracking cascade"

_AUTH_IS_STAND_IN = """
select coalesce(obj_description(to_regnamespace('auth'), 'pg_namespace') = 'Stand-in of blogger_tracking.', false)
"""

_ROLES = """
select rolname
from pg_roles
where rolname = 'blogger_pipeline' or shobj_description(oid, 'pg_authid') = 'Stand-in of blogger_tracking.'
order by rolname
"""


@dataclass(frozen=True, slots=True)
class Contents:
    """Numbers of rows that an uninstallation deletes."""

    organizations: int
    tracked_accounts: int
    videos: int
    statistics: int


def read_contents(connection: Connection) -> Contents | None:
    """Return the numbers of rows in the schema, or None if the database does not have the schema.

    Raises DatabaseStateError for a login that may not read the tables.
    """
    if not fetch_value(connection, _EXISTS):
        return None
    with _owner_required():
        return Contents(*connection.execute(_COUNTS).fetchall()[0])


def require_removable(connection: Connection) -> None:
    """Raise DatabaseStateError while something runs in the schema, or if objects outside depend on the schema."""
    live = fetch_value(connection, _LIVE_FETCHES)
    if live:
        raise DatabaseStateError(
            f"{live} fetches are planned or running. Nothing was removed. Pause the DAGs and wait for the runs to end."
        )
    logins = fetch_values(connection, _CONNECTED_LOGINS)
    if logins:
        raise DatabaseStateError(
            f"The pipeline is connected as {', '.join(logins)}. Nothing was removed. Stop Airflow, then try again. "
            f"{_END_KEPT_CONNECTIONS}"
        )
    dependents = fetch_values(connection, _DEPENDENTS)
    if dependents:
        raise DatabaseStateError(
            "Objects outside of the schema depend on it and would be dropped with it: "
            f"{'; '.join(dependents)}. Nothing was removed. Drop or change these objects first."
        )


def uninstall(connection: Connection) -> list[str]:
    """Drop the schema with all data, the pipeline's role and the stand-ins; return the roles that stay.

    A role stays if another database of the server uses the role, or if this login may not drop it. The connection must
    be in autocommit mode.
    Raises DatabaseStateError as `require_removable` does, for a login that does not own the schema, or for tables that
    are in use for too long; then nothing was removed.
    """
    with _owner_required(), long_transaction(connection, "Nothing was removed."):
        require_removable(connection)
        connection.execute(_DROP_SCHEMA)
        if fetch_value(connection, _AUTH_IS_STAND_IN):
            connection.execute("drop schema auth cascade")
    return [role for role in fetch_values(connection, _ROLES) if not _drop_role(connection, role)]


def _drop_role(connection: Connection, role: str) -> bool:
    try:
        connection.execute(psycopg.sql.SQL("drop role {}").format(psycopg.sql.Identifier(role)))
    except (psycopg.errors.DependentObjectsStillExist, psycopg.errors.InsufficientPrivilege):
        return False
    return True


@contextmanager
def _owner_required() -> Generator[None]:
    """Raise DatabaseStateError for a privilege that this login lacks."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        raise DatabaseStateError(
            f"Only the owner of the schema blogger_tracking can remove it. Nothing was removed. Set the Connection "
            f"blogger_db_admin to that login. Postgres reports: {error.diag.message_primary}"
        ) from None
