"""A process that keeps dying, under a real supervisord."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools.local_stack.config import StackError
from devtools.local_stack.parts import make_socket_folder
from devtools.local_stack.process_supervisor import ProcessWatch, Program, ProgramGroup, Supervisor
from tests.support.waiting import wait_until

_WAIT_SECONDS = 60
_STEADY = "import time; time.sleep(600)"
_DIES_WITHOUT_ITS_FILE = """
import sys, time
from pathlib import Path
if not Path(sys.argv[1]).exists():
    sys.exit("the port is taken")
time.sleep(600)
"""


@pytest.fixture
def mended(folder: Path) -> Path:
    """The file without which the process `dying` dies at once."""
    return folder / "mended"


@pytest.fixture
def supervisor(folder: Path, mended: Path) -> Iterator[Supervisor]:
    sockets = make_socket_folder()
    script = folder / "dying.py"
    script.write_text(_DIES_WITHOUT_ITS_FILE)
    running = Supervisor(folder, sockets)
    programs = [
        Program("steady", [sys.executable, "-c", _STEADY]),
        Program("dying", [sys.executable, str(script), str(mended)]),
    ]
    running.launch([ProgramGroup("all", programs)], dict(os.environ))
    running.start("steady", "dying")
    yield running
    running.shutdown()
    shutil.rmtree(sockets)


@pytest.mark.long
def test_a_process_that_keeps_dying_is_reported_once_and_started_again_with_growing_pauses(
    supervisor: Supervisor, mended: Path
) -> None:
    reported: list[str] = []
    starts: set[int] = set()
    watch = ProcessWatch(supervisor, reported.append)
    steady = supervisor.pid("steady")

    def look() -> bool:
        watch.look()
        starts.add(supervisor.states()["dying"].started_at)
        return len(starts) == 5

    wait_until(look, _WAIT_SECONDS)
    moments = sorted(starts)
    assert moments[-1] - moments[-2] > moments[1] - moments[0]
    assert supervisor.pid("steady") == steady
    (report,) = reported
    assert str(supervisor.log_file("dying")) in report
    assert "the port is taken" in supervisor.log_file("dying").read_text()

    mended.touch()

    def look_again() -> bool:
        watch.look()
        return len(reported) == 2

    wait_until(look_again, _WAIT_SECONDS)
    assert reported[1] == "dying runs again"
    time.sleep(1)
    watch.look()
    assert len(reported) == 2


def test_a_process_that_keeps_dying_ends_a_start_with_its_output(supervisor: Supervisor) -> None:
    def refused() -> str:
        try:
            supervisor.require_alive()
        except StackError as error:
            return str(error)
        return ""

    wait_until(lambda: bool(refused()), _WAIT_SECONDS)
    assert "the port is taken" in refused()
