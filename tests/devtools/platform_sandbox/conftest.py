"""One sandbox for the tests that only read, one for those that set faults or the clock; starting one takes a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from devtools.platform_sandbox import SandboxOptions, SandboxServer
from tests.support.sandbox_client import NOON, SandboxClient


@pytest.fixture(scope="session")
def shared() -> Iterator[SandboxClient]:
    """A client of a sandbox whose clock stands still at noon."""
    with SandboxServer(SandboxOptions(time=NOON)) as server, SandboxClient(server) as client:
        yield client


@pytest.fixture
def start() -> Iterator[Callable[[SandboxOptions], SandboxClient]]:
    """Starts a sandbox of the test's own."""
    with ExitStack() as stack:

        def start_one(options: SandboxOptions) -> SandboxClient:
            server = stack.enter_context(SandboxServer(options))
            return stack.enter_context(SandboxClient(server))

        yield start_one


@pytest.fixture(scope="session")
def changed_by_tests() -> Iterator[SandboxClient]:
    """A client of a sandbox that tests change."""
    with SandboxServer(SandboxOptions(time=NOON)) as server, SandboxClient(server) as client:
        yield client


@pytest.fixture
def own(changed_by_tests: SandboxClient) -> SandboxClient:
    """A client of a sandbox as fresh as at its start, which the test may change."""
    changed_by_tests.server.reset()
    return changed_by_tests
