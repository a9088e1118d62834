"""Fixtures of a stack without Airflow, which starts in a second."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from blogger_tracking.domain.models import Platform
from devtools.local_stack.airflow_connections import (
    ADMIN_CONNECTION,
    PIPELINE_CONNECTION,
    connection_id_of,
    variable_of,
)
from devtools.local_stack.config import StackConfig
from devtools.local_stack.stack import Stack


@pytest.fixture(autouse=True)
def _without_the_developers_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    for connection_id in (ADMIN_CONNECTION, PIPELINE_CONNECTION, *map(connection_id_of, Platform)):
        monkeypatch.delenv(variable_of(connection_id), raising=False)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for a stack, outside pytest's own folders, which each session of pytest makes private again."""
    with tempfile.TemporaryDirectory(prefix="bt-") as path:
        yield Path(path)


@pytest.fixture
def databases_config(folder: Path) -> StackConfig:
    """Configuration of a stack without Airflow and sandbox, in a folder of the test."""
    return StackConfig(folder=folder, only_databases=True)


@pytest.fixture(scope="session")
def databases() -> Iterator[Stack]:
    """One running stack of databases, for tests that do not change its data."""
    with (
        tempfile.TemporaryDirectory(prefix="bt-") as path,
        Stack(StackConfig(folder=Path(path), only_databases=True)) as running,
    ):
        yield running
