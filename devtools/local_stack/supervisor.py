"""Keeps the stack's processes alive, by way of supervisord."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import SupervisorTransport

from devtools.local_stack.errors import StackError
from devtools.local_stack.leftovers import marker
from devtools.local_stack.programs import ProgramGroup, supervisor_configuration

_LAUNCH_SECONDS = 20.0
_SHUTDOWN_SECONDS = 90.0
_POLL_SECONDS = 0.1
_LOG_LINES_SHOWN = 15


@dataclass(frozen=True, slots=True)
class ProcessState:
    """What the supervisor says of a process. `pid` is 0 while it does not run."""

    name: str
    state: str
    pid: int

    @property
    def has_failed(self) -> bool:
        """Whether it ended again and again right after its start."""
        return self.state == "FATAL"


class Supervisor:
    """One supervisord with its groups of processes, each restarted when it dies by itself."""

    def __init__(self, folder: Path, sockets: Path) -> None:
        self._folder = folder
        self._socket = sockets / "supervisor.sock"
        self._log_folder = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._groups: dict[str, str] = {}

    def launch(self, groups: Sequence[ProgramGroup], environment: Mapping[str, str]) -> None:
        """Start the supervisor. Its processes inherit this environment and wait to be started. Raises StackError."""
        self._groups = {program.name: group.name for group in groups for program in group.programs}
        self._log_folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / "supervisord.conf"
        file.write_text(supervisor_configuration(groups, self._socket), encoding="utf-8")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "-c", file.name],
            cwd=self._folder,
            env={**environment, **marker(self._folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Ctrl-C at a terminal reaches the whole process group; what stops when is decided by the stack alone.
            start_new_session=True,
        )
        self._wait_until_reachable(self._process)

    def start(self, *names: str) -> None:
        """Start processes; returns before they are ready."""
        for name in names:
            self._call("startProcess", self._full_name(name), False)

    def restart(self, name: str) -> None:
        """End a process as its program wants it and start it again."""
        self._call("stopProcess", self._full_name(name), True)
        self.start(name)

    def kill(self, name: str) -> None:
        """End a process as a crash would, its children left alone. Raises StackError when it does not run."""
        os.kill(self.pid(name), signal.SIGKILL)

    def pid(self, name: str) -> int:
        """The process id. Raises StackError when the process does not run."""
        pid = self.states()[name].pid
        if pid == 0:
            raise StackError(f"{name} is not running; its output is in {self.log_file(name)}.")
        return pid

    def states(self) -> dict[str, ProcessState]:
        """All processes by name. Raises StackError when the supervisor is gone."""
        try:
            answers = self._call("getAllProcessInfo")
        except (OSError, HTTPException) as error:
            raise StackError(f"The stack's supervisor is gone ({error}); see {self._log_folder}.") from error
        return {answer["name"]: ProcessState(answer["name"], answer["statename"], answer["pid"]) for answer in answers}

    def require_alive(self) -> None:
        """Raise StackError, with the end of its output, for a process that cannot be kept alive."""
        for state in self.states().values():
            if state.has_failed:
                raise StackError(f"{state.name} cannot be started. The end of its output:\n{self._log_end(state.name)}")

    def log_file(self, name: str) -> Path:
        """Where a process' output goes."""
        return self._log_folder / f"{name}.log"

    def shutdown(self) -> None:
        """Stop the groups one after the other, the last one first, then the supervisor itself."""
        if self._process is None:
            return
        with suppress(subprocess.TimeoutExpired):
            self._process.terminate()
            self._process.wait(_SHUTDOWN_SECONDS)

    def _wait_until_reachable(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _LAUNCH_SECONDS
        while not self._is_reachable():
            if process.poll() is not None or time.monotonic() > deadline:
                raise StackError(f"The stack's supervisor did not start; see {self._log_folder / 'supervisord.log'}.")
            time.sleep(_POLL_SECONDS)

    def _is_reachable(self) -> bool:
        try:
            self._call("getState")
        except (OSError, HTTPException, Fault):
            return False
        return True

    def _call(self, method: str, *arguments: object) -> Any:  # noqa: ANN401  known to supervisord alone
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        try:
            return getattr(ServerProxy("http://localhost", transport=transport).supervisor, method)(*arguments)
        finally:
            transport.close()

    def _full_name(self, name: str) -> str:
        return f"{self._groups[name]}:{name}"

    def _log_end(self, name: str) -> str:
        file = self.log_file(name)
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.exists() else []
        return "\n".join([*lines[-_LOG_LINES_SHOWN:], f"(all of it: {file})"])
