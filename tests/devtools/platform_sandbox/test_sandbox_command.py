from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

PROJECT_ROOT = Path(__file__).parents[3]


@contextmanager
def running(*arguments: str) -> Generator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "devtools.platform_sandbox", *arguments]
    process = subprocess.Popen(
        command, env={}, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_its_address_and_exits_with_0_on_a_signal(number: signal.Signals) -> None:
    with running("--seed", "3", "--time", "2026-01-01T00:00:00Z") as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        health = requests.get(f"{address}/_sandbox/health", timeout=10).json()
        process.send_signal(number)
        assert process.wait(timeout=10) == 0
    assert (health["seed"], health["now"]) == (3, "2026-01-01T00:00:00+00:00")


def test_a_port_in_use_gives_a_one_line_error_and_exit_code_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with running("--port", str(port)) as process:
            _, errors = process.communicate(timeout=10)
    assert process.returncode == 2
    assert errors == f"sandbox: cannot listen on 127.0.0.1:{port}: Address already in use\n"
