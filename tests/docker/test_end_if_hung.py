"""The health check that ends a container: in process namespaces, where it can end nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from signal import SIGKILL, SIGTERM

import pytest

from devtools.local_stack.config import PROJECT_ROOT

SCRIPT = PROJECT_ROOT / "docker" / "end-if-hung.sh"
CONTAINER = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-euc")

AGE_SECONDS = 600


def can_start_containers() -> bool:
    return shutil.which("unshare") is not None and subprocess.run([*CONTAINER, "true"], check=False).returncode == 0


pytestmark = pytest.mark.skipif(not can_start_containers(), reason="this user may not make namespaces of Linux")


def start(folder: Path, lines: Sequence[str]) -> int:
    """Start a container with a process beside the first one, and a folder for its files.

    `check` among the lines is a health check that fails. Return the signal that ended the other process: SIGTERM at the
    end of the container, or the one before.
    """
    script = [
        f"exec 3<{SCRIPT}",
        f"mount --bind {folder} /tmp",
        "sleep 60 & other=$!",
        "script=$(cat <&3)",
        'check() { sh -c "$script" end-if-hung.sh 5 false || :; }',
        *lines,
        # The shell may have noticed already that the process has ended.
        "kill -s TERM $other || :",
        "wait $other || echo $?",
    ]
    done = subprocess.run([*CONTAINER, "\n".join(script)], check=True, capture_output=True, text=True)
    return int(done.stdout) - 128


def test_a_check_that_has_failed_for_long_enough_ends_the_container(tmp_path: Path) -> None:
    lines = ["check", f'touch -d "@$(($(date +%s) - {AGE_SECONDS}))" /tmp/*', "check"]
    assert start(tmp_path, lines) == SIGKILL


def test_a_restarted_container_is_not_ended_for_the_failures_before_its_restart(tmp_path: Path) -> None:
    # The start of a process is known to a hundredth of a second.
    assert start(tmp_path, ["check", "sleep 0.1"]) == SIGTERM
    (failed,) = tmp_path.iterdir()
    os.utime(failed, (time.time() - AGE_SECONDS,) * 2)
    assert start(tmp_path, ["check"]) == SIGTERM
