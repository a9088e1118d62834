"""Supabase's Data API over SQL: every table and every command, as a stranger and as members."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import psycopg
from psycopg import Connection, sql
from psycopg.errors import InsufficientPrivilege

from blogger_tracking.database.rows import fetch_value, fetch_values
from blogger_tracking.domain.models import Role
from devtools.attack.target import Target, Tenant
from devtools.attack.tries import Try

_RELATIONS = """
select relname
from pg_class
where relnamespace = 'blogger_tracking'::regnamespace and relkind in ('r', 'p', 'v')
order by relname
"""
_FUNCTIONS = """
select oid::regprocedure::text
from pg_proc
where pronamespace = 'blogger_tracking'::regnamespace and prokind = 'f' and prorettype <> 'trigger'::regtype
order by 1
"""
_FIRST_COLUMN = """
select attname
from pg_attribute
where attrelid = format('blogger_tracking.%%I', %s::text)::regclass
  and attnum > 0
  and attidentity = ''
  and attgenerated = ''
order by attnum
limit 1
"""
_WITH_ORGANIZATIONS = """
select table_name
from information_schema.columns
where table_schema = 'blogger_tracking' and column_name = 'organization_id'
order by table_name
"""
_MAY_EXECUTE = "select has_function_privilege('anon', %s::regprocedure, 'execute')"

_COUNT_FOREIGN = "select count(*) from {relation} where organization_id <> %s"
_SELECT = "select count(*) from {relation}"
_WRITES = {
    "insert": "insert into {relation} default values",
    "update": "update {relation} set {column} = {column}",
    "delete": "delete from {relation}",
    "truncate": "truncate {relation}",
}
_STATEMENTS = {
    "raise the own role": "update blogger_tracking.organization_members set role = 'owner'",
    "join another organization": "insert into blogger_tracking.organization_members select * from "
    "blogger_tracking.organization_members",
    "move an account": "update blogger_tracking.tracked_accounts set organization_id = gen_random_uuid()",
    "lower the usage": "update blogger_tracking.subscription_usage set videos_fetched = 0",
    "turn row level security off": "alter table blogger_tracking.videos disable row level security",
    "create a function": "create function blogger_tracking.mine() returns int language sql as 'select 1'",
    "create a table": "create table blogger_tracking.mine (id int)",
    "read a file": "copy blogger_tracking.videos from '/etc/passwd'",
    "run a program": "copy (select 1) to program 'true'",
}


def data_api(target: Target) -> Iterator[Try]:
    """Execute every command on every table as a user of the Data API."""
    own, foreign = target.tenant(), target.tenant()
    relations = [str(name) for name in fetch_values(target.connection, _RELATIONS)]
    outsider = target.user()
    people = {str(role): target.member(own, role) for role in Role}
    for relation in relations:
        yield _refused(target, "anon", outsider, f"selects from {relation}", _of(relation, _SELECT))
        for command, statement in _WRITES.items():
            column = str(fetch_value(target.connection, _FIRST_COLUMN, (relation,)))
            query = _of(relation, statement, column)
            yield _refused(target, "anon", outsider, f"{command}s {relation}", query)
            yield _refused(target, "authenticated", people[Role.OWNER], f"{command}s {relation}", query)
    for name in fetch_values(target.connection, _WITH_ORGANIZATIONS):
        for role, user in {**people, "outsider": outsider}.items():
            yield _sees_nothing(target, user, role, str(name), own)
    for name, statement in _STATEMENTS.items():
        for role, user in {"owner": people[Role.OWNER], "outsider": outsider}.items():
            yield _refused(target, "authenticated", user, f"as {role}: {name}", sql.SQL(statement))
    for function in fetch_values(target.connection, _FUNCTIONS):
        allowed = bool(fetch_value(target.connection, _MAY_EXECUTE, (function,)))
        yield Try(f"anon executes {function}", not allowed, "may execute" if allowed else "may not")
    yield from _changes_of_accounts(target, people, outsider, foreign)


def _changes_of_accounts(target: Target, people: dict[str, UUID], outsider: UUID, foreign: Tenant) -> Iterator[Try]:
    """Change the two columns that owners and admins may change, of another organization's account."""
    for role, user in {**people, "outsider": outsider}.items():
        with target.signed_in("authenticated", user) as connection:
            changed = connection.execute(
                "update blogger_tracking.tracked_accounts set is_active = false where organization_id = %s",
                (foreign.organization_id,),
            ).rowcount
        yield Try(f"{role} pauses a foreign account", changed == 0, f"{changed} rows")


def _of(relation: str, statement: str, column: str = "") -> sql.Composed:
    return sql.SQL(statement).format(
        relation=sql.Identifier("blogger_tracking", relation), column=sql.Identifier(column)
    )


def _refused(target: Target, role: str, user: UUID, name: str, query: sql.Composed | sql.SQL) -> Try:
    try:
        with target.signed_in(role, user) as connection:
            changed = connection.execute(query).rowcount
    except InsufficientPrivilege:
        return Try(f"{role} {name}", held=True, found="refused")
    except psycopg.Error as error:
        return Try(f"{role} {name}", held=_is_no_table(error), found=type(error).__name__)
    return Try(f"{role} {name}", held=False, found=f"{changed} rows")


def _is_no_table(error: psycopg.Error) -> bool:
    # A view cannot be written or truncated at all.
    return isinstance(error, psycopg.errors.WrongObjectType | psycopg.errors.ObjectNotInPrerequisiteState)


def _sees_nothing(target: Target, user: UUID, role: str, relation: str, own: Tenant) -> Try:
    name = f"{role} reads rows of others in {relation}"
    try:
        with target.signed_in("authenticated", user) as connection:
            found = _count(connection, relation, own)
    except InsufficientPrivilege:
        return Try(name, held=True, found="refused")
    return Try(name, found == 0, f"{found} rows")


def _count(connection: Connection, relation: str, own: Tenant) -> int:
    return int(str(fetch_value(connection, _of(relation, _COUNT_FOREIGN), (own.organization_id,))))
