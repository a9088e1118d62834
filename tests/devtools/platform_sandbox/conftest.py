"""Fixtures: one sandbox for tests that only read, and one for tests that inject faults or set the clock.

Tests share both sandboxes, because starting a sandbox takes a while.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from devtools.platform_sandbox import SandboxOptions, SandboxServer
from tests.support.sandbox_client import NOON, SandboxClient


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxClient]:
    """Client of a sandbox whose clock stands still at noon. Tests must not change this sandbox."""
    with SandboxServer(SandboxOptions(time=NOON)) as server, SandboxClient(server) as client:
        yield client


@pytest.fixture
def start_sandbox() -> Iterator[Callable[[SandboxOptions], SandboxClient]]:
    """Function that starts a sandbox with given options, for one test."""
    with ExitStack() as stack:

        def start_one(options: SandboxOptions) -> SandboxClient:
            server = stack.enter_context(SandboxServer(options))
            return stack.enter_context(SandboxClient(server))

        yield start_one


@pytest.fixture(scope="session")
def mutable_sandbox() -> Iterator[SandboxClient]:
    """Client of the sandbox that tests may change."""
    with SandboxServer(SandboxOptions(time=NOON)) as server, SandboxClient(server) as client:
        yield client


@pytest.fixture
def fresh_sandbox(mutable_sandbox: SandboxClient) -> SandboxClient:
    """Client of a sandbox in its initial state, which the test may change."""
    mutable_sandbox.server.reset()
    return mutable_sandbox
