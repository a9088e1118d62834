from __future__ import annotations

import json

import pytest
from psycopg.conninfo import conninfo_to_dict

from blogger_tracking.domain.errors import ConfigurationError
from devtools.local_stack.airflow_connections import postgres_connection, postgres_dsn

_VARIABLE = "AIRFLOW_CONN_BLOGGER_DB"


def _dsn(value: str) -> dict[str, object]:
    return dict(conninfo_to_dict(postgres_dsn("blogger_db", {_VARIABLE: value})))


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_a_connection_written_as_an_address_is_understood(scheme: str) -> None:
    assert _dsn(f"{scheme}://me:p%40ss@db.example:6543/bloggers?sslmode=require") == {
        "user": "me",
        "password": "p@ss",
        "host": "db.example",
        "port": "6543",
        "dbname": "bloggers",
        "sslmode": "require",
    }


@pytest.mark.parametrize("extra", [{"sslmode": "require"}, '{"sslmode": "require"}'])
def test_a_connection_written_as_json_is_understood(extra: object) -> None:
    fields = {"conn_type": "postgres", "host": "db.example", "login": "me", "password": "p@ss", "schema": "bloggers"}

    assert _dsn(json.dumps({**fields, "port": 6543, "extra": extra})) == {
        "user": "me",
        "password": "p@ss",
        "host": "db.example",
        "port": "6543",
        "dbname": "bloggers",
        "sslmode": "require",
    }


def test_a_connection_made_for_a_dsn_leads_back_to_it() -> None:
    dsn = "host=/a/folder port=5432 user=pipeline dbname=bloggers"

    assert _dsn(postgres_connection(dsn)) == conninfo_to_dict(dsn)


def test_a_missing_connection_is_named() -> None:
    with pytest.raises(ConfigurationError, match="AIRFLOW_CONN_BLOGGER_DB"):
        postgres_dsn("blogger_db", {})


@pytest.mark.parametrize(
    "value",
    [
        "mysql://me:secret@db/bloggers",
        "secret",
        '{"password": "secret"',
        '{"password": "secret"}',
        "postgresql://[secret",
    ],
)
def test_an_unreadable_connection_is_refused_without_repeating_it(value: str) -> None:
    with pytest.raises(ConfigurationError, match="AIRFLOW_CONN_BLOGGER_DB") as refusal:
        postgres_dsn("blogger_db", {_VARIABLE: value})

    assert "secret" not in str(refusal.value)
    assert refusal.value.__cause__ is None
