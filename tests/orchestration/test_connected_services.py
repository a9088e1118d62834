"""Services made of Airflow Connections, and the errors for missing and invalid Connections."""

from __future__ import annotations

import itertools
import json
import os
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import patch

import pytest
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import Connection
from hypothesis import example, given, settings
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from blogger_tracking.domain.errors import ConfigurationError, DatabaseStateError
from blogger_tracking.domain.models import Platform
from blogger_tracking.orchestration import connected_services
from blogger_tracking.orchestration.connection_checks import check_pipeline_database
from blogger_tracking.orchestration.process_cache import clear_process_cache
from blogger_tracking.settings import Settings


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for variable in ("BLOGGER_DB", "TIKTOK_API", "SENTRY"):
        monkeypatch.delenv(f"AIRFLOW_CONN_{variable}", raising=False)
    clear_process_cache()
    yield
    clear_process_cache()


def set_database(monkeypatch: pytest.MonkeyPatch, conninfo: str, **extra: object) -> None:
    """Set the Connection `blogger_db` to the database of a libpq connection string."""
    parts = conninfo_to_dict(conninfo)
    fields = {"conn_type": "postgres", "host": parts["host"], "login": parts["user"], "schema": parts["dbname"]}
    monkeypatch.setenv("AIRFLOW_CONN_BLOGGER_DB", json.dumps({**fields, "extra": extra}))


def test_the_error_for_a_missing_connection_names_the_variable_to_set() -> None:
    with pytest.raises(ConfigurationError, match="AIRFLOW_CONN_TIKTOK_API"):
        connected_services.platform_service(Platform.TIKTOK)


def test_the_error_for_a_connection_without_a_key_names_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_TIKTOK_API", '{"conn_type": "http", "host": "https://example.org"}')
    with pytest.raises(ConfigurationError, match="password"):
        connected_services.platform_service(Platform.TIKTOK)


def test_the_error_for_an_invalid_extra_names_the_extra_and_not_the_key(
    monkeypatch: pytest.MonkeyPatch, pipeline_conninfo: str
) -> None:
    set_database(monkeypatch, pipeline_conninfo)
    fields = {
        "conn_type": "http",
        "host": "https://example.org",
        "password": "very-secret",
        "extra": {"requests_per_second": "fast"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_TIKTOK_API", json.dumps(fields))
    with pytest.raises(ConfigurationError, match="tiktok_api is not valid: requests_per_second") as error:
        connected_services.platform_service(Platform.TIKTOK)
    assert "very-secret" not in str(error.value)


@pytest.mark.parametrize(
    "password", ["fir@secondpart", "fir@sec:thirdpart", "fir@sec/thirdpart@fourth", "fir/sec@third"]
)
def test_no_part_of_an_unescaped_password_is_in_the_error(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BLOGGER_DB", f"postgresql://login:{password}@127.0.0.1:1/db")
    with pytest.raises((ConfigurationError, DatabaseStateError)) as raised:
        connected_services.database_pool()
    checks = "".join(str(check) for check in check_pipeline_database(Settings()))
    for part in re.split(r"[@:/]", password):
        assert part not in str(raised.value)
        assert part not in checks


@settings(max_examples=200, deadline=None)
@given(
    pieces=st.permutations(["qxv", "WZK", "4242", "j.jy"]),
    separators=st.lists(st.text("@#?/:&=%+", max_size=2), min_size=5, max_size=5),
)
@example(pieces=["qxv", "WZK", "4242", "j.jy"], separators=["", "@", "#", "", ""])
@example(pieces=["qxv", "WZK", "4242", "j.jy"], separators=["", "@", "?", "", ""])
@example(pieces=["qxv", "WZK", "4242", "j.jy"], separators=["", "@", "/", "#", ""])
@example(pieces=["qxv", "WZK", "4242", "j.jy"], separators=["", "@", "/", "?", "="])
@example(pieces=["4242", "WZK", "qxv", "j.jy"], separators=["", "/", "#", "", ""])
@example(pieces=["4242", "WZK", "qxv", "j.jy"], separators=["", "?", "=", "", ""])
@example(pieces=["qxv", "WZK", "4242", "j.jy"], separators=["?", "", "", "", ""])
@example(pieces=["qxv", "WZK", "4242", "j.jy"], separators=["#", "", "", "", ""])
def test_no_piece_of_any_password_in_a_url_is_in_the_error(pieces: list[str], separators: list[str]) -> None:
    first, *others = separators
    password = first + "".join(piece + separator for piece, separator in zip(pieces, others, strict=True))
    variable = {"AIRFLOW_CONN_BLOGGER_DB": f"postgresql://login:{password}@127.0.0.1:1/db"}
    clear_process_cache()
    with (
        patch.dict(os.environ, variable),
        pytest.raises((ConfigurationError, DatabaseStateError)) as raised,
    ):
        connected_services.database_pool()
    assert not [piece for piece in pieces if piece.lower() in str(raised.value).lower()]


def test_a_connection_without_a_database_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BLOGGER_DB", '{"conn_type": "postgres", "host": "127.0.0.1", "port": 1}')
    with pytest.raises(ConfigurationError, match="blogger_db cannot be read, or it names no database"):
        connected_services.database_pool()


def test_calls_shortly_after_a_failed_connect_raise_the_same_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BLOGGER_DB", "postgresql://x:very-secret@127.0.0.1:1/x")
    raised = []
    for _ in range(3):
        with pytest.raises(DatabaseStateError) as error:
            connected_services.database_pool()
        raised.append(error.value)
    assert raised[0] is raised[1] is raised[2]
    assert "127.0.0.1/x" in str(raised[0])
    assert "very-secret" not in str(raised[0])


def test_a_unix_socket_may_be_the_host_of_a_uri(monkeypatch: pytest.MonkeyPatch, pipeline_conninfo: str) -> None:
    parts = conninfo_to_dict(pipeline_conninfo)
    folder = str(parts["host"]).replace("/", "%2F")
    uri = f"postgresql://{parts['user']}@/{parts['dbname']}?host={folder}"
    monkeypatch.setenv("AIRFLOW_CONN_BLOGGER_DB", uri)
    with connected_services.database_pool().connection() as connection:
        assert (connection.info.host, connection.info.dbname) == (parts["host"], parts["dbname"])
    connected_services.database_pool().close()


def test_extras_of_the_connection_are_parameters_of_libpq(
    monkeypatch: pytest.MonkeyPatch, pipeline_conninfo: str
) -> None:
    set_database(monkeypatch, pipeline_conninfo, application_name="extras", options="-c statement_timeout=1234")
    with connected_services.database_pool().connection() as connection:
        assert connection.info.get_parameters()["application_name"] == "extras"
        assert connection.execute("show statement_timeout").fetchone() == ("1234ms",)
    connected_services.database_pool().close()


def test_sslmode_of_the_connection_is_required_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as executor:
        executor.submit(refuse_ssl, server)
        uri = f"postgresql://x@127.0.0.1:{server.getsockname()[1]}/x?sslmode=require"
        monkeypatch.setenv("AIRFLOW_CONN_BLOGGER_DB", uri)
        with pytest.raises(DatabaseStateError, match="SSL was required"):
            connected_services.database_pool()


def refuse_ssl(server: socket.socket) -> None:
    """Respond to one client's SSLRequest as a Postgres without SSL does."""
    client, _ = server.accept()
    with client:
        client.recv(8)
        client.sendall(b"N")


def test_an_extra_that_libpq_does_not_know_is_named(monkeypatch: pytest.MonkeyPatch, pipeline_conninfo: str) -> None:
    set_database(monkeypatch, pipeline_conninfo, sslmod="require")
    with pytest.raises(DatabaseStateError, match="sslmod"):
        connected_services.database_pool()


def test_each_connection_to_the_database_has_a_new_token(
    monkeypatch: pytest.MonkeyPatch, pipeline_conninfo: str
) -> None:
    tokens = itertools.count(1)

    def next_token(_: PostgresHook, connection: Connection) -> tuple[str | None, str, None]:
        return connection.login, f"token-{next(tokens)}", None

    monkeypatch.setattr(PostgresHook, "get_iam_token", next_token)
    set_database(monkeypatch, pipeline_conninfo, iam=True)
    pool = connected_services.database_pool()
    with pool.connection() as first, pool.connection() as second:
        assert (first.info.password, second.info.password) == ("token-2", "token-3"), "the first token is the check's"
    pool.close()


def test_a_missing_provider_for_tokens_is_reported_with_the_connection(
    monkeypatch: pytest.MonkeyPatch, pipeline_conninfo: str
) -> None:
    set_database(monkeypatch, pipeline_conninfo, iam=True)
    with pytest.raises(ConfigurationError, match="blogger_db cannot be used: apache-airflow-providers-amazon"):
        connected_services.database_pool()


def test_connections_are_in_autocommit_mode_and_prepare_nothing(
    monkeypatch: pytest.MonkeyPatch, pipeline_conninfo: str
) -> None:
    set_database(monkeypatch, pipeline_conninfo, autocommit=False, prepare_threshold=0)
    with connected_services.database_pool().connection() as connection:
        assert (connection.autocommit, connection.prepare_threshold) == (True, None)
    connected_services.database_pool().close()
