"""One real stack for all end-to-end tests: starting it takes long, and each test brings data of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from blogger_tracking.local.config import SandboxConfig, StackConfig
from blogger_tracking.local.stack import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Postgres, the sandbox at a low latency and a whole Airflow; empty but migrated."""
    folder = tmp_path_factory.mktemp("stack")
    with Stack(StackConfig(folder=folder, sandbox=SandboxConfig(latency_ms=20)), print) as running:
        yield running
