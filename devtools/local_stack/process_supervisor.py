"""Supervisor of the stack's processes: supervisord, its configuration, and the calls to it."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from configparser import ConfigParser
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from io import StringIO
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import SupervisorTransport

from devtools.local_stack.config import StackError
from devtools.local_stack.leftovers import marker

_LAUNCH_SECONDS = 20.0
_SHUTDOWN_SECONDS = 90.0
_POLL_SECONDS = 0.1
_LOG_LINES_SHOWN = 15

_LOG_BYTES = "50MB"
_LOG_BACKUPS = "2"
_STOP_SECONDS = "10"

_START_SECONDS = "10"
"""Time that a process has to stay alive; after a shorter life, supervisord waits a second longer than the last time."""

_ENDLESS_RETRIES = "1000000"
_SHORT_LIVES = 4
"""Number of short lives in a row after which a process counts as one that keeps dying."""


@dataclass(frozen=True, slots=True)
class Program:
    """A command that the supervisor keeps alive, and its way of being stopped.

    `stops_itself`: the program ends its own children, so the stop signal goes only to the program and not to its
    process group. `user` runs the program (by default the user who starts the stack); `folder` is its working
    directory.
    """

    name: str
    command: Sequence[str]
    stop_signal: str = "TERM"
    stops_itself: bool = False
    user: str | None = None
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class ProgramGroup:
    """Programs that start and stop together. Groups stop one after the other, the last group first."""

    name: str
    programs: Sequence[Program]


@dataclass(frozen=True, slots=True)
class ProcessState:
    """State of a process as supervisord reports it. `pid` is 0 while the process does not run.

    `started_at` is the time of the last start, in seconds.
    """

    name: str
    state: str
    pid: int
    started_at: int


class Supervisor:
    """One supervisord with its groups of processes; a process that dies is started again.

    A process that dies right after its start is started again after a pause that grows with each death.
    """

    def __init__(self, folder: Path, sockets: Path) -> None:
        self._folder = folder
        self._socket = sockets / "supervisor.sock"
        self._log_folder = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._groups: dict[str, str] = {}
        self._short_lives: defaultdict[str, set[int]] = defaultdict(set)

    def launch(self, groups: Sequence[ProgramGroup], environment: Mapping[str, str]) -> None:
        """Start supervisord; its processes inherit `environment` and wait for `start`. Raises StackError."""
        self._groups = {program.name: group.name for group in groups for program in group.programs}
        self._log_folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / "supervisord.conf"
        file.write_text(_configuration(groups, self._socket), encoding="utf-8")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "-c", file.name],
            cwd=self._folder,
            env={**environment, **marker(self._folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Ctrl-C at a terminal reaches the whole process group, but the stack stops its processes in a fixed order.
            start_new_session=True,
        )
        self._wait_until_reachable(self._process)

    def start(self, *names: str) -> None:
        """Start processes, without waiting until they are ready."""
        for name in names:
            self._call("startProcess", self._full_name(name), False)

    def restart(self, name: str) -> None:
        """Stop a process with its stop signal and start it again."""
        self._call("stopProcess", self._full_name(name), True)
        self.start(name)

    def kill(self, name: str) -> None:
        """Kill a process as a crash would, without its children. Raises StackError if the process does not run."""
        os.kill(self.pid(name), signal.SIGKILL)

    def pid(self, name: str) -> int:
        """Return a process id. Raises StackError if the process does not run."""
        pid = self.states()[name].pid
        if pid == 0:
            raise StackError(f"{name} is not running; its output is in {self.log_file(name)}.")
        return pid

    def states(self) -> dict[str, ProcessState]:
        """Return the state of every process by name. Raises StackError if supervisord does not answer."""
        try:
            answers = self._call("getAllProcessInfo")
        except (OSError, HTTPException) as error:
            raise StackError(
                f"The stack's supervisor does not answer ({error}), so its processes cannot be kept alive. "
                f"The output of each process is in {self._log_folder}. Run `make down`, then start again."
            ) from error
        found = [ProcessState(each["name"], each["statename"], each["pid"], each["start"]) for each in answers]
        for each in found:
            if each.state == "BACKOFF":
                self._short_lives[each.name].add(each.started_at)
            elif each.state == "RUNNING":
                self._short_lives[each.name].clear()
        return {each.name: each for each in found}

    def dying(self) -> set[str]:
        """Return the processes that keep dying right after their start, as far as calls of `states` have seen them."""
        return {name for name, lives in self._short_lives.items() if len(lives) >= _SHORT_LIVES}

    def require_alive(self) -> None:
        """Raise StackError, with the end of its output, if a process keeps dying."""
        self.states()
        for name in self.dying():
            raise StackError(f"{name} keeps dying. The end of its output:\n{self._log_end(name)}")

    def log_file(self, name: str) -> Path:
        """Return the file of a process' output."""
        return self._log_folder / f"{name}.log"

    def shutdown(self) -> None:
        """Stop the groups one after the other, the last one first, then supervisord itself."""
        if self._process is None:
            return
        with suppress(subprocess.TimeoutExpired):
            self._process.terminate()
            self._process.wait(_SHUTDOWN_SECONDS)

    def _wait_until_reachable(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _LAUNCH_SECONDS
        while not self._is_reachable():
            if process.poll() is not None or time.monotonic() > deadline:
                raise StackError(
                    f"The stack's supervisor did not start, and nothing was left running. "
                    f"Its output is in {self._log_folder / 'supervisord.log'}."
                )
            time.sleep(_POLL_SECONDS)

    def _is_reachable(self) -> bool:
        try:
            self._call("getState")
        except (OSError, HTTPException, Fault):
            return False
        return True

    def _call(self, method: str, *arguments: object) -> Any:  # noqa: ANN401 - each method of supervisord returns another type
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


class ProcessWatch:
    """Report of the processes that die while a stack is up: one line for each event, whatever dies stays supervised."""

    def __init__(self, supervisor: Supervisor, report: Callable[[str], None]) -> None:
        self._supervisor = supervisor
        self._report = report
        self._pids = {name: state.pid for name, state in supervisor.states().items()}
        self._dying: set[str] = set()

    def look(self) -> None:
        """Report what has changed since the last look."""
        states = self._supervisor.states()
        dying = self._supervisor.dying()
        for name in sorted(dying - self._dying):
            self._report(
                f"{name} keeps dying right after its start; it is started again with growing pauses, and everything "
                f"else stays up. Its output is in {self._supervisor.log_file(name)}"
            )
        for name in sorted(self._dying - dying):
            self._report(f"{name} runs again")
        for name, state in states.items():
            if state.state == "RUNNING" and state.pid != self._pids[name]:
                if name not in self._dying:
                    self._report(f"{name} died and was started again")
                self._pids[name] = state.pid
        self._dying = dying


def _configuration(groups: Sequence[ProgramGroup], socket: Path) -> str:
    """Return supervisord's configuration file, in which no program starts automatically.

    supervisord writes `supervisord.pid` and a folder `log` into its working directory.
    """
    parser = ConfigParser(interpolation=None)
    parser["supervisord"] = {
        "nodaemon": "true",
        "silent": "true",
        # Paths are relative, because supervisord expands some paths twice, so that a % cannot be quoted.
        "pidfile": "supervisord.pid",
        "logfile": "log/supervisord.log",
        "childlogdir": "log",
    }
    parser["unix_http_server"] = {"file": _literal(socket), "chmod": "0700"}
    parser["rpcinterface:supervisor"] = {
        "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
    }
    for priority, group in enumerate(groups, start=1):
        names = ",".join(program.name for program in group.programs)
        parser[f"group:{group.name}"] = {"programs": names, "priority": str(priority)}
        for program in group.programs:
            parser[f"program:{program.name}"] = _program_section(program)
    text = StringIO()
    parser.write(text)
    return text.getvalue()


def _program_section(program: Program) -> dict[str, str]:
    section = {
        "command": _literal(shlex.join(program.command)),
        "autostart": "false",
        "autorestart": "true",
        "startsecs": _START_SECONDS,
        "startretries": _ENDLESS_RETRIES,
        "stopsignal": program.stop_signal,
        "stopwaitsecs": _STOP_SECONDS,
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": f"log/{program.name}.log",
        "stdout_logfile_maxbytes": _LOG_BYTES,
        "stdout_logfile_backups": _LOG_BACKUPS,
    }
    if not program.stops_itself:
        section["stopasgroup"] = "true"
    if program.user is not None:
        section["user"] = program.user
    if program.folder is not None:
        section["directory"] = _literal(program.folder)
    return section


def _literal(value: Path | str) -> str:
    # supervisord expands %(name)s in every value.
    return str(value).replace("%", "%%")
