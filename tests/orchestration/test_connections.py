"""What a missing or wrong Connection says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from blogger_tracking.domain.errors import ConfigurationError, DatabaseStateError
from blogger_tracking.domain.models import Platform
from blogger_tracking.orchestration import connections
from blogger_tracking.orchestration.process_cache import clear_process_cache


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for variable in ("BLOGGER_DB", "TIKTOK_API", "SENTRY"):
        monkeypatch.delenv(f"AIRFLOW_CONN_{variable}", raising=False)
    clear_process_cache()
    yield
    clear_process_cache()


def test_a_missing_connection_is_named_with_what_to_set() -> None:
    with pytest.raises(ConfigurationError, match="AIRFLOW_CONN_TIKTOK_API"):
        connections.platform_service(Platform.TIKTOK)


def test_a_connection_without_a_key_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_TIKTOK_API", '{"conn_type": "http", "host": "https://example.org"}')
    with pytest.raises(ConfigurationError, match="password"):
        connections.platform_service(Platform.TIKTOK)


def test_a_database_that_cannot_be_reached_is_asked_once_by_all_who_start_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BLOGGER_DB", "postgresql://x:very-secret@127.0.0.1:1/x")
    raised = []
    for _ in range(3):
        with pytest.raises(DatabaseStateError) as error:
            connections.database_pool()
        raised.append(error.value)
    assert raised[0] is raised[1] is raised[2]
    assert "very-secret" not in str(raised[0])


def test_a_socket_is_a_host_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BLOGGER_DB", "postgresql://x@/y?host=%2Ftmp%2Fsocket")
    assert connections.conninfo(connections.get_connection("blogger_db")) == "user=x dbname=y host=/tmp/socket"
