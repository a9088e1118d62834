"""Airflow Connections as they stand in environment variables, made for the stack and read from the user."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from blogger_tracking.domain.errors import ConfigurationError
from blogger_tracking.domain.models import Platform

PIPELINE_CONNECTION = "blogger_db"
ADMIN_CONNECTION = "blogger_db_admin"
PLATFORM_PATHS: Mapping[Platform, str] = {
    Platform.TIKTOK: "/tiktok",
    Platform.INSTAGRAM: "/instagram",
    Platform.YOUTUBE: "/youtube/v3/",
}
_POSTGRES_SCHEMES = frozenset({"postgres", "postgresql"})


def variable_of(connection_id: str) -> str:
    """The environment variable that holds a Connection."""
    return f"AIRFLOW_CONN_{connection_id.upper()}"


def connection_id_of(platform: Platform) -> str:
    """The Connection a platform is reached by."""
    return f"{platform.slug}_api"


def http_connection(url: str, password: str, login: str | None = None) -> str:
    """A Connection to an HTTP service: the whole base URL is its host."""
    return json.dumps({"conn_type": "http", "host": url, "login": login, "password": password})


def postgres_connection(dsn: str) -> str:
    """A Connection to the Postgres that libpq would reach by this."""
    parts = conninfo_to_dict(dsn)
    return json.dumps({
        "conn_type": "postgres",
        "host": parts["host"],
        "port": parts["port"],
        "login": parts["user"],
        "schema": parts["dbname"],
    })


def postgres_dsn(connection_id: str, environment: Mapping[str, str]) -> str:
    """What libpq needs, out of a Connection that is a URI or JSON. Raises ConfigurationError, without the secret."""
    value = environment.get(variable_of(connection_id))
    if not value:
        raise ConfigurationError(f"The Connection {connection_id} is missing: set {variable_of(connection_id)}.")
    try:
        return _from_json(value) if value.lstrip().startswith("{") else _from_uri(value)
    except (ValueError, KeyError, AttributeError, ProgrammingError):
        raise ConfigurationError(
            f"The Connection {connection_id} cannot be read. {variable_of(connection_id)} must be "
            "postgresql://LOGIN:PASSWORD@HOST:PORT/DATABASE or Airflow's JSON of the same."
        ) from None


def _from_uri(value: str) -> str:
    if urlsplit(value).scheme not in _POSTGRES_SCHEMES:
        raise ValueError
    return make_conninfo(value)


def _from_json(value: str) -> str:
    fields = json.loads(value)
    extra = fields.get("extra") or {}
    parts = {
        "host": fields.get("host"),
        "port": fields.get("port"),
        "user": fields.get("login"),
        "password": fields.get("password"),
        "dbname": fields["schema"],
    }
    given = {name: part for name, part in parts.items() if part}
    return make_conninfo(**(json.loads(extra) if isinstance(extra, str) else extra), **given)
