"""The views `blogger_tracking.legacy_…` over the tables of an earlier system: their template, columns and types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from psycopg import Connection

from blogger_tracking.database.rows import fetch_all

TEMPLATE = files(__package__) / "legacy_views.sql"
"""The SQL that creates the views, to be fitted to the tables of the earlier system."""

_UUID = frozenset({"uuid"})
_BOOLEAN = frozenset({"boolean"})
_NUMBER = frozenset({"smallint", "integer", "bigint", "numeric"})
_TIME = frozenset({"timestamp with time zone", "timestamp without time zone"})
_ANY: frozenset[str] = frozenset()
"""A column that is read as text, whatever its type is."""

COLUMNS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "organizations": {
        "id": _UUID,
        "name": _ANY,
        "daily_videos_count": _NUMBER,
        "initial_videos_count": _NUMBER,
    },
    "members": {"organization_id": _UUID, "user_id": _UUID, "role": _ANY},
    "subscriptions": {
        "organization_id": _UUID,
        "plan": _ANY,
        "video_limit": _NUMBER,
        "blogger_limit": _NUMBER,
        "period_start": _TIME,
        "period_end": _TIME,
        "videos_used": _NUMBER,
    },
    "bloggers": {
        "id": _UUID,
        "platform": _ANY,
        "username": _ANY,
        "external_id": _ANY,
        "sec_id": _ANY,
        "channel_name": _ANY,
        "subscribers": _ANY,
        "thumbnail_url": _ANY,
        "created_at": _TIME,
    },
    "tracked_accounts": {
        "id": _UUID,
        "organization_id": _UUID,
        "user_id": _UUID,
        "blogger_id": _UUID,
        "is_active": _BOOLEAN,
        "daily_videos_count": _NUMBER,
        "last_scraped_at": _TIME,
        "pending_initial_fetch": _BOOLEAN,
        "initial_videos_fetched": _BOOLEAN,
    },
    "tags": {"organization_id": _UUID, "blogger_id": _UUID, "tag": _ANY},
    "campaigns": {"organization_id": _UUID, "name": _ANY, "blogger_id": _UUID},
    "videos": {
        "id": _ANY,
        "platform": _ANY,
        "external_video_id": _ANY,
        "blogger_id": _UUID,
        "organization_id": _UUID,
        "url": _ANY,
        "title": _ANY,
        "thumbnail_url": _ANY,
        "published_at": _ANY,
    },
    "statistics": {
        "video_id": _ANY,
        "captured_at": _TIME,
        "views": _NUMBER,
        "likes": _NUMBER,
        "comments": _NUMBER,
        "reposts": _NUMBER,
    },
}
"""Columns of each view with the types that are read; the names of the views are without `legacy_`."""

_READ_COLUMNS = """
select
    substr(pg_class.relname, length('legacy_') + 1) as view,
    pg_attribute.attname as name,
    format_type(pg_attribute.atttypid, null) as type
from pg_class
join pg_attribute on pg_attribute.attrelid = pg_class.oid and pg_attribute.attnum > 0
where pg_class.relnamespace = to_regnamespace('blogger_tracking')
  and pg_class.relkind in ('v', 'm', 'r')
  and starts_with(pg_class.relname, 'legacy_')
"""


# Postgres applies the policies of a table to the owner of the view that reads the table.
_READ_GUARDED_TABLES = """
select distinct
    view.relname as view,
    table_read.relnamespace::regnamespace::text || '.' || quote_ident(table_read.relname) as name,
    quote_ident(owner.rolname) as owner
from pg_class as view
join pg_roles as owner on owner.oid = view.relowner
join pg_rewrite on pg_rewrite.ev_class = view.oid
join pg_depend
    on pg_depend.classid = 'pg_rewrite'::regclass
    and pg_depend.objid = pg_rewrite.oid
    and pg_depend.refclassid = 'pg_class'::regclass
join pg_class as table_read on table_read.oid = pg_depend.refobjid
where view.relnamespace = to_regnamespace('blogger_tracking')
  and starts_with(view.relname, 'legacy_')
  and table_read.relrowsecurity
  and not owner.rolsuper
  and not owner.rolbypassrls
  and (table_read.relforcerowsecurity or not pg_has_role(owner.oid, table_read.relowner, 'usage'))
order by view, name
"""


@dataclass(frozen=True, slots=True)
class GuardedTable:
    """A table of the earlier system whose policies may hide rows from a view `legacy_…`, with the view's owner."""

    view: str
    name: str
    owner: str


@dataclass(frozen=True, slots=True)
class _Column:
    view: str
    name: str
    type: str


def find_problems(connection: Connection) -> list[str]:
    """Return a sentence for each view that is missing, and each column that is missing or has another type."""
    found: dict[str, dict[str, str]] = {}
    for column in fetch_all(connection, _Column, _READ_COLUMNS):
        found.setdefault(column.view, {})[column.name] = column.type
    problems = [f"There is no view blogger_tracking.legacy_{view}." for view in COLUMNS if view not in found]
    return problems + [
        problem
        for view, columns in COLUMNS.items()
        if view in found
        for name, types in columns.items()
        if (problem := _problem(view, name, types, found[view].get(name)))
    ]


def find_guarded_tables(connection: Connection) -> list[GuardedTable]:
    """Return the tables that the views read and whose row level security applies to the owner of the view."""
    return fetch_all(connection, GuardedTable, _READ_GUARDED_TABLES)


def _problem(view: str, name: str, types: frozenset[str], found: str | None) -> str | None:
    if found is None:
        return f"The view legacy_{view} has no column {name}."
    if types and found not in types:
        return f"legacy_{view}.{name} is a {found}, but should be a {min(types)}: cast the column in the view."
    return None
