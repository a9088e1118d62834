"""Leftover processes of a stack, which the stack's supervisor can no longer end.

Children of a killed process stay in process groups that the supervisor does not know. Every process of a stack inherits
an environment variable that identifies the stack; this module finds and ends the leftover processes by the variable.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

_VARIABLE = "BLOGGER_TRACKING_STACK"
_SUPERVISOR_SECONDS = 60.0
_PROCESS_SECONDS = 10.0
_KILL_SECONDS = 5.0


def marker(folder: Path) -> dict[str, str]:
    """Return the variables that mark a process as one of the stack in this folder."""
    # Airflow's processes change their titles, which overwrites the environment that psutil reads unless this is set.
    return {_VARIABLE: str(folder.resolve()), "SPT_NOENV": "1"}


def marked_processes(folder: Path) -> list[psutil.Process]:
    """Return all running processes of the stack in this folder, except Postgres, which hides its environment."""
    return [process for process in psutil.process_iter() if _is_marked(process, folder)]


def end_leftovers(folder: Path, postgres_data: Path) -> None:
    """End all processes of the stack in this folder: the supervisor, then the marked ones, then Postgres."""
    supervisor = _recorded(folder / "supervisord.pid")
    if supervisor is not None and _is_marked(supervisor, folder):
        _end([supervisor], signal.SIGTERM, _SUPERVISOR_SECONDS)
    _end(marked_processes(folder), signal.SIGTERM, _PROCESS_SECONDS)
    postmaster = _recorded(postgres_data / "postmaster.pid")
    if postmaster is not None and _is_postmaster(postmaster, postgres_data):
        _end([postmaster], signal.SIGINT, _PROCESS_SECONDS)


def _recorded(pid_file: Path) -> psutil.Process | None:
    try:
        return psutil.Process(int(pid_file.read_text(encoding="utf-8").split()[0]))
    except (OSError, ValueError, IndexError, psutil.NoSuchProcess):
        return None


def _is_marked(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.environ().get(_VARIABLE) == str(folder.resolve()) and process.pid != os.getpid()
    except (psutil.Error, OSError):
        return False


def _is_postmaster(process: psutil.Process, postgres_data: Path) -> bool:
    # A pid file outlives its process, and the operating system may have given the pid to another process.
    try:
        return process.name() == "postgres" and str(postgres_data.resolve()) in process.cmdline()
    except psutil.Error:
        return False


def _end(processes: Sequence[psutil.Process], first_signal: signal.Signals, grace_seconds: float) -> None:
    _signal_all(processes, first_signal)
    _, alive = psutil.wait_procs(processes, grace_seconds)
    _signal_all(alive, signal.SIGKILL)
    psutil.wait_procs(alive, _KILL_SECONDS)


def _signal_all(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
