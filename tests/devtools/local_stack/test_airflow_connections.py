from __future__ import annotations

import json
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from blogger_tracking.domain.errors import ConfigurationError
from devtools.local_stack.airflow_connections import postgres_connection, read_dsn, variable_of
from devtools.local_stack.config import StackConfig
from devtools.local_stack.stack import Stack


def _read(value: str, folder: Path) -> dict[str, object]:
    config = StackConfig(folder=folder, environment={variable_of("blogger_db"): value})
    return dict(conninfo_to_dict(read_dsn(config, "blogger_db")))


@pytest.fixture(scope="session")
def fields(databases: Stack) -> dict[str, str]:
    """Connection fields of a running database."""
    dsn = conninfo_to_dict(databases.pipeline_dsn)
    return {
        "conn_type": "postgres",
        "host": str(dsn["host"]),
        "login": str(dsn["user"]),
        "password": "p@ss",
        "schema": str(dsn["dbname"]),
    }


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_a_connection_written_as_a_url_is_read(scheme: str, fields: dict[str, str], tmp_path: Path) -> None:
    host = fields["host"].replace("/", "%2F")
    dsn = _read(f"{scheme}://pipeline:p%40ss@{host}:5432/bloggers?application_name=mine", tmp_path)

    assert dsn["host"] == fields["host"]
    assert dsn["user"] == "pipeline"
    assert dsn["password"] == "p@ss"  # noqa: S105 - the example
    assert dsn["dbname"] == "bloggers"
    assert dsn["application_name"] == "mine"


@pytest.mark.parametrize("extra", [{"application_name": "mine"}, '{"application_name": "mine"}'])
def test_a_connection_written_as_json_is_read(extra: object, fields: dict[str, str], tmp_path: Path) -> None:
    dsn = _read(json.dumps({**fields, "port": 5432, "extra": extra}), tmp_path)

    assert dsn["host"] == fields["host"]
    assert dsn["user"] == "pipeline"
    assert dsn["password"] == "p@ss"  # noqa: S105 - the example
    assert dsn["dbname"] == "bloggers"
    assert dsn["application_name"] == "mine"


def test_a_connection_made_from_a_dsn_leads_to_the_same_database(databases: Stack, tmp_path: Path) -> None:
    dsn = conninfo_to_dict(databases.pipeline_dsn)
    read = _read(postgres_connection(databases.pipeline_dsn), tmp_path)

    assert {name: read.get(name) for name in ("host", "user", "dbname")} == {
        name: dsn[name] for name in ("host", "user", "dbname")
    }


@pytest.mark.parametrize(
    "value",
    [
        "mysql://me:secret@localhost:1/bloggers",
        '{"password": "secret"',
        '{"password": "secret", "host": "localhost", "port": 1}',
        "postgresql://[secret",
        "postgresql://me:secret@localhost:1/bloggers?no_such_option=secret",
    ],
)
def test_an_unusable_connection_is_refused_without_its_secret(value: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="AIRFLOW_CONN_BLOGGER_DB") as refused:
        _read(value, tmp_path)

    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None
