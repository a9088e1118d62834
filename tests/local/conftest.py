"""A stack without Airflow: it starts in a second."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from blogger_tracking.domain.models import Platform
from blogger_tracking.local.airflow_connections import (
    ADMIN_CONNECTION,
    PIPELINE_CONNECTION,
    connection_id_of,
    variable_of,
)
from blogger_tracking.local.config import StackConfig
from blogger_tracking.local.stack import Stack


@pytest.fixture(autouse=True)
def _no_connections_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    for connection_id in (ADMIN_CONNECTION, PIPELINE_CONNECTION, *map(connection_id_of, Platform)):
        monkeypatch.delenv(variable_of(connection_id), raising=False)


@pytest.fixture
def databases_config(tmp_path: Path) -> StackConfig:
    """Only the databases, in a folder of the test's own."""
    return StackConfig(folder=tmp_path / "var", only_databases=True)


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One running stack of databases for tests that only read from it."""
    with Stack(StackConfig(folder=tmp_path_factory.mktemp("databases"), only_databases=True)) as running:
        yield running
